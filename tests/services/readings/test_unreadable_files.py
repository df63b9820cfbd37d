"""Files that are on the router and can't be read out: none is taken for absent, nothing is counted twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db_operations.database import Database
from services.context import RouterContext
from services.readings.unreadable_files import PUT_OFF_FOR
from simulator.clock import ManualClock
from simulator.nlbwmon import Nlbwmon
from simulator.router import SimulatedRouter
from tests.homes import PHONE, ask, covered, hourly, per_device
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    kinds,
    passed,
    reading,
    usage_between,
)
from utils.errors import FileUnreadable

MINUTE = timedelta(minutes=1)


def busy(daemon: Nlbwmon, name: str) -> None:
    daemon.failing[name] = 195


def killed(daemon: Nlbwmon, name: str) -> None:
    daemon.failing[name] = 137


def spoilt(daemon: Nlbwmon, name: str) -> None:
    daemon.damaged[name] = '{"columns":["family"'


def empty(daemon: Nlbwmon, name: str) -> None:
    daemon.damaged[name] = ""


def mend(daemon: Nlbwmon) -> None:
    daemon.failing.clear()
    daemon.damaged.clear()


@pytest.fixture
def watched(router: SimulatedRouter, clock: ManualClock, read: Callable[..., None]) -> SimulatedRouter:
    """A phone of which 21,031,029 bytes were counted, 11,014,487 of them on disk."""
    router.add_host(PHONE, "192.168.1.2", "phone")
    read(timedelta(0))
    router.traffic(PHONE, rx=11_014_487)
    clock.advance(MINUTE)
    router.commit()
    router.traffic(PHONE, rx=10_016_542)
    read()
    clock.advance(MINUTE)
    return router


@pytest.mark.parametrize("trouble", [busy, killed, spoilt, empty])
def test_after_a_power_loss_the_commit_is_waited_for(
    watched: SimulatedRouter,
    context: RouterContext,
    database: Database,
    read: Callable[..., None],
    trouble: Callable[[Nlbwmon, str], None],
) -> None:
    watched.power_loss()
    watched.traffic(PHONE, rx=500)
    trouble(watched.daemon, "2031-11-01")
    with pytest.raises(FileUnreadable):
        read(MINUTE)
    mend(watched.daemon)
    read(MINUTE)
    assert per_device(hourly(database, context)) == {PHONE: (21_031_029 + 500, 0)}


@pytest.mark.parametrize("trouble", [busy, killed, spoilt])
def test_a_commit_that_is_never_readable_again_doubles_nothing(
    watched: SimulatedRouter,
    context: RouterContext,
    database: Database,
    clock: ManualClock,
    read: Callable[..., None],
    trouble: Callable[[Nlbwmon, str], None],
) -> None:
    last_good = clock.now() - MINUTE
    watched.power_loss()
    watched.traffic(PHONE, rx=500)
    trouble(watched.daemon, "2031-11-01")
    for _ in range(PUT_OFF_FOR // MINUTE):
        with pytest.raises(FileUnreadable):
            read(MINUTE)
    read(MINUTE)
    assert per_device(hourly(database, context)) == {PHONE: (21_031_029, 0)}
    went_on = clock.now()
    watched.traffic(PHONE, rx=70)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (21_031_029 + 70, 0)}
    assert [span for span in covered(database, context) if span[0] < went_on and span[1] > last_good] == []
    (gap,) = ask(database, "SELECT start_at, end_at FROM events WHERE message LIKE '%%could not read out%%'")
    assert gap == (last_good, went_on)


def test_a_daemon_that_crashed_without_a_copy_in_ram_is_waited_for_as_well(
    watched: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    watched.advance()
    watched.daemon.forget_ram_copy()
    watched.crash()
    watched.traffic(PHONE, rx=500)
    busy(watched.daemon, "2031-11-01")
    with pytest.raises(FileUnreadable):
        read(2 * MINUTE)
    mend(watched.daemon)
    read(MINUTE)
    assert per_device(hourly(database, context)) == {PHONE: (21_031_029 + 500, 0)}


def test_without_a_commit_no_data_is_what_it_says(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    read(timedelta(0))
    router.traffic(PHONE, rx=11_014_487)
    read()
    router.power_loss()
    router.traffic(PHONE, rx=500)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (11_014_487 + 500, 0)}


@pytest.mark.parametrize("trouble", [busy, killed, spoilt])
def test_an_archive_is_waited_for(
    router: SimulatedRouter,
    context: RouterContext,
    database: Database,
    clock: ManualClock,
    read: Callable[..., None],
    trouble: Callable[[Nlbwmon, str], None],
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    clock.set(datetime(2031, 11, 30, 22, 55, tzinfo=UTC))
    read(timedelta(0))
    router.traffic(PHONE, rx=7_000)
    clock.advance(7 * MINUTE)
    router.traffic(PHONE, rx=9)
    trouble(router.daemon, "2031-11-01")
    with pytest.raises(FileUnreadable):
        read(MINUTE)
    mend(router.daemon)
    read(MINUTE)
    assert per_device(hourly(database, context)) == {PHONE: (7_009, 0)}


def test_an_archive_that_is_never_readable_is_as_good_as_none(
    router: SimulatedRouter, context: RouterContext, database: Database, clock: ManualClock, read: Callable[..., None]
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    clock.set(datetime(2031, 11, 30, 22, 55, tzinfo=UTC))
    read(timedelta(0))
    router.traffic(PHONE, rx=7_000)
    clock.advance(7 * MINUTE)
    router.traffic(PHONE, rx=9)
    busy(router.daemon, "2031-11-01")
    for _ in range(PUT_OFF_FOR // MINUTE):
        with pytest.raises(FileUnreadable):
            read(MINUTE)
    read(MINUTE)
    assert per_device(hourly(database, context)) == {PHONE: (9, 0)}
    assert ask(database, "SELECT count(*) FROM events WHERE type = 'archive_missing'") == [(1,)]


# --- the accounting alone ------------------------------------------------------------------------------------


def test_what_a_restart_came_back_with_is_not_guessed() -> None:
    before = reading({WEB: (21_000, 0), SSH: (70, 0)}, boot_id="one")
    after = reading({WEB: (11_000, 0), SSH: (90, 0), LAPTOP_WEB: (5, 5)}, minutes=5, boot_id="two", uptime_s=60)
    usage = usage_between(before, after, unreadable=frozenset({NOVEMBER}))
    assert usage.rows == {}
    assert [(gap.start, gap.end) for gap in usage.gaps] == [(before.read_at, after.read_at)]
    assert usage.doubted == {NOVEMBER}, "nor is it at the next restart"


def test_another_periods_file_leaves_a_restart_as_it_was() -> None:
    before = reading({WEB: (21_000, 0)}, boot_id="one")
    after = reading({WEB: (11_500, 0)}, minutes=5, boot_id="two", uptime_s=60)
    usage = usage_between(before, after, {NOVEMBER: {WEB: (11_000, 0)}}, unreadable=frozenset({OCTOBER}))
    assert usage.rows == {WEB: (500, 0)}


def test_a_restart_over_a_periods_end_is_not_guessed_either() -> None:
    before = reading({WEB: (21_000, 0)}, period=OCTOBER, boot_id="one")
    after = reading({WEB: (22_000, 0)}, minutes=5, boot_id="two", uptime_s=60, period_age_s=200)
    usage = usage_between(before, after, {}, [passed(OCTOBER, until=2)], unreadable=frozenset({OCTOBER}))
    assert usage.rows == {}
    assert usage.period_start == NOVEMBER


def test_a_daemon_that_ran_on_has_lost_only_the_old_periods_end() -> None:
    facts: dict[str, Any] = {"daemon_id": "one"}
    before = reading({WEB: (21_000, 0)}, period=OCTOBER, **facts)
    after = reading({WEB: (2_000, 0)}, minutes=5, period_age_s=200, **facts)
    usage = usage_between(before, after, {}, [passed(OCTOBER, until=2)], unreadable=frozenset({OCTOBER}))
    assert usage.rows == {WEB: (2_000, 0)}
    assert "archive_missing" in kinds(usage)
