"""Devices that come, go, return and move are told once each, whatever happens to who tells it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting
from db_operations.devices_db import KnownDevice
from server import Runtime
from services.context import RouterContext
from services.devices.device_events import find_device_events
from services.readings.reading_store import StaleBase
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import LAPTOP, PHONE, START, TV, ask, register
from utils.errors import RouterError

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY


def told(database: Database) -> list[tuple[str, str]]:
    """Type and MAC of every event about a device, in order of time."""
    return ask(database, "SELECT type, device_mac FROM events WHERE device_mac IS NOT NULL ORDER BY start_at, id")


@pytest.fixture
def live(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> Callable[[timedelta, timedelta], None]:
    """Lets time pass with readings: live(3 * DAY, 6 * HOUR)."""

    def pass_time(length: timedelta, step: timedelta = 12 * HOUR) -> None:
        for _ in range(length // step):
            clock.advance(step)
            router.traffic(LAPTOP, rx=1)  # somebody is always at home
            runtime.collector.collect(context)

    return pass_time


@pytest.fixture
def at_home(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """A first reading with laptop and phone."""
    router.add_host(LAPTOP, "192.168.1.10", "laptop")
    router.add_host(PHONE, "192.168.1.2", "phone", state="REACHABLE")
    runtime.collector.collect(context)


def test_who_is_there_at_the_first_reading_is_not_new_and_who_comes_later_is(
    at_home: None, live: Any, router: SimulatedRouter, database: Database
) -> None:
    live(DAY)
    assert told(database) == []
    router.add_host(TV, "192.168.1.9", "tv", state="REACHABLE")
    live(2 * DAY)
    assert told(database) == [("device_new", TV)]
    assert ask(database, "SELECT message FROM events WHERE device_mac IS NOT NULL") == [
        ("This device was seen for the first time at 192.168.1.9.",)
    ]


def test_who_is_absent_for_a_week_has_vanished_once_and_is_back_once(
    at_home: None, live: Any, router: SimulatedRouter, database: Database
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone", state="STALE")
    live(WEEK)
    assert told(database) == [], "the first reading without it was half a day after the last one with it"
    live(3 * DAY)
    assert told(database) == [("device_vanished", PHONE)]
    router.add_host(PHONE, "192.168.1.2", "phone", state="REACHABLE")
    live(2 * DAY)
    assert told(database) == [("device_vanished", PHONE), ("device_returned", PHONE)]
    router.add_host(PHONE, "192.168.1.2", "phone", state="STALE")
    live(9 * DAY)
    assert told(database)[2:] == [("device_vanished", PHONE)]
    messages = [text for (text,) in ask(database, "SELECT message FROM events ORDER BY start_at, id") if "seen" in text]
    assert messages == [
        "This device has not been seen for 7 days.",
        "This device is back, after it was not seen for 10 days.",
        "This device has not been seen for 7 days.",
    ]


def test_who_comes_and_goes_within_the_week_is_not_told(
    at_home: None, live: Any, router: SimulatedRouter, database: Database
) -> None:
    for state in ("STALE", "REACHABLE", "STALE", "REACHABLE"):
        router.add_host(PHONE, "192.168.1.2", "phone", state=state)
        live(6 * DAY)
    assert told(database) == []


def test_the_days_are_set_and_0_says_nothing(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone", state="REACHABLE")
    never, soon = make_runtime(device_vanished_days=0), make_runtime(device_vanished_days=1)
    context = register(never, hosted)
    never.collector.collect(context)
    router.add_host(PHONE, "192.168.1.2", "phone", state="STALE")
    for _ in range(30):
        clock.advance(DAY)
        never.collector.collect(context)
    assert told(database) == []
    clock.advance(MINUTE)
    soon.collector.collect(context)
    assert told(database) == [("device_vanished", PHONE)]


def test_a_router_that_was_off_for_weeks_does_not_make_everybody_vanish(
    at_home: None,
    live: Any,
    runtime: Runtime,
    context: RouterContext,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    clock.advance(30 * DAY)
    router.add_host(PHONE, "192.168.1.2", "phone", state="STALE")
    runtime.collector.collect(context)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    assert told(database) == [], "nobody has looked for it for longer than five minutes"
    live(8 * DAY)
    assert told(database) == [("device_vanished", PHONE)]


def test_another_lease_is_another_address_and_back_again(
    at_home: None, live: Any, router: SimulatedRouter, database: Database, runtime: Runtime, context: RouterContext
) -> None:
    router.traffic(PHONE, rx=10)  # nlbwmon's rows keep the old address until the period ends
    live(DAY)
    router.add_host(PHONE, "192.168.1.77", "phone", state="REACHABLE")
    live(2 * DAY)
    assert told(database) == [("address_changed", PHONE)]
    info = runtime.services.devices.get_device_info(context, PHONE).device.record
    assert info.current_ip == "192.168.1.77"
    assert set(info.ips) >= {"192.168.1.2", "192.168.1.77"}
    router.add_host(PHONE, "192.168.1.2", "phone", state="REACHABLE")
    live(2 * DAY)
    messages = [
        text for (text,) in ask(database, "SELECT message FROM events WHERE device_mac IS NOT NULL ORDER BY id")
    ]
    assert messages == [
        "Its address changed from 192.168.1.2 to 192.168.1.77.",
        "Its address changed from 192.168.1.77 to 192.168.1.2.",
    ]


def test_of_two_addresses_at_once_the_one_that_it_had_stays(
    at_home: None, live: Any, router: SimulatedRouter, database: Database, runtime: Runtime, context: RouterContext
) -> None:
    for ip, others in (("192.168.1.50", ()), ("192.168.1.50", ("192.168.1.9",)), ("192.168.1.9", ("192.168.1.50",))):
        router.add_host(PHONE, ip, ips=others, lease=False)
        live(DAY)
    assert told(database) == [("address_changed", PHONE)], "from its lease to the first of these"
    router.add_host(PHONE, "192.168.1.9", lease=False)
    live(DAY)
    assert told(database)[1:] == [("address_changed", PHONE)]


def test_two_collectors_and_readings_that_fail_tell_it_once(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    router.add_host(LAPTOP, "192.168.1.10", "laptop")
    runtimes = [make_runtime() for _ in range(2)]
    context = register(runtimes[0], hosted)
    runtimes[0].collector.collect(context)
    router.add_host(TV, "192.168.1.9", "tv", state="REACHABLE")
    clock.advance(5 * MINUTE)
    record = runtimes[0].routers.get(context)
    both = [runtime.taker.take(record) for runtime in runtimes]
    runtimes[0].collector._store.store(record, both[0])
    with pytest.raises(StaleBase):
        runtimes[1].collector._store.store(record, both[1])
    hosted.faults = Faults(refuse=True)
    hosted.drop_connections()
    with pytest.raises(RouterError):
        runtimes[1].collector.collect(context)
    hosted.faults = Faults()
    clock.advance(5 * MINUTE)
    make_runtime().collector.collect(context)
    assert told(database) == [("device_new", TV)]


def test_what_is_out_of_monitoring_has_no_events(
    at_home: None, live: Any, router: SimulatedRouter, database: Database, runtime: Runtime, context: RouterContext
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    router.add_host(PHONE, "192.168.1.77", "phone", state="STALE")
    live(20 * DAY)
    router.add_host(PHONE, "192.168.1.78", "phone", state="REACHABLE")
    live(DAY)
    assert told(database) == []


def test_merged_devices_are_there_while_one_of_them_is(
    at_home: None, live: Any, router: SimulatedRouter, database: Database, runtime: Runtime, context: RouterContext
) -> None:
    router.add_host(TV, "192.168.1.9", "phone", state="REACHABLE")
    live(DAY)
    runtime.services.merged_devices.merge(context, PHONE, TV)
    router.add_host(PHONE, "192.168.1.2", "phone", state="STALE")
    live(10 * DAY)
    assert told(database) == [("device_new", TV)]
    router.add_host(TV, "192.168.1.9", "phone", state="STALE")
    live(6 * DAY)
    assert told(database)[1:] == [], "the other one is absent for long, but not all of it"
    live(4 * DAY)
    assert told(database)[1:] == [("device_vanished", TV)]
    router.add_host(PHONE, "192.168.1.2", "phone", state="REACHABLE")
    live(DAY)
    assert told(database)[2:] == [("device_returned", TV)], "told of the device that they are"


def test_events_are_found_without_any_store() -> None:
    known = {
        PHONE: KnownDevice(PHONE, None, None, "", True, False, False, absent_since=START),
        TV: KnownDevice(TV, None, None, "", True, True, False, absent_since=START),
        LAPTOP: KnownDevice(LAPTOP, None, None, "", True, False, False),
    }
    found = find_device_events(known, [], at=START + WEEK, vanished_after=WEEK)
    assert [(event.kind, event.mac) for event in found] == [("device_vanished", PHONE)], "no router, nobody never seen"
    assert find_device_events(known, [], at=START + WEEK - MINUTE, vanished_after=WEEK) == []
    new = DeviceSighting(mac="02:00:00:00:00:01", hostname=None, ips="", is_router=False, is_active=True)
    assert find_device_events({}, [new], at=START, vanished_after=WEEK) == []
    (event,) = find_device_events({PHONE: known[PHONE]}, [new], at=START, vanished_after=WEEK)
    assert event.message == "This device was seen for the first time."
