"""What the service knows of devices and of now, beside what its endpoints' tests show."""

from collections.abc import Callable
from threading import Thread

import pytest

from server import Runtime
from services.context import RouterContext
from services.device_usage_service import display_name, protocols_of
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import BOB, LAPTOP, PHONE, TV, register
from utils.errors import DeviceNotFound, RouterNotFound, RouterUnreachable
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import parse_nlbw_json


def test_callers_at_the_same_time_share_one_live_reading(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter
) -> None:
    hosted.command_delay_s = 0.3
    asked = hosted.stats.commands
    seen: list[object] = []
    threads = [
        Thread(target=lambda: seen.append(runtime.services.device_usage.get_current(context).timestamp))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 10
    assert hosted.stats.commands == asked + 1


def test_a_refresh_is_the_live_reading_of_whoever_asks_next(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.traffic(PHONE, rx=5)
    runtime.services.device_usage.refresh(context)
    asked = hosted.stats.commands
    current = runtime.services.device_usage.get_current(context)
    assert (current.is_live, current.devices[0].bytes_down) == (True, 5)
    assert hosted.stats.commands == asked


def test_a_dead_router_is_waited_for_once_not_once_a_caller(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter
) -> None:
    runtime = make_runtime(router_command_timeout_s=0.5)
    context = register(runtime, hosted)
    hosted.faults = Faults(refuse=True)
    for _ in range(2):
        with pytest.raises(RouterUnreachable):
            runtime.services.device_usage.get_current(context)


def test_a_router_is_only_its_owners(runtime: Runtime, context: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, context.router_id)
    service = runtime.services.device_usage
    for ask in (service.get_current, service.refresh, runtime.services.status.get_status):
        with pytest.raises(RouterNotFound):
            ask(stranger)
    devices = runtime.services.devices
    with pytest.raises(DeviceNotFound):
        devices.get_device_info(stranger, PHONE)
    page = devices.list_devices(stranger, active=None, search=None, sort="name", page=1, page_size=50)
    assert (page.devices, page.total) == ([], 0)


def test_a_live_reading_is_not_shared_between_accounts(
    runtime: Runtime, hosted: HostedRouter, context: RouterContext, bob: str, router: SimulatedRouter
) -> None:
    theirs = register(runtime, hosted, session_id=BOB)
    runtime.services.device_usage.get_current(context)
    asked = hosted.stats.commands
    runtime.services.device_usage.get_current(theirs)
    assert hosted.stats.commands == asked + 1


def test_devices_that_left_are_inactive_and_seen_last_when_they_were_there(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.add_host(TV, "192.168.1.3", "tv", state="REACHABLE")
    router.add_host(LAPTOP, "192.168.1.4", "laptop", state="STALE")
    first = clock.now()
    runtime.collector.collect(context)
    router.add_host(TV, "192.168.1.3", "tv", state="FAILED")
    clock.set(first.replace(minute=5))
    runtime.collector.collect(context)

    def device(mac: str):
        return runtime.services.devices.get_device_info(context, mac).device.record

    assert (device(TV).is_active, device(TV).last_seen) == (False, first)
    assert (device(LAPTOP).is_active, device(LAPTOP).last_seen) == (False, None)


def test_a_name_is_the_persons_own_else_the_hosts_else_the_mac() -> None:
    assert display_name(PHONE, None) == PHONE
    assert display_name(PHONE, None, "phone") == "phone"
    assert display_name(ZERO_MAC, None) == "Unresolved hosts"


def test_protocols_add_up_to_the_device(router: SimulatedRouter) -> None:
    for number in range(30):
        router.traffic(PHONE, rx=number, tx=1, port=number * 7, proto="TCP" if number % 2 else "UDP", conns=2)
    router.traffic(LAPTOP, rx=1_000)
    rows = parse_nlbw_json(router.run("nlbw -c json").stdout).rows
    protocols = protocols_of(rows, PHONE)
    assert sum(one.bytes_down for one in protocols) == sum(range(30))
    assert sum(one.connections for one in protocols) == 60
    amounts = [one.bytes_down + one.bytes_up for one in protocols]
    assert amounts == sorted(amounts, reverse=True)
    assert protocols_of(rows, TV) == []
