"""/api/device-usage/devices and device/<mac>/info: who is on the network, listed, searched and one by one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE, DEVICE
from tests.homes import PHONE, Api

pytestmark = pytest.mark.usefixtures("always_live")


def test_devices_are_listed_with_everything_that_is_known_of_them(used: None, api: Api, context: RouterContext) -> None:
    body = api.body(f"{BASE}/devices")
    assert set(body["data"]) >= {"devices", "totalDevices", "activeDevices"}
    assert body["metadata"]["routerId"] == context.router_id
    assert body["metadata"]["pagination"] == {"page": 1, "pageSize": 50, "totalItems": 2, "totalPages": 1}
    assert (body["data"]["totalDevices"], body["data"]["activeDevices"]) == (2, 2)
    phone, laptop = body["data"]["devices"]
    assert set(phone) >= DEVICE
    assert (phone["mac"], phone["name"], phone["ip"]) == (PHONE, "Annas-iPhone", "192.168.1.2")
    assert phone["ips"] == ["192.168.1.2", "fd00:1::5172"]
    assert (phone["firstSeen"], phone["lastSeen"]) == ("2031-11-11T09:00:00Z", "2031-11-11T09:05:00Z")
    assert phone["vendor"].startswith("Apple")
    assert (phone["isActive"], phone["isMonitored"], phone["isRouter"], phone["isRandomizedMac"]) == (
        *(True, True, False, False),
    )
    assert (laptop["name"], laptop["ip"]) == ("desktop-büro", "192.168.1.10")


def test_devices_are_paged_filtered_sorted_and_searched(api: Api, router: SimulatedRouter, read: Any) -> None:
    names = ["100%", "a_b", "Küche", "客厅", "zebra"]
    for number, name in enumerate(names):
        router.add_host(f"00:11:32:00:00:0{number}", f"192.168.1.{20 + number}", name, state="STALE")
    read()
    router.traffic("00:11:32:00:00:04", rx=1)
    read()

    def found(**query: object) -> list[str]:
        return [device["name"] for device in api.data(f"{BASE}/devices", query_string=query)["devices"]]

    assert found(sort="mac") == names
    assert found(sort="mac", pageSize=2, page=2) == names[2:4]
    assert found(sort="mac", pageSize=2, page=9) == []
    assert found(active="true") == found(sort="lastSeen", pageSize=1) == ["zebra"]
    assert len(found(active="false")) == 4
    assert (found(search="%"), found(search="_"), found(search="KÜCHE"), found(search="客")) == (
        *(["100%"], ["a_b"], ["Küche"], ["客厅"]),
    )
    assert found(search="00:11:32:00:00:03") == found(search=".23") == ["客厅"]
    assert found(search="00-11-32-00-00-03") == found(search="001132000003") == ["客厅"]
    assert found(search="\\") == found(search="';--") == []
    page = api.body(f"{BASE}/devices", query_string={"pageSize": 2, "search": "e"})["metadata"]["pagination"]
    assert page == {"page": 1, "pageSize": 2, "totalItems": 2, "totalPages": 1}


def test_a_network_without_a_device_is_an_empty_list(api: Api, read: Any) -> None:
    read()
    body = api.body(f"{BASE}/devices")
    assert body["data"]["devices"] == []
    assert body["metadata"]["pagination"]["totalPages"] == 0


def test_one_device_has_its_usage_of_today_a_week_a_month_and_the_period(used: None, api: Api) -> None:
    info = api.data(f"{BASE}/device/{PHONE}/info")
    assert set(info) >= DEVICE | {"usage"}
    assert set(info["usage"]) == {"today", "last7Days", "last30Days", "currentPeriod"}
    lately = {"bytesDown": 2_500, "bytesUp": 300, "totalBytes": 2_800}
    assert info["usage"]["today"] == info["usage"]["last7Days"] == info["usage"]["last30Days"] == lately
    assert info["usage"]["currentPeriod"] == {"bytesDown": 3_500, "bytesUp": 400, "totalBytes": 3_900}


def test_today_ends_at_the_routers_midnight(used: None, api: Api, clock: ManualClock) -> None:
    clock.set(datetime(2031, 11, 11, 22, 59, 59, tzinfo=UTC))
    assert api.data(f"{BASE}/device/{PHONE}/info")["usage"]["today"]["bytesDown"] == 2_500
    clock.set(datetime(2031, 11, 11, 23, 0, tzinfo=UTC))
    usage = api.data(f"{BASE}/device/{PHONE}/info")["usage"]
    assert (usage["today"]["bytesDown"], usage["last7Days"]["bytesDown"]) == (None, 2_500)


@pytest.mark.parametrize("spelling", [PHONE.upper(), PHONE.replace(":", "-"), PHONE.replace(":", ""), PHONE])
@pytest.mark.parametrize("what", ["info", "current", "history"])
def test_a_mac_may_be_spelled_in_three_ways(used: None, api: Api, spelling: str, what: str) -> None:
    assert api.data(f"{BASE}/device/{spelling}/{what}")["mac"] == PHONE


@pytest.mark.parametrize("what", ["info", "current", "history"])
def test_a_mac_that_is_none_names_its_field_and_an_unknown_one_is_not_found(used: None, api: Api, what: str) -> None:
    for rubbish in ("nonsense", "ac:bc:32:8e:51", "ac-bc:32:8e:51:72", "%00", "ac:bc:32:8e:51:72:00", "客厅"):
        status, code, details = api.error(f"{BASE}/device/{rubbish}/{what}")
        assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["mac"])
    assert api.error(f"{BASE}/device/02:00:00:00:00:99/{what}")[:2] == (404, "DEVICE_NOT_FOUND")


def test_of_days_that_nobody_observed_there_is_nothing_to_tell(
    api: Api, context: RouterContext, router: SimulatedRouter
) -> None:
    router.traffic(PHONE, rx=1_000, tx=100)
    api.data(f"{BASE}/refresh", "POST")  # a first reading is a base, and no usage
    usage = api.data(f"{BASE}/device/{PHONE}/info")["usage"]
    assert {usage[name]["totalBytes"] for name in ("today", "last7Days", "last30Days")} == {None}
    assert usage["currentPeriod"]["totalBytes"] == 1_100
