"""When nlbwmon last wrote its running period's file: what of it is known, and in whose time it is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import START, ask, register

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def read(runtime: Runtime, context: RouterContext, clock: ManualClock, after: timedelta = MINUTE) -> datetime | None:
    """What the status says after one more reading."""
    clock.advance(after)
    runtime.collector.collect(context)
    return runtime.services.status.get_status(context).last_commit_at


def test_it_is_known_from_the_second_reading_on_and_costs_no_round_trip(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.commit()
    assert runtime.services.status.get_status(context).last_commit_at is None
    asked = hosted.stats.commands
    assert read(runtime, context, clock) is None, "where the file lies isn't known beforehand"
    assert read(runtime, context, clock) == START
    assert hosted.stats.commands == asked + 2


def test_it_is_null_before_the_first_commit_and_moves_with_each(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    assert [read(runtime, context, clock) for _ in range(3)] == [None, None, None]
    router.commit()
    assert read(runtime, context, clock) == START + 3 * MINUTE
    assert read(runtime, context, clock) == START + 3 * MINUTE
    router.commit()
    assert read(runtime, context, clock) == START + 5 * MINUTE


def test_a_commit_in_the_second_of_the_reading_is_told_at_once(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    read(runtime, context, clock)
    router.commit()
    assert read(runtime, context, clock, timedelta(milliseconds=1)) == START + MINUTE


def test_a_power_loss_does_not_move_it(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    read(runtime, context, clock)
    router.commit()
    clock.advance(MINUTE)
    router.power_loss()
    assert read(runtime, context, clock) == START + MINUTE


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, 4 * MINUTE])
def test_a_router_whose_clock_is_off_is_told_in_our_time(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock, ahead: timedelta
) -> None:
    router.clock_offset = ahead
    read(runtime, context, clock)
    router.commit()
    assert read(runtime, context, clock) == START + MINUTE


def test_a_file_of_the_future_tells_nothing(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.clock_offset = 2 * HOUR
    read(runtime, context, clock)
    router.commit()
    router.clock_offset = timedelta(0)
    assert read(runtime, context, clock) is None
    router.commit()
    assert read(runtime, context, clock) == START + 2 * MINUTE


def test_a_file_from_before_its_own_period_tells_nothing(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    """It was copied without its time, or written by a clock that was wrong."""
    read(runtime, context, clock)
    router.commit()
    router.daemon._written.clear()
    assert router.run("date -r /etc/nlbwmon/20311101.db.gz +%s").stdout == b"0\n"
    assert read(runtime, context, clock) is None


def test_over_a_rollover_it_is_null_until_the_reading_after_the_new_periods_first_commit(
    runtime: Runtime, ssh: SshServer, clock: ManualClock
) -> None:
    router = empty_router(clock, zone="UTC", commit_interval=40 * 86_400)
    context = register(runtime, ssh.add(router))
    read(runtime, context, clock)
    router.commit()
    assert read(runtime, context, clock) == START + MINUTE
    rollover = datetime(2031, 12, 1, tzinfo=UTC)
    assert read(runtime, context, clock, rollover + HOUR - clock.now()) is None, "the file asked for is an archive now"
    assert read(runtime, context, clock) is None, "the new one isn't written yet"
    router.commit()
    assert read(runtime, context, clock) == rollover + HOUR + MINUTE


def test_a_period_is_asked_for_by_the_name_that_the_router_gives_it(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    """From a day that its month doesn't have, and in a directory of its own."""
    clock.advance(datetime(2032, 3, 5, tzinfo=UTC) - clock.now())
    router = empty_router(clock, zone="UTC", database_interval="31", database_directory="/mnt/usb-1/nlbwmon")
    context = register(runtime, ssh.add(router))
    read(runtime, context, clock)
    router.commit()
    assert read(runtime, context, clock) == datetime(2032, 3, 5, 0, 1, tzinfo=UTC)
    assert ask(database, "SELECT period_start::text, period_name, database_directory FROM last_readings") == [
        ("2032-03-01", "2032-02-31", "/mnt/usb-1/nlbwmon")
    ]


@pytest.mark.parametrize("directory", ["/etc/$(reboot)", "/etc/nlbwmon; reboot", "etc", "/" + "a" * 300])
def test_a_directory_that_never_gets_into_a_command_leaves_it_null(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock, directory: str
) -> None:
    router.daemon.settings = replace(router.daemon.settings, database_directory=directory)
    router.commit()
    assert [read(runtime, context, clock) for _ in range(2)] == [None, None]


def test_a_router_that_does_not_tell_leaves_it_null(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.missing = {"uci"}
    router.commit()
    assert [read(runtime, context, clock) for _ in range(2)] == [None, None]
    router.missing = {"date"}
    assert [read(runtime, context, clock) for _ in range(2)] == [None, None]
    router.missing = set()
    assert read(runtime, context, clock) == START
