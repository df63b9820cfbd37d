"""/api/device-usage/…/protocols: by protocol and family, in pages, over the range that a history would have."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.context import RouterContext
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE, TRUST, USAGE
from tests.homes import LAPTOP, PHONE, Api

RANGE = {"timezone", "startDate", "endDate", "totals", "coverage", *TRUST, "families", "protocols"}


def test_usage_is_told_by_protocol_those_used_most_first(used: None, api: Api) -> None:
    usage = api.data(f"{BASE}/protocols")
    assert set(usage) == RANGE
    assert (usage["timezone"], usage["startDate"], usage["endDate"]) == ("Europe/Berlin", "2031-11-05", "2031-11-11")
    assert usage["protocols"] == [
        {"name": "HTTPS", "bytesDown": 2_500, "bytesUp": 300, "totalBytes": 2_800, "percentage": 98.9, "devices": 1},
        {"name": "DNS", "bytesDown": 10, "bytesUp": 20, "totalBytes": 30, "percentage": 1.1, "devices": 1},
    ]
    assert usage["families"] == {
        "ipv4": {"bytesDown": 2_010, "bytesUp": 120, "totalBytes": 2_130, "percentage": 75.3},
        "ipv6": {"bytesDown": 500, "bytesUp": 200, "totalBytes": 700, "percentage": 24.7},
        "unknown": {"bytesDown": 0, "bytesUp": 0, "totalBytes": 0, "percentage": 0.0},
    }


def test_one_devices_usage_is_told_in_the_same_way(used: None, api: Api) -> None:
    usage = api.data(f"{BASE}/device/{PHONE.upper().replace(':', '-')}/protocols")
    assert set(usage) == RANGE | {"mac", "name"}
    assert (usage["mac"], usage["name"]) == (PHONE, "Annas-iPhone")
    assert usage["protocols"] == [
        {"name": "HTTPS", "bytesDown": 2_500, "bytesUp": 300, "totalBytes": 2_800, "percentage": 100.0}
    ]
    assert usage["families"]["ipv6"] == {"bytesDown": 500, "bytesUp": 200, "totalBytes": 700, "percentage": 25.0}


@pytest.mark.parametrize("path", ["{}", "device/" + PHONE + "/{}"])
@pytest.mark.parametrize(
    "query", [{}, {"startDate": "2031-11-11"}, {"endDate": "2031-11-10"}, {"endDate": "2031-11-13"}]
)
def test_range_totals_and_coverage_are_those_of_the_history(
    used: None, api: Api, path: str, query: dict[str, str]
) -> None:
    usage = api.data(f"{BASE}/{path.format('protocols')}", query_string=query)
    history = api.data(f"{BASE}/{path.format('history')}", query_string=query)
    for name in RANGE - {"families", "protocols"}:
        assert usage[name] == history[name], name


def test_what_was_not_observed_is_null_not_zero(used: None, api: Api) -> None:
    usage = api.data(f"{BASE}/protocols", query_string={"startDate": "2031-10-01", "endDate": "2031-10-02"})
    nothing = dict.fromkeys(USAGE)
    assert (usage["totals"], usage["coverage"], usage["protocols"]) == (nothing, 0.0, [])
    assert set(usage["families"]) == {"ipv4", "ipv6", "unknown"}
    assert all(family == {**nothing, "percentage": None} for family in usage["families"].values())


def test_protocols_are_paged_and_totals_and_families_are_of_all(api: Api, router: SimulatedRouter, read: Any) -> None:
    read()
    for number, port in enumerate((22, 53, 80, 443, 993)):
        router.traffic(PHONE, rx=1_000 * (number + 1), port=port)
    read()
    for path in ("protocols", f"device/{PHONE}/protocols"):
        body = api.body(f"{BASE}/{path}", query_string={"pageSize": 2, "page": 2})
        assert [protocol["bytesDown"] for protocol in body["data"]["protocols"]] == [3_000, 2_000]
        assert body["data"]["totals"]["bytesDown"] == body["data"]["families"]["ipv4"]["bytesDown"] == 15_000
        assert body["metadata"]["pagination"] == {"page": 2, "pageSize": 2, "totalItems": 5, "totalPages": 3}
        assert api.data(f"{BASE}/{path}", query_string={"page": 9})["protocols"] == []


@pytest.mark.parametrize("path", ["protocols", f"device/{PHONE}/protocols"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"startDate": "yesterday"}, "startDate"),
        ({"endDate": "2031-13-01"}, "endDate"),
        ({"startDate": "2031-11-11", "endDate": "2031-11-10"}, "startDate"),
        ({"granularity": "day"}, "granularity"),
        ({"page": "0"}, "page"),
        ({"pageSize": "501"}, "pageSize"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    used: None, api: Api, path: str, query: dict[str, str], field: str
) -> None:
    status, code, details = api.error(f"{BASE}/{path}", query_string=query)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])


def test_a_range_has_a_limit_that_names_itself(used: None, api: Api) -> None:
    end = date(2031, 11, 11)
    query = {"startDate": (end - timedelta(days=1_099)).isoformat(), "endDate": end.isoformat()}
    assert api.data(f"{BASE}/protocols", query_string=query)["startDate"] == query["startDate"]
    query["startDate"] = (end - timedelta(days=1_100)).isoformat()
    for path in ("protocols", f"device/{PHONE}/protocols"):
        status, code, details = api.error(f"{BASE}/{path}", query_string=query)
        assert (status, code) == (400, "VALIDATION_ERROR")
        assert details == {"startDate": ["startDate to endDate may be at most 1,100 days"]}


def test_a_mac_has_to_be_one_that_the_router_knows(used: None, api: Api) -> None:
    assert api.error(f"{BASE}/device/nobody/protocols")[:2] == (400, "VALIDATION_ERROR")
    assert api.error(f"{BASE}/device/02:00:00:00:00:09/protocols")[:2] == (404, "DEVICE_NOT_FOUND")
    assert api.data(f"{BASE}/device/00:00:00:00:00:00/protocols")["name"] == "Unresolved hosts"
    assert api.data(f"{BASE}/device/{LAPTOP}/protocols")["totals"]["totalBytes"] == 30


def test_a_router_has_to_be_chosen(api: Api, context: RouterContext) -> None:
    query = {"routerId": "another"}
    assert api.error(f"{BASE}/protocols", query_string=query)[:2] == (404, "ROUTER_NOT_FOUND")
    assert api.data(f"{BASE}/protocols", headers={"X-Router-Id": context.router_id})["protocols"] == []
