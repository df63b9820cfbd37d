"""/api/device-usage/events, and how far usage is to be trusted, as a client meets both."""

from datetime import timedelta

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, START, Api
from utils.time import iso

BASE = "/api/device-usage"
EVENTS = f"{BASE}/events"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def restarted(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Read at 9:00, a power loss at 9:02, read at 9:05 and 9:10."""
    router.traffic(PHONE, rx=1_000, tx=10)
    router.traffic(PHONE, rx=400, tx=40, port=53)  # nobody uses it again: it proves what the router came back with
    router.commit()
    runtime.collector.collect(context)
    clock.advance(2 * MINUTE)
    router.power_loss()
    clock.advance(3 * MINUTE)
    router.traffic(PHONE, rx=70, tx=7)
    runtime.collector.collect(context)
    clock.advance(5 * MINUTE)
    router.traffic(PHONE, rx=5, tx=5)
    runtime.collector.collect(context)


def test_a_router_without_events_has_none(api: Api, context: RouterContext) -> None:
    assert api.data(EVENTS)["events"] == []


def test_a_restart_and_its_gap_are_told_in_words_the_latest_first(api: Api, restarted: None) -> None:
    told = api.data(EVENTS)

    assert told["timezone"] == "Europe/Berlin"
    assert [(event["type"], event["at"], event["until"], event["quality"]) for event in told["events"]] == [
        ("router_restarted", iso(START + 2 * MINUTE), iso(START + 2 * MINUTE), None),
        ("gap", iso(START), iso(START + 2 * MINUTE), "unknown"),
        ("first_reading", iso(START), iso(START), None),
    ]
    assert all(event["mac"] is None and event["message"].endswith(".") for event in told["events"])


def test_events_are_found_by_type_and_day_and_come_in_pages(api: Api, restarted: None) -> None:
    assert [event["type"] for event in api.data(EVENTS, query_string={"type": "gap"})["events"]] == ["gap"]
    assert api.data(EVENTS, query_string={"endDate": "2031-11-10"})["events"] == []
    assert api.data(EVENTS, query_string={"mac": LAPTOP})["events"] == []
    answer = api.body(EVENTS, query_string={"page": 2, "pageSize": 2})
    assert [event["type"] for event in answer["data"]["events"]] == ["first_reading"]
    assert answer["metadata"]["pagination"] == {"page": 2, "pageSize": 2, "totalItems": 3, "totalPages": 2}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"type": "holiday"}, "type"),
        ({"mac": "zz"}, "mac"),
        ({"startDate": "2031-13-01"}, "startDate"),
        ({"startDate": "2031-11-12", "endDate": "2031-11-11"}, "startDate"),
        ({"pageSize": "0"}, "pageSize"),
        ({"days": "3"}, "days"),
    ],
)
def test_a_bad_value_is_named(api: Api, context: RouterContext, query: dict[str, str], field: str) -> None:
    status, code, details = api.error(EVENTS, query_string=query)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert field in details


def test_a_gap_shows_in_buckets_totals_and_summary(api: Api, restarted: None) -> None:
    hours = api.data(f"{BASE}/history", query_string={"granularity": "hour", "startDate": "2031-11-11"})
    hour = next(bucket for bucket in hours["buckets"] if bucket["start"] == iso(START))
    before = next(bucket for bucket in hours["buckets"] if bucket["end"] == iso(START))

    assert (hour["bytesDown"], hour["quality"], hour["reasons"]) == (75, "unknown", ["gap"])
    assert hour["coverage"] == pytest.approx(0.8)
    assert (before["bytesDown"], before["quality"], before["reasons"]) == (None, None, [])
    assert (hours["quality"], hours["reasons"]) == ("unknown", ["gap"])
    summary = api.data(f"{BASE}/summary")
    assert (summary["totalUsage"], summary["quality"], summary["reasons"]) == (87, "unknown", ["gap"])


def test_what_was_read_as_ever_was_measured(
    api: Api, runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    runtime.collector.collect(context)
    clock.advance(5 * MINUTE)
    router.traffic(PHONE, rx=70, tx=7)
    runtime.collector.collect(context)

    day = api.data(f"{BASE}/device/{PHONE}/history", query_string={"startDate": "2031-11-11"})

    assert (day["totals"]["totalBytes"], day["quality"], day["reasons"]) == (77, "measured", [])
    assert day["buckets"][0]["quality"] == "measured"


def test_what_went_on_for_many_readings_is_one_event_that_grew(
    api: Api, runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.add_host(PHONE, state="REACHABLE")
    for _ in range(10):
        runtime.collector.collect(context)
        clock.advance(10 * MINUTE)

    frozen = [event for event in api.data(EVENTS)["events"] if event["type"] == "frozen"]

    assert [(event["at"], event["until"]) for event in frozen] == [(iso(START), iso(START + 90 * MINUTE))]
    hours = api.data(f"{BASE}/history", query_string={"granularity": "hour", "startDate": "2031-11-11"})
    assert [bucket["bytesDown"] for bucket in hours["buckets"] if bucket["start"] == iso(START)] == [None]
    now = api.data(f"{BASE}/current")
    assert (now["source"], now["stale"], now["warning"]["code"]) == ("live", True, "ROWS_FROZEN")
