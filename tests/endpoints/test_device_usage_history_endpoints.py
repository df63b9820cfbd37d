"""/api/device-usage/history: buckets in the router's own zone, and null where nothing was observed."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE, RANGE, TRUST, USAGE
from tests.homes import LAPTOP, PHONE, Api

pytestmark = pytest.mark.usefixtures("always_live")

MINUTE = timedelta(minutes=1)


def test_known_traffic_between_two_refreshes_is_in_the_history_to_the_byte(
    used: None, api: Api, context: RouterContext
) -> None:
    hourly = api.data(f"{BASE}/history", query_string={"granularity": "hour", "startDate": "2031-11-11"})
    assert set(hourly) == RANGE | {"devices"}
    assert (hourly["granularity"], hourly["timezone"]) == ("hour", "Europe/Berlin")
    assert (hourly["startDate"], hourly["endDate"]) == ("2031-11-11", "2031-11-11")
    assert hourly["totals"] == {"bytesDown": 2_510, "bytesUp": 320, "totalBytes": 2_830}
    assert len(hourly["buckets"]) == 24
    assert hourly["buckets"][0]["start"] == "2031-11-10T23:00:00Z"
    (seen,) = [bucket for bucket in hourly["buckets"] if bucket["bytesDown"] is not None]
    assert set(seen) == {"start", "end", *USAGE, "coverage", *TRUST}
    assert (seen["start"], seen["end"]) == ("2031-11-11T09:00:00Z", "2031-11-11T10:00:00Z")
    assert (seen["bytesDown"], seen["bytesUp"], seen["totalBytes"], seen["coverage"]) == (2_510, 320, 2_830, 1.0)
    phone, laptop = hourly["devices"]
    assert {"mac", "name", *USAGE, "buckets"} <= set(phone)
    assert (phone["mac"], phone["bytesDown"], phone["bytesUp"]) == (PHONE, 2_500, 300)
    assert (laptop["mac"], laptop["bytesDown"], laptop["bytesUp"]) == (LAPTOP, 10, 20)
    assert [bucket["bytesDown"] for bucket in phone["buckets"] if bucket["bytesDown"] is not None] == [2_500]
    for granularity in ("day", "week", "month"):
        longer = api.data(f"{BASE}/history", query_string={"granularity": granularity})
        assert longer["totals"] == hourly["totals"], granularity
    one = api.data(f"{BASE}/device/{PHONE}/history", query_string={"granularity": "hour"})
    assert set(one) >= RANGE | {"mac", "name"}
    assert "devices" not in one
    assert one["totals"] == {"bytesDown": 2_500, "bytesUp": 300, "totalBytes": 2_800}


def test_without_dates_it_is_the_last_seven_days_by_day_and_null_where_nothing_was_observed(
    used: None, api: Api
) -> None:
    history = api.data(f"{BASE}/history")
    assert (history["granularity"], history["startDate"], history["endDate"]) == ("day", "2031-11-05", "2031-11-11")
    *before, today = history["buckets"]
    assert [(day["bytesDown"], day["bytesUp"], day["totalBytes"], day["coverage"]) for day in before] == [
        (None, None, None, 0.0)
    ] * 6
    assert today["totalBytes"] == 2_830
    assert 0 < today["coverage"] < 0.01
    assert history["devices"][0]["buckets"][0] == {"bytesDown": None, "bytesUp": None, "totalBytes": None}


def test_an_observed_hour_without_usage_is_zero_not_null(
    api: Api, router: SimulatedRouter, read: Any, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=1)
    read(timedelta(0))
    read(60 * MINUTE)
    router.traffic(PHONE, rx=5)
    read(60 * MINUTE)
    history = api.data(f"{BASE}/history", query_string={"granularity": "hour", "startDate": "2031-11-11"})
    shown = {bucket["start"][11:13]: bucket["bytesDown"] for bucket in history["buckets"]}
    assert (shown["08"], shown["09"], shown["10"], shown["12"]) == (None, 0, 5, None)


@pytest.mark.parametrize(
    ("day", "hours", "first", "last"),
    [
        ("2031-03-30", 23, "2031-03-29T23:00:00Z", "2031-03-30T22:00:00Z"),
        ("2031-10-26", 25, "2031-10-25T22:00:00Z", "2031-10-26T23:00:00Z"),
        ("2031-11-11", 24, "2031-11-10T23:00:00Z", "2031-11-11T23:00:00Z"),
    ],
)
def test_a_day_has_as_many_hours_as_the_routers_zone_gives_it(
    used: None, api: Api, day: str, hours: int, first: str, last: str
) -> None:
    query = {"granularity": "hour", "startDate": day, "endDate": day}
    buckets = api.data(f"{BASE}/history", query_string=query)["buckets"]
    assert (len(buckets), buckets[0]["start"], buckets[-1]["end"]) == (hours, first, last)
    assert all(one["end"] == other["start"] for one, other in pairwise(buckets))


def test_weeks_begin_on_monday_and_months_on_the_first_cut_to_the_range(used: None, api: Api) -> None:
    query = {"startDate": "2031-10-30", "endDate": "2031-11-11"}
    weeks = api.data(f"{BASE}/history", query_string={**query, "granularity": "week"})["buckets"]
    assert [bucket["start"][:10] for bucket in weeks] == ["2031-10-29", "2031-11-02", "2031-11-09"]
    months = api.data(f"{BASE}/history", query_string={**query, "granularity": "month"})["buckets"]
    assert [(bucket["start"], bucket["end"]) for bucket in months] == [
        ("2031-10-29T23:00:00Z", "2031-10-31T23:00:00Z"),
        ("2031-10-31T23:00:00Z", "2031-11-11T23:00:00Z"),
    ]


@pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
def test_a_range_has_a_limit_that_names_itself(used: None, api: Api, granularity: str) -> None:
    longest = {"hour": 62, "day": 1_100, "week": 3_700, "month": 3_700}[granularity]
    end = date(2031, 11, 11)
    start = end - timedelta(days=longest - 1)
    query = {"granularity": granularity, "startDate": start.isoformat(), "endDate": end.isoformat()}
    assert api.data(f"{BASE}/history", query_string=query)["startDate"] == start.isoformat()
    query["startDate"] = (start - timedelta(days=1)).isoformat()
    for path in ("history", f"device/{PHONE}/history"):
        status, code, details = api.error(f"{BASE}/{path}", query_string=query)
        assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["startDate"])
        assert f"{longest:,}" in str(details)


def test_a_history_of_many_devices_is_paged_and_its_totals_are_of_all(
    api: Api, router: SimulatedRouter, read: Any
) -> None:
    read()
    for number in range(7):
        router.traffic(f"00:11:32:00:00:0{number}", rx=1_000 * (number + 1), tx=1)
    read()
    body = api.body(f"{BASE}/history", query_string={"pageSize": 3, "page": 2})
    assert [device["bytesDown"] for device in body["data"]["devices"]] == [4_000, 3_000, 2_000]
    assert body["data"]["totals"]["bytesDown"] == 28_000
    assert body["metadata"]["pagination"] == {"page": 2, "pageSize": 3, "totalItems": 7, "totalPages": 3}


def test_the_future_is_shown_as_not_observed(used: None, api: Api) -> None:
    history = api.data(f"{BASE}/history", query_string={"startDate": "2031-11-11", "endDate": "2031-11-13"})
    assert [bucket["bytesDown"] for bucket in history["buckets"]] == [2_510, None, None]
