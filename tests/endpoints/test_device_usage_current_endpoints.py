"""/api/device-usage/current and refresh: what the router counts now, of the network and of one device."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests

from server import Runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.device_usage_shapes import BASE, CURRENT_DEVICE, NOW
from tests.homes import LAPTOP, PHONE, START, TV, Api, TickingClock, register, serving
from utils.errors import RouterTimeout
from utils.mac import ZERO_MAC

pytestmark = pytest.mark.usefixtures("always_live")

MINUTE = timedelta(minutes=1)


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


def test_who_shares_a_reading_that_takes_long_gets_the_stored_one(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.device_usage_service.WAIT_LIVE_S", 0.05)
    runtime = make_runtime()
    runtime.collector.collect(register(runtime, hosted))
    api = Api(create_app(runtime).test_client())
    is_running, may_end = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        is_running.set()
        assert may_end.wait(30)
        raise RouterTimeout

    monkeypatch.setattr(runtime.taker, "take", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.data, f"{BASE}/current")
        assert is_running.wait(30)
        current = api.data(f"{BASE}/current")
        assert (current["source"], current["stale"]) == ("stored", True)
        assert current["warning"]["code"] == "ROUTER_TIMEOUT"
        assert not first.done()
        may_end.set()
        assert first.result()["source"] == "stored"


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
