"""/api/device-usage/report as a client meets it."""

from datetime import timedelta
from typing import Any

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, Api

BASE = "/api/device-usage"
GENERATE = f"{BASE}/report/generate"


@pytest.fixture
def lived(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Three days, a reading every two hours."""
    router.add_host(PHONE, "192.168.1.2", "phone")
    runtime.collector.collect(context)
    for _ in range(36):
        router.traffic(PHONE, rx=3_000_000, tx=1_000)
        router.traffic(LAPTOP, rx=1_000_000, tx=1_000)
        clock.advance(timedelta(hours=2))
        runtime.collector.collect(context)


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_report_agrees_with_the_history_of_its_days(api: Api, lived: None, period: str) -> None:
    report = api.data(GENERATE, "POST", json={"period": period, "format": "json"})
    start = {"day": "2031-11-14", "week": "2031-11-08", "month": "2031-10-15"}[period]
    history = api.data(f"{BASE}/history", query_string={"startDate": start, "endDate": "2031-11-14"})
    assert {key: report["usage"][key] for key in history["totals"]} == history["totals"]
    assert report["usage"]["coverage"] == pytest.approx(history["coverage"])
    assert [device["name"] for device in report["topDevices"]] == ["phone", LAPTOP]
    assert sum(device["percentage"] for device in report["topDevices"]) == pytest.approx(100, abs=0.2)
    assert report["comparison"]["period2"] == report["usage"]
    assert report["highlights"][0].startswith(f"{history['totals']['totalBytes'] / 10**6:.1f} MB were used")
    assert report["period"] == period
    assert report["anomalies"] == []


def test_a_report_on_a_past_day_is_on_the_whole_of_it(api: Api, lived: None) -> None:
    report = api.data(GENERATE, "POST", json={"period": "day", "endDate": "2031-11-13"})
    assert (report["usage"]["start"], report["usage"]["end"]) == ("2031-11-12T23:00:00Z", "2031-11-13T23:00:00Z")
    assert report["comparison"]["changePercent"] == 0


def test_a_report_without_a_reading_says_so_and_has_no_zero(api: Api, context: RouterContext) -> None:
    report = api.data(GENERATE, "POST", json={"period": "week"})
    assert report["usage"]["totalBytes"] is None
    assert report["comparison"]["changeBytes"] is None
    assert report["highlights"] == ["Nothing of this period was observed."]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "period"),
        ({"period": "year"}, "period"),
        ({"period": None}, "period"),
        ({"period": "day", "format": "docx"}, "format"),
        ({"period": "day", "endDate": "2031-11-12"}, "endDate"),
        ({"period": "day", "endDate": "soon"}, "endDate"),
        ({"period": "day", "pages": 3}, "pages"),
    ],
)
def test_a_report_that_can_not_be_made_names_why(
    api: Api, context: RouterContext, body: dict[str, Any], field: str
) -> None:
    status, code, details = api.error(GENERATE, "POST", json=body)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])


def test_the_document_shows_the_downloads_and_the_report(api: Api) -> None:
    paths = api.client.get("/openapi.json").get_json()["paths"]
    assert "text/csv" in paths[f"{BASE}/export/csv"]["get"]["responses"]["200"]["content"]
    assert "application/json" in paths[f"{BASE}/export/json"]["get"]["responses"]["200"]["content"]
    assert "application/json" in paths[GENERATE]["post"]["requestBody"]["content"]
    assert {f"{BASE}/analytics/{name}" for name in ("trends", "anomalies", "compare")} <= paths.keys()
