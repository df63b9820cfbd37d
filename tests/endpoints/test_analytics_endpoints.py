"""/api/device-usage/analytics as a client meets it, over days a router lived."""

from datetime import UTC, datetime, timedelta

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, TV, Api

BASE = "/api/device-usage"
COMPARE, ANOMALIES, TRENDS = (f"{BASE}/analytics/{name}" for name in ("compare", "anomalies", "trends"))
MB, GB = 10**6, 10**9


@pytest.fixture
def lived(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Fourteen days, a reading every four hours, the last of them on a Monday evening in Berlin."""
    clock.set(datetime(2031, 10, 27, 23, 0, tzinfo=UTC))
    router.add_host(PHONE, "192.168.1.2", "客厅")
    router.traffic(TV, rx=1)
    runtime.collector.collect(context)
    for step in range(14 * 6 - 1):
        router.traffic(PHONE, rx=1_000 + 50 * step, tx=10)
        if step >= 42:
            router.traffic(LAPTOP, rx=500, tx=500)
        else:
            router.traffic(TV, rx=2_000, tx=0)
        clock.advance(timedelta(hours=4))
        runtime.collector.collect(context)


WEEKS = {"period1": "2031-10-28..2031-11-03", "period2": "2031-11-04..2031-11-10"}


def test_two_ranges_are_compared_device_by_device(api: Api, lived: None) -> None:
    told = api.data(COMPARE, query_string=WEEKS)

    for name, text in WEEKS.items():
        first, last = text.split("..")
        history = api.data(f"{BASE}/history", query_string={"startDate": first, "endDate": last})
        assert {key: told[name][key] for key in history["totals"]} == history["totals"], name
        assert (told[name]["quality"], told[name]["reasons"]) == (history["quality"], history["reasons"])
        assert told[name]["coverage"] == pytest.approx(1, abs=0.05)
    assert told["changeBytes"] == told["period2"]["totalBytes"] - told["period1"]["totalBytes"]
    assert told["changeBytes"] == sum(part["totalBytes"] for part in told["parts"])
    assert told["changePercent"] == round(100 * told["changeBytes"] / told["period1"]["totalBytes"], 1)
    assert told["message"].startswith(f"{abs(told['changeBytes']) / 1e3:.1f} kB ")
    laptop = next(device for device in told["devices"] if device["mac"] == LAPTOP)
    assert (laptop["changePercent"], laptop["period1"]["totalBytes"]) == (None, 0)
    assert {device["name"] for device in told["devices"]} == {"客厅", LAPTOP, TV}


def test_two_ranges_are_compared_protocol_by_protocol(api: Api, lived: None) -> None:
    told = api.data(COMPARE, query_string={"period1": "2031-11-03", "period2": "2031-11-09"})

    for name, day in (("period1", "2031-11-03"), ("period2", "2031-11-09")):
        used = api.data(f"{BASE}/protocols", query_string={"startDate": day, "endDate": day})["protocols"]
        assert {one["name"]: one[name]["totalBytes"] for one in told["protocols"]} == {
            one["name"]: one["totalBytes"] for one in used
        }
    for device in told["devices"]:
        assert sum(one["changeBytes"] for one in device["protocols"]) == device["changeBytes"]
        assert sum(one["period2Bytes"] for one in device["protocols"]) == device["period2"]["totalBytes"]
    for part in told["parts"]:
        assert sum(one["totalBytes"] for one in part["protocols"]) == part["totalBytes"]
        assert part["message"].startswith(part["name"])


def test_devices_come_in_pages_and_the_sums_stay(api: Api, lived: None) -> None:
    whole = api.data(COMPARE, query_string=WEEKS)
    pages = [api.body(COMPARE, query_string=WEEKS | {"page": page, "pageSize": 2}) for page in (1, 2, 3)]

    assert [len(page["data"]["devices"]) for page in pages] == [2, 1, 0]
    assert [device for page in pages for device in page["data"]["devices"]] == whole["devices"]
    assert pages[0]["metadata"]["pagination"] == {"page": 1, "pageSize": 2, "totalItems": 3, "totalPages": 2}
    for page in pages:
        assert page["data"] | {"devices": []} == whole | {"devices": []}


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ({}, {"period1": "last-week", "period2": "this-week"}),
        ({"period": "day"}, {"period1": "yesterday", "period2": "2031-11-10"}),
        ({"period": "week"}, {"period1": "last-week", "period2": "2031-W46"}),
        ({"period": "month"}, {"period1": "last-month", "period2": "this-month"}),
    ],
)
def test_a_period_is_compared_with_the_one_before(
    api: Api, lived: None, query: dict[str, str], same: dict[str, str]
) -> None:
    told = api.data(COMPARE, query_string=query)
    assert (told["period2"]["end"], told["period2"]["extent"]) == ("2031-11-10T19:00:00Z", "running")
    assert told["period1"]["extent"] == "same_point"
    assert told == api.data(COMPARE, query_string=same)


def test_what_nobody_observed_is_null(api: Api, lived: None) -> None:
    told = api.data(COMPARE, query_string={"period1": "2031-01-01..2031-01-07", "period2": "2031-W45"})
    assert (told["period1"]["totalBytes"], told["period1"]["coverage"]) == (None, 0)
    assert (told["changeBytes"], told["changePercent"], told["parts"]) == (None, None, [])
    assert (told["newDevices"], told["goneDevices"]) == (None, None)
    assert told["period2"]["totalBytes"] > 0
    assert [warning["code"] for warning in told["warnings"]] == ["NOT_OBSERVED"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"period1": "2031-11-01"}, "period2"),
        ({"period2": "2031-11-01"}, "period1"),
        ({"period": "week", "period1": "2031-11-01"}, "period"),
        ({"period": "week", "period1": "2031-11-01", "period2": "2031-11-02"}, "period"),
        ({"period": "year"}, "period"),
        ({"period1": "tomorrow", "period2": "today"}, "period1"),
        ({"period1": "2031-11-02..2031-11-01", "period2": "today"}, "period1"),
        ({"period1": "today", "period2": "2035-01"}, "period2"),
        ({"period1": "2025-01-01..2031-01-01", "period2": "today"}, "period1"),
        ({"period1": "today", "period2": ""}, "period2"),
        ({"from": "2031-11-01"}, "from"),
        ({"page": "0"}, "page"),
    ],
)
def test_what_can_not_be_compared_names_what_is_wrong(
    api: Api, context: RouterContext, query: dict[str, str], field: str
) -> None:
    status, code, details = api.error(COMPARE, query_string=query)
    assert (status, code, set(details)) == (400, "VALIDATION_ERROR", {field})


def test_trends_agree_with_the_summary(api: Api, lived: None) -> None:
    told = api.data(TRENDS, query_string={"period": "30days"})
    summary = api.data(f"{BASE}/summary", query_string={"period": "30days"})
    assert told["usageTrends"] == summary["usageTrends"]
    phone = next(device for device in told["devices"] if device["mac"] == PHONE)
    assert (phone["direction"], phone["name"]) == ("increasing", "客厅")
    assert phone["changePercent"] > 25
    assert len(phone["values"]) == len(told["days"]) == 29
    assert phone["values"][0] is None
    assert phone["values"][-1] > 0
    assert told["days"][0]["coverage"] == 0
    total = told["total"]
    assert total["direction"] == "increasing"
    assert 0.995 <= total["confidence"] <= 1
    assert total["changeRange"]["low"] <= total["changePercent"] <= total["changeRange"]["high"]
    history = api.data(f"{BASE}/history", query_string={"startDate": "2031-10-28", "endDate": "2031-11-09"})
    assert total["values"][-13:] == [bucket["totalBytes"] for bucket in history["buckets"]]
    for tendency in (total, phone):
        assert (len(tendency["hourProfile"]["bytes"]), len(tendency["weekdayProfile"]["bytes"])) == (24, 7)
        month = tendency["month"]
        assert month["used"] <= month["low"] <= month["projected"] <= month["high"]
    assert (told["month"]["start"], told["month"]["end"]) == ("2031-11-01", "2031-11-30")


def test_trends_come_in_pages(api: Api, lived: None) -> None:
    answer = api.client.get(TRENDS, query_string={"period": "30days", "page": 2, "pageSize": 1})
    everything = api.data(TRENDS, query_string={"period": "30days"})
    assert answer.json["metadata"]["pagination"] == {"page": 2, "pageSize": 1, "totalItems": 3, "totalPages": 3}
    assert answer.json["data"] == everything | {"devices": everything["devices"][1:2]}
    assert api.error(TRENDS, query_string={"pageSize": 501})[2].keys() == {"pageSize"}


def test_with_too_few_days_a_trend_has_no_direction(api: Api, context: RouterContext, runtime: Runtime) -> None:
    told = api.data(TRENDS)
    assert told["devices"] == []
    assert (told["total"]["direction"], told["total"]["changeRange"]) == (None, None)
    assert told["total"]["reason"] == "not enough data: 0 of 6 days known, 6 are needed"
    assert told["total"]["month"]["projected"] is None
    assert set(told["total"]["hourProfile"]["bytes"]) == {None}
    assert api.error(TRENDS, query_string={"period": "5days"})[2].keys() == {"period"}


def test_a_planted_hour_is_found(api: Api, lived: None, context: RouterContext, database: Database) -> None:
    assert api.data(ANOMALIES)["anomalies"] == []
    with database.transaction() as conn:
        execute(
            conn,
            "UPDATE device_usage_hourly SET total_upload = %(up)s WHERE device_mac = %(mac)s AND slot_start = %(at)s",
            {"up": 14_200 * MB, "mac": PHONE, "at": datetime(2031, 11, 7, 2, tzinfo=UTC)},
        )
    told = api.data(ANOMALIES, query_string={"sensitivity": "low"})
    (found,) = told["anomalies"]
    assert (found["mac"], found["name"], found["kind"]) == (PHONE, "客厅", "hours")
    assert (found["at"], found["until"]) == ("2031-11-07T02:00:00Z", "2031-11-07T03:00:00Z")
    assert (found["direction"], found["observed"], found["comparisons"]) == ("up", 14_200 * MB, 8)
    assert found["message"].startswith("14.2 GB up on Friday 03:00; 8 working days before: ")
    assert (told["startDate"], told["endDate"], told["sensitivity"]) == ("2031-11-04", "2031-11-10", "low")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sensitivity": "extreme"}, "sensitivity"),
        ({"mac": "television"}, "mac"),
        ({"startDate": "2031-01-01", "endDate": "2031-11-01"}, "startDate"),
        ({"startDate": "2031-11-02", "endDate": "2031-11-01"}, "startDate"),
    ],
)
def test_a_search_that_means_nothing_is_refused(
    api: Api, context: RouterContext, query: dict[str, str], field: str
) -> None:
    assert api.error(ANOMALIES, query_string=query)[2].keys() == {field}


@pytest.mark.parametrize("path", [COMPARE, ANOMALIES, TRENDS])
def test_a_router_that_was_never_read_has_nothing_to_tell(api: Api, context: RouterContext, path: str) -> None:
    assert "0" not in str(api.data(path).get("changeBytes"))
    assert api.error(path, query_string={"routerId": "unknown"})[:2] == (404, "ROUTER_NOT_FOUND")
