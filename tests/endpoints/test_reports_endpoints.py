"""/api/device-usage/report as a client meets it."""

import io
from datetime import timedelta
from typing import Any

import pypdf
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


def test_a_range_is_held_against_as_many_days_before(api: Api, lived: None) -> None:
    body = {"period": "range", "startDate": "2031-11-13", "endDate": "2031-11-13"}
    report = api.data(GENERATE, "POST", json=body)
    day = api.data(GENERATE, "POST", json={"period": "day", "endDate": "2031-11-13"})
    assert {**report, "period": "day", "madeAt": day["madeAt"]} == day
    longer = api.data(GENERATE, "POST", json={**body, "startDate": "2031-11-12"})
    assert longer["comparison"]["period1"]["start"] == "2031-11-09T23:00:00Z"
    assert longer["comparison"]["period1"]["end"] == longer["comparison"]["period2"]["start"]


def test_it_has_what_its_charts_show(api: Api, lived: None) -> None:
    day = api.data(GENERATE, "POST", json={"period": "day", "endDate": "2031-11-13"})
    assert (day["granularity"], len(day["buckets"]), day["typicalDay"]) == ("hour", 24, [])
    week = api.data(GENERATE, "POST", json={"period": "week"})
    assert (week["granularity"], len(week["buckets"])) == ("day", 7)
    assert sum(bucket["totalBytes"] or 0 for bucket in week["buckets"]) == week["usage"]["totalBytes"]
    assert len(week["typicalDay"]) == 24
    assert (week["startDate"], week["endDate"], week["routerName"]) == ("2031-11-08", "2031-11-14", "Home")


def test_gaps_are_what_nobody_observed(
    api: Api, runtime: Runtime, context: RouterContext, lived: None, clock: ManualClock
) -> None:
    week = {"period": "week"}
    monitoring_began = {"start": "2031-11-07T23:00:00Z", "end": "2031-11-11T09:00:00Z"}
    assert api.data(GENERATE, "POST", json=week)["gaps"] == [monitoring_began]
    clock.advance(timedelta(minutes=7))
    assert api.data(GENERATE, "POST", json=week)["gaps"] == [monitoring_began], "the next reading is no gap yet"
    clock.advance(timedelta(hours=3))
    assert api.data(GENERATE, "POST", json=week)["gaps"][1:] == [
        {"start": "2031-11-14T09:00:00Z", "end": "2031-11-14T12:07:00Z"}
    ]


def test_people_are_there_where_devices_are_somebodys(api: Api, lived: None) -> None:
    body = {"period": "week"}
    assert api.data(GENERATE, "POST", json=body)["people"] == []
    api.data(f"{BASE}/device/{PHONE}", "PUT", json={"person": "Anna"})
    report = api.data(GENERATE, "POST", json=body)
    assert [(one["person"], one["isNobody"]) for one in report["people"]] == [("Anna", False), ("nobody", True)]
    assert report["people"][0]["devices"] == [PHONE]
    assert sum(one["totalBytes"] for one in report["people"]) == report["usage"]["totalBytes"]
    assert "Anna" in pdf_text(api, **body)


def test_merged_devices_are_one_in_it(api: Api, lived: None) -> None:
    api.data(f"{BASE}/device/{LAPTOP}/merge", "POST", json={"into": PHONE})
    report = api.data(GENERATE, "POST", json={"period": "week"})
    assert [(one["mac"], one["percentage"]) for one in report["topDevices"]] == [(PHONE, 100.0)]


# --- as PDF ----------------------------------------------------------------------------------------------


def pdf_text(api: Api, **body: Any) -> str:
    response = api.client.post(GENERATE, json={**body, "format": "pdf"})
    assert response.status_code == 200, response.text
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(response.data)).pages)


def test_the_pdf_is_a_file_under_its_own_name(api: Api, lived: None) -> None:
    response = api.client.post(GENERATE, json={"period": "day", "endDate": "2031-11-13", "format": "pdf"})
    assert response.mimetype == "application/pdf"
    assert response.data.startswith(b"%PDF-")
    name = "netpilot-report_Home_2031-11-13_2031-11-13.pdf"
    assert response.headers["Content-Disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_the_pdf_tells_what_the_json_tells(api: Api, lived: None, period: str) -> None:
    report = api.data(GENERATE, "POST", json={"period": period})
    text = pdf_text(api, period=period)
    for words in (*report["highlights"], "Europe/Berlin", "phone", LAPTOP, "Devices that used most", "Page 1 of"):
        assert words in text
    assert f"{report['usage']['totalBytes']:,} bytes" in text


def test_the_pdf_of_nothing_says_so(api: Api, context: RouterContext) -> None:
    text = pdf_text(api, period="week")
    assert "Nothing was measured in this period." in text
    assert "Not observed" in text


def test_what_is_wrong_is_said_in_the_envelope_whatever_the_format(api: Api, context: RouterContext) -> None:
    wrong = {"period": "day", "format": "pdf", "endDate": "2031-11-12"}
    assert api.error(GENERATE, "POST", json=wrong)[:2] == (400, "VALIDATION_ERROR")


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
        ({"period": "range", "startDate": "2031-11-01"}, "endDate"),
        ({"period": "range", "endDate": "2031-11-01"}, "startDate"),
        ({"period": "range", "startDate": "2031-11-02", "endDate": "2031-11-01"}, "startDate"),
        ({"period": "range", "startDate": "2020-11-02", "endDate": "2031-11-01"}, "startDate"),
        ({"period": "range", "startDate": "2031-11-01", "endDate": "2031-11-12"}, "endDate"),
        ({"period": "week", "startDate": "2031-11-01"}, "startDate"),
    ],
)
def test_a_report_that_can_not_be_made_names_why(
    api: Api, context: RouterContext, body: dict[str, Any], field: str
) -> None:
    status, code, details = api.error(GENERATE, "POST", json=body)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])
    assert field in api.client.post(GENERATE, json=body).get_json()["error"]["message"]


def test_the_document_shows_the_downloads_and_the_report(api: Api) -> None:
    paths = api.client.get("/openapi.json").get_json()["paths"]
    assert "text/csv" in paths[f"{BASE}/export/csv"]["get"]["responses"]["200"]["content"]
    assert "application/json" in paths[f"{BASE}/export/json"]["get"]["responses"]["200"]["content"]
    assert "application/json" in paths[GENERATE]["post"]["requestBody"]["content"]
    assert {f"{BASE}/analytics/{name}" for name in ("trends", "anomalies", "compare")} <= paths.keys()
