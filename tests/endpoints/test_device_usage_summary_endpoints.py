"""/api/device-usage/summary and status: usage at a glance, and how well it is being observed."""

from typing import Any

import pytest

from services.context import RouterContext
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE
from tests.homes import LAPTOP, PHONE, Api

pytestmark = pytest.mark.usefixtures("always_live")


@pytest.mark.parametrize("period", ["24hours", "7days", "30days", "month"])
def test_a_summary_has_totals_top_devices_and_trends(used: None, api: Api, period: str) -> None:
    summary = api.data(f"{BASE}/summary", query_string={"period": period})
    assert set(summary) >= {"period", "totalUsage", "averageDaily", "topDevices", "usageTrends", "coverage"}
    assert (summary["period"], summary["totalUsage"], summary["averageDaily"]) == (period, 2_830, 2_830)
    assert set(summary["usageTrends"]) == {"increasing", "stable", "decreasing"}
    assert summary["topDevices"] == [
        {"mac": PHONE, "name": "Annas-iPhone", "usage": 2_800, "percentage": 98.9},
        {"mac": LAPTOP, "name": "desktop-büro", "usage": 30, "percentage": 1.1},
    ]
    assert len(api.data(f"{BASE}/summary", query_string={"period": period, "top": 1})["topDevices"]) == 1


def test_a_summary_of_nothing_observed_has_no_numbers(context: RouterContext, api: Api) -> None:
    summary = api.data(f"{BASE}/summary")
    assert (summary["totalUsage"], summary["averageDaily"], summary["topDevices"], summary["coverage"]) == (
        *(None, None, [], 0.0),
    )


def test_the_status_before_and_after_the_first_readings(
    api: Api, context: RouterContext, router: SimulatedRouter, read: Any
) -> None:
    before = api.data(f"{BASE}/status")
    assert set(before) >= {"collector", "router", "nlbwmon", "storage", "coverage24h", "warnings"}
    assert set(before["collector"]) == {"running", "intervalMinutes", "nextRunAt"}
    assert set(before["router"]) == {"reachable", "lastSuccessAt", "lastError", "consecutiveFailures"}
    assert before["nlbwmon"] == {"running": None, "databaseInterval": None, "lastCommit": None}
    assert before["storage"] == {"snapshots": 0, "oldest": None, "newest": None}
    assert [warning["code"] for warning in before["warnings"]] == ["NO_READING_YET"]
    router.traffic(PHONE, rx=1)
    read()
    read()
    after = api.data(f"{BASE}/status")
    assert (after["router"]["reachable"], after["router"]["lastSuccessAt"]) == (True, "2031-11-11T09:10:00Z")
    assert after["nlbwmon"] == {"running": True, "databaseInterval": "1", "lastCommit": None}
    assert after["storage"] == {
        "snapshots": 2,
        "oldest": "2031-11-11T09:05:00Z",
        "newest": "2031-11-11T09:10:00Z",
    }
    assert after["coverage24h"] == pytest.approx(5 / (24 * 60))
    assert after["warnings"] == []
    router.commit()
    read()
    assert api.data(f"{BASE}/status")["nlbwmon"]["lastCommit"] == "2031-11-11T09:10:00Z"
