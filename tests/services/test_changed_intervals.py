"""A router whose `database_interval` somebody changes: the period that was cut off by it keeps its old name."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.periods import parse_interval
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.homes import LAPTOP, PHONE, ask, hourly, per_device, register

MINUTE = timedelta(minutes=1)


def change_interval(router: SimulatedRouter, setting: str) -> None:
    daemon = router.daemon
    router.stop()
    daemon.settings = replace(daemon.settings, database_interval=setting)
    daemon.interval = parse_interval(setting, daemon.zone)
    router.start()


@pytest.mark.parametrize("setting", ["10", "2031-11-01/2"])
def test_what_ran_up_to_the_change_is_in_the_file_of_the_old_name(
    router: SimulatedRouter,
    context: RouterContext,
    clock: ManualClock,
    database: Database,
    read: Callable[..., None],
    setting: str,
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.add_host(LAPTOP, "192.168.1.3", "laptop")
    router.traffic(LAPTOP, rx=100)
    read(timedelta(0))
    router.traffic(PHONE, rx=5_000)
    read()
    router.traffic(PHONE, rx=70_000)
    clock.advance(MINUTE)
    change_interval(router, setting)
    router.traffic(LAPTOP, rx=33)
    read()
    for _ in range(2):
        router.traffic(PHONE, rx=1_000)
        read()
    # The laptop's 33 may have been counted before: it is said that they are unknown.
    assert per_device(hourly(database, context)) == {PHONE: (77_000, 0)}
    (said,) = ask(database, "SELECT quality FROM events WHERE message LIKE '%%or database_interval was changed%%'")
    assert said == ("unknown",)


def test_a_reading_ends_where_the_clock_is_put_back_at_a_cut(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    """In the Azores two periods of a day have one name then."""
    clock.set(datetime(2031, 10, 25, 23, 58, tzinfo=UTC))
    router = empty_router(clock, zone="Atlantic/Azores", database_interval="2031-01-01/1")
    context = register(runtime, ssh.add(router))
    router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=500)
    clock.advance(4 * MINUTE)
    router.traffic(PHONE, rx=70)
    clock.advance(MINUTE)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context))[PHONE][0] <= 570
