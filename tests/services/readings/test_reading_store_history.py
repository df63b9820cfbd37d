"""What readings leave behind: usage by hour and local day, coverage, and nothing of devices out of monitoring."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.homes import LAPTOP, PHONE, START, ask, covered, daily, hourly, per_device, register, truth
from utils.errors import NetPilotError

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_usage_over_several_hours_is_spread_in_proportion_and_adds_up_exactly(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    clock.set(START + 15 * MINUTE)
    read(timedelta(0))
    router.traffic(PHONE, rx=1_000_003, tx=7)
    read(3 * HOUR + 30 * MINUTE)  # 09:15 to 12:45: 45, 60, 60, 45 minutes
    rows = hourly(database, context)
    downs = [rows.get((PHONE, START + number * HOUR), (0, 0)) for number in range(4)]
    assert [down for down, _ in downs] == [214_286, 285_715, 285_715, 214_287]
    assert sum(down for down, _ in downs) == 1_000_003
    assert sum(up for _, up in downs) == 7
    assert daily(database, context) == {(PHONE, START.date()): (1_000_003, 7)}


def test_usage_over_midnight_is_in_both_days_as_the_router_has_them(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    clock.set(datetime(2031, 11, 11, 22, 0, tzinfo=UTC))  # 23:00 in Berlin
    read(timedelta(0))
    router.traffic(PHONE, rx=300, tx=3)
    read(3 * HOUR)
    assert daily(database, context) == {
        (PHONE, datetime(2031, 11, 11).date()): (100, 1),  # noqa: DTZ001
        (PHONE, datetime(2031, 11, 12).date()): (200, 2),  # noqa: DTZ001
    }


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham"])
def test_days_are_the_sums_of_their_slots_also_where_midnight_is_no_full_hour(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, zone: str
) -> None:
    router = empty_router(clock, zone=zone)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    for step in range(40):
        router.traffic(PHONE, rx=10_007 * (step + 1), tx=step)
        clock.advance(timedelta(minutes=101))
        runtime.collector.collect(context)
    assert runtime.routers.get(context).timezone == zone
    sums: dict[tuple[str, object], tuple[int, int]] = {}
    for (mac, slot), (down, up) in hourly(database, context).items():
        key = (mac, slot.astimezone(ZoneInfo(zone)).date())
        old = sums.get(key, (0, 0))
        sums[key] = (old[0] + down, old[1] + up)
    assert daily(database, context) == sums
    assert per_device(sums) == truth(router.ledger.totals())


def test_a_first_reading_is_in_no_hour_or_day_but_kept_as_its_period(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    router.traffic(PHONE, rx=123, tx=45)
    read()
    assert hourly(database, context) == daily(database, context) == {}
    assert ask(
        database,
        "SELECT device_mac, start_date::text, end_date::text, total_download, total_upload, total_usage "
        "FROM device_usage_history WHERE span = 'period'",
    ) == [(PHONE, "2031-11-01", "2031-11-30", 123, 45, 168)]
    assert ask(database, "SELECT usage_down, bytes_downloaded FROM device_usage_monitoring") == [(None, 123)]


def test_usage_that_is_in_an_archive_alone_is_in_the_raw_readings_too(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    """A device that used something before the rollover and nothing since has no row in the table any more."""
    clock.set(datetime(2031, 11, 30, 22, 50, tzinfo=UTC))
    router.traffic(LAPTOP, rx=1, tx=1)
    read(MINUTE)
    router.traffic(PHONE, rx=70, tx=7)
    read(HOUR)
    assert per_device(hourly(database, context)) == {PHONE: (70, 7)}
    assert ask(
        database,
        "SELECT device_mac, bytes_downloaded, usage_down, usage_up FROM device_usage_monitoring WHERE usage_down > 0",
    ) == [(PHONE, 0, 70, 7)]


def test_coverage_is_one_stretch_over_many_readings(
    context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    for _ in range(30):
        read()
    assert covered(database, context) == [(START + 5 * MINUTE, START + 150 * MINUTE)]


def test_a_restart_shows_as_a_gap_in_the_coverage(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    read()
    clock.advance(2 * MINUTE)
    router.power_loss()
    read(3 * MINUTE)
    read()
    read()
    assert covered(database, context) == [
        (START + 7 * MINUTE, START + 20 * MINUTE),
    ]


def test_a_device_out_of_monitoring_is_not_stored(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=1, tx=1)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": PHONE})
    before = ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE)
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=10, tx=20)
    read()
    assert per_device(hourly(database, context)) == per_device(daily(database, context)) == {LAPTOP: (10, 20)}
    after = ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE)
    assert before == after


def test_what_a_device_used_out_of_monitoring_does_not_come_back_with_it(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false", {})
    router.traffic(PHONE, rx=1_000, tx=1_000)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = true", {})
    router.traffic(PHONE, rx=5, tx=6)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (5, 6)}


@pytest.mark.parametrize("back", [timedelta(0), -MINUTE, -2 * HOUR], ids=["still", "a minute", "two hours"])
def test_a_server_clock_that_goes_back_costs_no_byte(
    router: SimulatedRouter,
    context: RouterContext,
    runtime: Runtime,
    clock: ManualClock,
    database: Database,
    read: Callable[..., None],
    back: timedelta,
) -> None:
    """Until it has caught up readings are refused, as other failures are."""
    read()
    router.traffic(PHONE, rx=100, tx=10)
    router.advance()
    stored = per_device(hourly(database, context))
    clock.advance(back)
    with pytest.raises(NetPilotError):
        runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == stored
    clock.advance(-back)
    router.traffic(PHONE, rx=1, tx=1)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (101, 11)}
