"""/api/device-usage as a client meets it, in front of a router behind real SSH."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router, typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import BOB, LAPTOP, PHONE, START, TV, Api, TickingClock, register, serving
from utils.mac import ZERO_MAC

BASE = "/api/device-usage"
MINUTE = timedelta(minutes=1)

USAGE = {"bytesDown", "bytesUp", "totalBytes"}
DEVICE = {
    *("mac", "name", "ip", "ips", "isActive", "lastSeen", "firstSeen", "vendor", "category"),
    *("isRandomizedMac", "isRouter", "isMonitored"),
}
NOW = {"timestamp", "source", "stale", "period"}
CURRENT_DEVICE = {"mac", "name", *USAGE, "rateDown", "rateUp"}
RANGE = {"granularity", "timezone", "startDate", "endDate", "totals", "coverage", "buckets"}


@pytest.fixture(autouse=True)
def always_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of /current are shared for 5 s of real time; most tests want one of their own each time."""
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)


@pytest.fixture
def read(context: RouterContext, api: Api, clock: ManualClock) -> Callable[..., Any]:
    """Lets time pass and refreshes: read(5 * MINUTE)."""

    def refresh(after: timedelta = 5 * MINUTE) -> Any:
        clock.advance(after)
        return api.data(f"{BASE}/refresh", "POST")

    return refresh


@pytest.fixture
def used(read: Callable[..., Any], router: SimulatedRouter) -> None:
    """Two readings: the phone used 2,500 bytes down and 300 up, the laptop 10 and 20, over IPv6 and v4."""
    router.add_host(PHONE, "192.168.1.2", "Annas-iPhone")
    router.add_host(LAPTOP, "192.168.1.10", "desktop-büro")
    router.traffic(PHONE, rx=1_000, tx=100)
    read(timedelta(0))
    router.traffic(PHONE, rx=2_000, tx=100)
    router.traffic(PHONE, rx=500, tx=200, family=6)
    router.traffic(LAPTOP, rx=10, tx=20, proto="UDP", port=53)
    read()


# --- devices ---------------------------------------------------------------------------------------------


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
    assert (usage["today"]["bytesDown"], usage["last7Days"]["bytesDown"]) == (0, 2_500)


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


# --- now -------------------------------------------------------------------------------------------------


def test_current_shows_the_periods_totals_and_the_rates_of_the_last_interval(
    used: None, api: Api, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=7_500, tx=750)
    clock.advance(MINUTE)
    current = api.data(f"{BASE}/current")
    assert set(current) >= NOW | {"devices", "totalBandwidth"}
    assert (current["timestamp"], current["source"], current["stale"]) == ("2031-11-11T09:06:00Z", "live", False)
    assert current["period"] == {"start": "2031-11-01", "end": "2031-11-30"}
    phone, laptop = current["devices"]
    assert set(phone) >= CURRENT_DEVICE
    assert (phone["mac"], phone["name"]) == (PHONE, "Annas-iPhone")
    assert (phone["bytesDown"], phone["bytesUp"], phone["totalBytes"]) == (11_000, 1_150, 12_150)
    assert (phone["rateDown"], phone["rateUp"]) == (1_000, 100), "7,500 bytes in a minute"
    assert (laptop["rateDown"], laptop["totalBytes"]) == (0, 30)
    assert current["totalBandwidth"] == {"download": 11_010, "upload": 1_170, "total": 12_180}


def test_current_stores_nothing(used: None, api: Api, router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(PHONE, rx=100)
    clock.advance(MINUTE)
    api.data(f"{BASE}/current")
    assert api.data(f"{BASE}/history")["totals"]["bytesDown"] == 2_510
    assert api.data(f"{BASE}/status")["storage"]["newest"] == "2031-11-11T09:05:00Z"


def test_before_the_second_reading_there_are_totals_but_no_rates(
    api: Api, context: RouterContext, router: SimulatedRouter
) -> None:
    router.traffic(PHONE, rx=5, tx=6)
    (phone,) = api.data(f"{BASE}/current")["devices"]
    assert (phone["bytesDown"], phone["rateDown"], phone["rateUp"]) == (5, None, None)


def test_one_devices_current_usage_has_its_protocols(used: None, api: Api, router: SimulatedRouter) -> None:
    router.traffic(PHONE, rx=9_000, tx=1, proto="UDP", port=9_999, conns=3)
    current = api.data(f"{BASE}/device/{PHONE}/current")
    assert set(current) >= NOW | CURRENT_DEVICE | {"protocols"}
    assert current["bytesDown"] == 12_500
    for protocol in current["protocols"]:
        assert set(protocol) == {"name", "bytesDown", "bytesUp", "connections"}
    assert [(one["name"], one["bytesDown"], one["connections"]) for one in current["protocols"]] == [
        ("other", 9_000, 3),
        ("HTTPS", 3_500, 3),
    ]
    assert sum(protocol["bytesUp"] for protocol in current["protocols"]) == current["bytesUp"]


def test_a_device_without_traffic_is_at_zero(api: Api, router: SimulatedRouter, read: Any) -> None:
    router.add_host(TV, "192.168.1.3", "Samsung-TV")
    read()
    read()  # from the second reading on something is observed
    current = api.data(f"{BASE}/device/{TV}/current")
    assert (current["name"], current["totalBytes"], current["protocols"]) == ("Samsung-TV", 0, [])
    assert api.data(f"{BASE}/device/{TV}/info")["usage"]["today"]["totalBytes"] == 0
    assert api.data(f"{BASE}/device/{TV}/history")["totals"]["totalBytes"] == 0


def test_a_live_reading_is_shared_for_a_while(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.6)
    runtime = make_runtime()
    register(runtime, hosted)
    api = Api(create_app(runtime).test_client())
    asked = hosted.stats.commands
    for _ in range(5):
        api.data(f"{BASE}/current")
    assert hosted.stats.commands == asked + 1
    threading.Event().wait(0.7)
    api.data(f"{BASE}/current")
    assert hosted.stats.commands == asked + 2


def test_a_router_that_can_not_be_read_shows_the_last_reading_marked_stale(
    used: None, api: Api, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(refuse=True)
    router.traffic(PHONE, rx=1_000_000)
    clock.advance(60 * MINUTE)
    current = api.data(f"{BASE}/current")
    assert (current["timestamp"], current["source"], current["stale"]) == ("2031-11-11T09:05:00Z", "stored", True)
    assert set(current["warning"]) == {"code", "message"}
    assert current["warning"]["code"] == "ROUTER_UNREACHABLE"
    phone, _ = current["devices"]
    assert (phone["bytesDown"], phone["bytesUp"]) == (3_500, 400)
    assert phone["rateDown"] == 2_500 * 8 // 300
    assert current["totalBandwidth"]["total"] == 3_930
    device = api.data(f"{BASE}/device/{PHONE}/current")
    assert (device["stale"], device["bytesDown"]) == (True, 3_500)
    assert device["protocols"][0]["bytesDown"] == 3_500


def test_counters_above_the_databases_range_are_exact_live_and_stored(
    api: Api, router: SimulatedRouter, hosted: HostedRouter, read: Any
) -> None:
    router.traffic(PHONE, rx=2**63 + 12_345, tx=2**64 - 1)
    router.traffic(LAPTOP, rx=2**53 + 1, tx=7)
    read()
    read()
    live = api.data(f"{BASE}/current")["devices"]
    assert {one["mac"]: (one["bytesDown"], one["bytesUp"]) for one in live} == {
        PHONE: (2**63 + 12_345, 2**64 - 1),
        LAPTOP: (2**53 + 1, 7),
    }
    hosted.faults = Faults(refuse=True)
    current = api.data(f"{BASE}/current")
    assert current["stale"] is True
    assert [device["totalBytes"] for device in current["devices"]] == [device["totalBytes"] for device in live]
    assert api.data(f"{BASE}/device/{PHONE}/info")["usage"]["currentPeriod"]["bytesUp"] == 2**64 - 1


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        (Faults(refuse=True), 502, "ROUTER_UNREACHABLE"),
        (Faults(refuse_auth=True), 502, "ROUTER_AUTH_FAILED"),
        (Faults(other_host_key=True), 502, "HOST_KEY_CHANGED"),
        (Faults(exit_status=1), 502, "BAD_ROUTER_OUTPUT"),
        (Faults(hang=True), 504, "ROUTER_TIMEOUT"),
    ],
    ids=["refuse", "auth", "key", "status", "hang"],
)
def test_with_nothing_stored_it_says_why_the_router_can_not_be_read(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, faults: Faults, status: int, code: str
) -> None:
    runtime = make_runtime(router_command_timeout_s=0.5)
    register(runtime, hosted)
    hosted.drop_connections()
    hosted.faults = faults
    api = Api(create_app(runtime).test_client())
    assert api.error(f"{BASE}/current")[:2] == (status, code)
    assert api.error(f"{BASE}/refresh", "POST")[:2] == (status, code)
    last = api.data(f"{BASE}/status")["router"]
    answered = code not in ("ROUTER_UNREACHABLE", "ROUTER_TIMEOUT")
    assert (last["reachable"], last["lastError"]["code"]) == (answered, code)
    assert "secret" not in str(last)


def test_unresolved_hosts_and_the_router_are_marked(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock
) -> None:
    home = typical_home(start=START - timedelta(days=4), clock=clock)
    runtime = make_runtime()
    register(runtime, ssh.add(home))
    api = Api(create_app(runtime).test_client())
    api.data(f"{BASE}/refresh", "POST")
    macs = {device["mac"] for device in api.data(f"{BASE}/current")["devices"]}
    assert ZERO_MAC in macs
    devices = api.data(f"{BASE}/devices")["devices"]
    assert ZERO_MAC not in {device["mac"] for device in devices}
    assert [device["mac"] for device in devices if device["isRouter"]] == [home.board.mac]
    assert [device["name"] for device in devices if device["isRandomizedMac"]] == ["Pixel-von-Jürgen"]


# --- refreshing ------------------------------------------------------------------------------------------


def test_refreshing_says_what_it_brought(router: SimulatedRouter, read: Any) -> None:
    router.traffic(PHONE, rx=1, tx=2)
    first = read()
    assert set(first) >= {"timestamp", "devices", "newDevices", "bytesDown", "bytesUp", "durationMs"}
    assert (first["timestamp"], first["devices"], first["newDevices"]) == ("2031-11-11T09:05:00Z", 1, [PHONE])
    assert (first["bytesDown"], first["bytesUp"]) == (0, 0)
    router.traffic(LAPTOP, rx=30, tx=40)
    second = read()
    assert (second["devices"], second["newDevices"], second["bytesDown"], second["bytesUp"]) == (2, [LAPTOP], 30, 40)
    assert second["durationMs"] >= 0


def test_forty_callers_at_once_cost_the_router_one_command_at_a_time(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    runtime = make_runtime(TickingClock(clock).now, router_command_timeout_s=30)
    runtime.collector.collect(register(runtime, hosted))
    router.traffic(PHONE, rx=1, tx=1)
    hosted.command_delay_s = 0.2
    with serving(create_app(runtime)) as url, ThreadPoolExecutor(40) as pool:

        def call(number: int) -> tuple[int, str]:
            if number % 2:
                answer = requests.post(f"{url}{BASE}/refresh", timeout=30)
            else:
                answer = requests.get(f"{url}{BASE}/current", timeout=30)
            return answer.status_code, answer.text[:300]

        answers = list(pool.map(call, range(40)))
    assert [answer for answer in answers if answer[0] != 200] == []
    assert hosted.stats.max_running == 1
    assert hosted.stats.commands < 15


# --- history ---------------------------------------------------------------------------------------------


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
    assert set(seen) == {"start", "end", *USAGE, "coverage"}
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
        assert str(longest) in str(details)


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


# --- summary and status ----------------------------------------------------------------------------------


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
    assert {"running", "databaseInterval"} <= set(before["nlbwmon"])
    assert before["storage"] == {"snapshots": 0, "oldest": None, "newest": None}
    assert [warning["code"] for warning in before["warnings"]] == ["NO_READING_YET"]
    router.traffic(PHONE, rx=1)
    read()
    read()
    after = api.data(f"{BASE}/status")
    assert (after["router"]["reachable"], after["router"]["lastSuccessAt"]) == (True, "2031-11-11T09:10:00Z")
    assert (after["nlbwmon"]["running"], after["nlbwmon"]["databaseInterval"]) == (True, "1")
    assert after["storage"] == {
        "snapshots": 2,
        "oldest": "2031-11-11T09:05:00Z",
        "newest": "2031-11-11T09:10:00Z",
    }
    assert after["coverage24h"] == pytest.approx(5 / (24 * 60))
    assert after["warnings"] == []


# --- which router ----------------------------------------------------------------------------------------

ROUTES = [
    *("devices", "current", "history", "summary", "status"),
    *(f"device/{PHONE}/{what}" for what in ("info", "current", "history")),
]


def test_with_one_router_it_may_be_left_out_and_with_two_it_must_be_named(
    used: None, api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext
) -> None:
    second = register(runtime, ssh.add(empty_router(clock)), name="Second")
    for path in ROUTES:
        assert api.error(f"{BASE}/{path}")[:2] == (400, "ROUTER_REQUIRED")
    assert api.error(f"{BASE}/refresh", "POST")[:2] == (400, "ROUTER_REQUIRED")
    for named in ({"query_string": {"routerId": context.router_id}}, {"headers": {"X-Router-Id": context.router_id}}):
        for path in ROUTES:
            assert api.body(f"{BASE}/{path}", **named)["metadata"]["routerId"] == context.router_id
    assert api.data(f"{BASE}/devices", query_string={"routerId": second.router_id})["devices"] == []


def test_without_any_router_the_message_says_how_to_register_one(client: Any, api: Api) -> None:
    response = client.get(f"{BASE}/devices")
    assert (response.status_code, response.json["error"]["code"]) == (400, "ROUTER_REQUIRED")
    assert "POST /api/routers" in response.json["error"]["message"]


def test_another_accounts_router_answers_as_one_that_does_not_exist(
    runtime: Runtime, client: Any, ssh: SshServer, clock: ManualClock, context: RouterContext, bob: str
) -> None:
    theirs = register(runtime, ssh.add(empty_router(clock)), session_id=BOB)
    runtime.collector.collect(theirs)

    def answer(router_id: str, path: str, method: str = "GET") -> tuple[int, str]:
        response = client.open(f"{BASE}/{path}", method=method, headers={"X-Router-Id": router_id})
        return response.status_code, response.text.replace(response.headers["X-Request-Id"], "")

    for path, method in [*((path, "GET") for path in ROUTES), ("refresh", "POST")]:
        assert answer(theirs.router_id, path, method) == answer("0123456789abcdef", path, method)
        assert answer(theirs.router_id, path, method)[0] == 404


def test_another_accounts_devices_are_not_ours(
    used: None, api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, bob: str
) -> None:
    theirs = empty_router(clock)
    theirs.traffic(TV, rx=5_000)
    bobs = register(runtime, ssh.add(theirs), session_id=BOB)
    runtime.collector.collect(bobs)
    for what in ("info", "current", "history"):
        assert api.error(f"{BASE}/device/{TV}/{what}")[:2] == (404, "DEVICE_NOT_FOUND")
    assert TV not in api.client.get(f"{BASE}/devices").text


def test_a_device_out_of_monitoring_is_in_no_list(used: None, api: Api, database: Database) -> None:
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": PHONE})
    assert [device["mac"] for device in api.data(f"{BASE}/devices")["devices"]] == [LAPTOP]
    current = api.data(f"{BASE}/current")
    assert [device["mac"] for device in current["devices"]] == [LAPTOP]
    assert current["totalBandwidth"]["total"] == 30
