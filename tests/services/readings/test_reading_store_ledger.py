"""Homes read through SSH over days, rollovers and gaps are stored to the byte as their routers' ledgers have them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db_operations.database import Database
from server import Runtime
from simulator.clock import ManualClock
from simulator.home import empty_router, typical_home
from simulator.ssh_server import SshServer
from tests.homes import LAPTOP, PHONE, covered, daily, hourly, per_device, register, truth
from utils.mac import ZERO_MAC

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def by_local_day(hours: dict[tuple[str, datetime], tuple[int, int]]) -> dict[tuple[str, object], tuple[int, int]]:
    days: dict[tuple[str, object], tuple[int, int]] = {}
    for (mac, hour), (down, up) in hours.items():
        key = (mac, hour.astimezone(BERLIN).date())
        old = days.get(key, (0, 0))
        days[key] = (old[0] + down, old[1] + up)
    return days


@pytest.mark.parametrize(
    "start", [datetime(2031, 11, 29, 9, tzinfo=UTC), datetime(2031, 10, 25, 0, tzinfo=UTC)], ids=["rollover", "dst"]
)
def test_three_days_of_a_home_are_stored_to_the_byte(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, start: datetime
) -> None:
    clock.set(start)
    home = typical_home(start=start, clock=clock)
    runtime = make_runtime()
    context = register(runtime, ssh.add(home))
    runtime.collector.collect(context)
    for _ in range(3 * 48):
        clock.advance(30 * MINUTE)
        runtime.collector.collect(context)
    hours = truth(home.ledger.hours())
    assert len({mac for mac, _ in hours}) >= 12
    assert ZERO_MAC in {mac for mac, _ in hours}
    assert hourly(database, context) == hours
    assert daily(database, context) == by_local_day(hours)
    assert covered(database, context) == [(start, start + timedelta(days=3))]


def test_readings_that_do_not_meet_the_rollover_bring_all_of_it(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    start = datetime(2031, 11, 30, 20, 7, tzinfo=UTC)
    clock.set(start)
    home = typical_home(start=start, clock=clock)
    runtime = make_runtime()
    context = register(runtime, ssh.add(home))
    runtime.collector.collect(context)
    for _ in range(12):
        clock.advance(31 * MINUTE)
        runtime.collector.collect(context)
    totals = truth(home.ledger.totals())
    assert per_device(hourly(database, context)) == per_device(daily(database, context)) == totals


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("interval", ["1", "15", "31", "0", "-5", "2031-11-10/2", "2031-11-01/7"])
def test_every_rollover_that_nlbwmon_can_be_set_to_brings_all_of_it(
    make_runtime: Callable[..., Runtime],
    ssh: SshServer,
    clock: ManualClock,
    database: Database,
    interval: str,
    zone: str,
) -> None:
    """Periods are named and cut as nlbwmon's own timing.c does it, months without a day 31 among them."""
    clock.set(datetime(2031, 12, 20, 9, tzinfo=UTC))
    router = empty_router(clock, zone=zone, database_interval=interval, commit_interval=3_600)
    router.traffic(LAPTOP, rx=1, tx=1)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    started = router.ledger.totals()
    for number in range(65 if "/" not in interval else 20):
        router.traffic(PHONE, rx=1_000_000 + number, tx=number)
        router.traffic(LAPTOP, rx=10, tx=20)
        clock.advance(timedelta(hours=11, minutes=7))
        router.traffic(PHONE, rx=1, tx=0)
        clock.advance(timedelta(hours=14))
        runtime.collector.collect(context)
    expected = truth(router.ledger.totals())
    expected[LAPTOP] = (expected[LAPTOP][0] - started[LAPTOP].rx, expected[LAPTOP][1] - started[LAPTOP].tx)
    assert per_device(hourly(database, context)) == expected


@pytest.mark.parametrize("interval", ["1", "2031-11-10/2"])
def test_weeks_without_a_reading_over_several_rollovers_bring_all_of_it(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, interval: str
) -> None:
    router = empty_router(clock, zone="UTC", database_interval=interval)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    days = 70 if interval == "1" else 9
    for number in range(days * 4):
        clock.advance(6 * HOUR)
        router.traffic(PHONE, rx=1_000_000 + number, tx=number)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(router.ledger.totals())
