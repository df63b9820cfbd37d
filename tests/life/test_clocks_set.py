"""Clocks and zones that are set, and stops around a period's start: lives that once brought a difference."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.homes import LAPTOP, PHONE
from tests.life.interruptions import MortalDatabase, without_waiting
from tests.life.operations import DAY, EPOCH, HOUR, MINUTE, SECOND
from tests.life.watched_home import HomePlan, Tally, WatchedHome

MoveIn = Callable[..., WatchedHome]


@pytest.fixture
def move_in(database_url: str) -> Iterator[MoveIn]:
    database = MortalDatabase(database_url)
    with without_waiting():
        yield lambda **plan: WatchedHome(database, HomePlan(**plan), Tally())
    database.close()


def test_what_was_counted_under_1970_and_never_read_is_shown(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 11, 9, tzinfo=UTC))
    home.wait(MINUTE)
    home.router._offset = (EPOCH - home.clock.now()) // timedelta(microseconds=1)
    home.router.doubt_clock()
    home.router.power_loss()
    home.wait(20 * SECOND)
    home.router.traffic(PHONE, rx=70, tx=7)
    home.wait(20 * SECOND)
    home.router.set_clock(timedelta(0))
    home.wait(5 * MINUTE)
    assert home.read()


def test_a_clock_set_back_over_a_periods_start_between_two_restarts_counts_nothing_twice(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2032, 4, 6, 0, 2, 10, tzinfo=UTC), interval="2031-10-01/7")
    home.wait(MINUTE)
    home.router.traffic(PHONE, rx=1_000, tx=1)
    home.wait(SECOND)
    home.router.reboot()
    home.wait(10 * SECOND)
    home.router.set_clock(-DAY)
    home.router.traffic(PHONE, rx=70, tx=7, port=80)
    home.wait(10 * SECOND)
    assert home.read()
    home.wait(10 * SECOND)
    home.router.reboot()
    home.wait(5 * MINUTE)
    assert home.read()


def test_another_zone_at_a_periods_start_counts_nothing_twice(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 29, 21, tzinfo=UTC), zone="UTC", interval="31")
    home.reach(datetime(2031, 11, 30, 23, 59, 59, tzinfo=UTC))
    home.wait(SECOND)
    home.router.change_zone("America/New_York")
    home.wait(SECOND)
    home.router.traffic(PHONE, rx=5, tx=17)
    home.wait(10 * SECOND)
    home.read()
    home.wait(5 * MINUTE)
    home.router.change_zone("Europe/Berlin")
    home.wait(5 * MINUTE)
    assert home.read()


def test_a_clock_set_ahead_and_right_again_between_readings_counts_no_commit_as_an_archive(move_in: MoveIn) -> None:
    """nlbwmon began a period of the future and rolls over no more; each day it commits under that day's name."""
    home = move_in(start=datetime(2032, 4, 2, 9, tzinfo=UTC), interval="2031-10-01/1", commit_interval=3_600)
    home.router.set_clock(40 * DAY)
    home.wait(SECOND)
    home.router.set_clock(timedelta(0))
    for _ in range(3):
        home.router.traffic(PHONE, rx=70, tx=7)
        home.wait(DAY)
    assert home.read()


def test_a_clock_before_the_date_of_the_setting_is_followed_by_its_names(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2032, 4, 2, 9, tzinfo=UTC), interval="2031-10-01/7", commit_interval=3_600)
    home.router.set_clock(-200 * DAY)
    home.router.reboot()
    for _ in range(8):
        home.router.traffic(PHONE, rx=700, tx=70)
        home.wait(DAY + 10 * SECOND)
        assert home.read()
    home.router.reboot()
    home.wait(MINUTE)
    assert home.read()


@pytest.mark.parametrize("is_reboot", [True, False])
@pytest.mark.parametrize("interval", ["1", "2031-10-01/1"])
@pytest.mark.parametrize("limit", [10_000, 4])
def test_a_stop_before_nlbwmon_has_looked_at_the_new_date_counts_nothing_twice(
    move_in: MoveIn, is_reboot: bool, interval: str, limit: int
) -> None:
    """What it saves then has the new period's name and the old one's counters, and it takes that up."""
    start = datetime(2031, 11, 30, 12, tzinfo=UTC)
    home = move_in(start=start, zone="UTC", interval=interval, limit=limit, rollover_delay=25)
    for port in (80, 81, 82, 83):
        home.router.traffic(PHONE, rx=100_000_000, tx=1_000_000, port=port)
    home.wait(5 * MINUTE)
    assert home.read()
    home.reach(datetime(2031, 11, 30, 23, 57, tzinfo=UTC))
    assert home.read()
    home.router.traffic(PHONE, rx=3_000, tx=30)
    home.reach(datetime(2031, 12, 1, 0, 0, 5, tzinfo=UTC))
    if is_reboot:
        home.router.reboot()
    else:
        home.router.stop()
        home.router.start()
    home.wait(MINUTE)
    home.router.traffic(PHONE, rx=2_000, tx=20)
    home.wait(3 * MINUTE)
    assert home.read()


def test_what_flows_until_a_late_rollover_belongs_to_the_old_period(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 30, 12, tzinfo=UTC), zone="UTC", rollover_delay=25)
    home.router.traffic(PHONE, rx=1_000, tx=10)
    home.wait(MINUTE)
    assert home.read()
    home.reach(datetime(2031, 12, 1, 0, 0, 9, tzinfo=UTC))
    home.router.traffic(PHONE, rx=3_000, tx=30)
    home.wait(5 * MINUTE)
    assert home.read()
    home.router.traffic(PHONE, rx=2_000, tx=20)
    home.wait(MINUTE)
    assert home.read()


def test_a_period_that_began_seconds_before_a_reading_is_read_from_its_archive_after_the_next_one_began(
    move_in: MoveIn,
) -> None:
    home = move_in(start=datetime(2032, 4, 2, 9, tzinfo=UTC), zone="UTC", interval="2031-10-01/1", rollover_delay=25)
    home.reach(datetime(2032, 4, 3, 0, 0, 12, tzinfo=UTC))
    assert home.read()
    home.router.traffic(PHONE, rx=700, tx=7)
    home.wait(MINUTE)
    home.router.traffic(PHONE, rx=9_000, tx=90)
    home.reach(datetime(2032, 4, 4, 0, 5, tzinfo=UTC))
    assert home.read()


def test_what_a_late_rollover_takes_into_an_archive_that_is_gone_is_shown(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 10, 24, 9, tzinfo=UTC), zone="UTC", generations=2, rollover_delay=25)
    home.reach(datetime(2031, 11, 1, 0, 0, 9, tzinfo=UTC))
    home.router.traffic(PHONE, rx=3_000, tx=30)
    home.reach(datetime(2032, 1, 1, 0, 5, tzinfo=UTC))
    assert home.read()


def test_a_crash_before_nlbwmon_has_looked_at_the_date_is_known_after_the_next_period_too(move_in: MoveIn) -> None:
    """Its copy in RAM has the old period's counters."""
    home = move_in(start=datetime(2032, 4, 2, 9, tzinfo=UTC), zone="UTC", interval="2031-10-01/1", rollover_delay=25)
    for port in (80, 81):
        home.router.traffic(PHONE, rx=100_000_000, tx=1_000_000, port=port)
    home.wait(5 * MINUTE)
    assert home.read()
    home.router.traffic(PHONE, rx=3_000, tx=30)
    home.reach(datetime(2032, 4, 3, 0, 0, 5, tzinfo=UTC))
    home.router.crash()
    home.wait(MINUTE)
    home.router.traffic(PHONE, rx=2_000, tx=20)
    home.reach(datetime(2032, 4, 4, 0, 5, tzinfo=UTC))
    assert home.read()


def test_a_clock_set_back_over_a_periods_start_with_a_full_table_counts_nothing_twice(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 30, 21, tzinfo=UTC), zone="UTC", limit=2)
    for port in (80, 443):
        home.router.traffic(PHONE, rx=100_000_000, tx=1_000_000, port=port)
    home.wait(MINUTE)
    assert home.read()
    home.reach(datetime(2031, 12, 1, 0, 2, tzinfo=UTC))
    home.router.set_clock(-HOUR)
    for port in (22, 53):
        home.router.traffic(PHONE, rx=5_000_000, tx=50_000, port=port)
        home.wait(MINUTE)
    assert home.read()
    home.reach(datetime(2031, 12, 1, 1, 0, 1, tzinfo=UTC))
    home.router.traffic(PHONE, rx=70, tx=7, port=80)
    home.wait(SECOND)
    assert not home.read()  # put off: the period's name is two seconds old
    home.wait(3 * MINUTE)
    assert home.read()


def test_a_full_table_read_before_a_late_rollover_is_still_the_old_periods(move_in: MoveIn) -> None:
    """The one row of the last commit was overwritten since: its date tells that it is no archive."""
    home = move_in(start=datetime(2031, 11, 29, 21, tzinfo=UTC), zone="UTC", limit=2, rollover_delay=25)
    home.router.traffic(PHONE, rx=700, tx=7, port=80)
    home.wait(SECOND)
    home.router.commit()
    home.reach(datetime(2031, 11, 30, 23, 57, tzinfo=UTC))
    home.router.traffic(PHONE, rx=500_000, tx=5_000, port=443)
    assert home.read()
    home.router.traffic(PHONE, rx=60, tx=6, port=22)
    home.reach(datetime(2031, 12, 1, 0, 0, 9, tzinfo=UTC))
    assert home.read()
    home.wait(5 * MINUTE)
    assert home.read()


def test_a_commit_by_the_new_periods_name_that_is_taken_up_and_written_anew_counts_nothing_twice(
    move_in: MoveIn,
) -> None:
    home = move_in(start=datetime(2031, 11, 30, 21, tzinfo=UTC), zone="UTC", rollover_delay=25)
    home.router.traffic(PHONE, rx=500_000, tx=5_000)
    home.reach(datetime(2031, 12, 1, 0, 0, 1, tzinfo=UTC))
    home.router.commit()
    home.wait(HOUR)
    assert home.read()
    home.router.daemon.forget_ram_copy()
    home.router.crash()
    home.wait(MINUTE)
    home.router.stop()
    home.router.start()
    home.wait(5 * MINUTE)
    assert home.read()


def test_a_file_that_is_no_archive_leaves_the_rest_of_its_period_unknown(move_in: MoveIn) -> None:
    """By another zone the same period has another name, and so has its archive."""
    home = move_in(
        start=datetime(2032, 4, 2, 9, tzinfo=UTC), zone="UTC", interval="2031-10-01/7", commit_interval=3_600
    )
    home.router.change_zone("Australia/Lord_Howe")
    home.router.traffic(PHONE, rx=70, tx=7)
    home.wait(MINUTE)
    assert home.read()
    home.reach(datetime(2032, 4, 5, 23, 59, 50, tzinfo=UTC))
    home.router.traffic(PHONE, rx=9_000, tx=90)
    home.reach(datetime(2032, 4, 13, 0, 5, tzinfo=UTC))
    assert home.read()


@pytest.mark.parametrize("days", [40, 70, 200])
@pytest.mark.parametrize(("all_rows_grow", "has_commit"), [(True, False), (False, False), (False, True)])
def test_a_crash_that_brings_back_the_table_of_a_wrong_clock_counts_nothing_twice(
    move_in: MoveIn, days: int, all_rows_grow: bool, has_commit: bool
) -> None:
    """The reboot saves the table by a name of the past, the clock is set right, and up to the next refresh the copy in
    RAM still has it."""
    home = move_in(start=datetime(2032, 4, 2, 9, tzinfo=UTC))
    home.router.traffic(LAPTOP, rx=5_000, tx=5_000)
    if has_commit:  # of less than was read
        home.wait(5 * SECOND)
        home.router.commit()
    home.router.traffic(PHONE, rx=93_000, tx=436_812)
    home.wait(SECOND)
    assert home.read()
    home.wait(SECOND)
    home.router._offset = -days * (DAY // timedelta(microseconds=1))
    home.router.reboot()
    home.router.doubt_clock()
    home.wait(61 * SECOND)
    home.router.set_clock(timedelta(0))
    home.wait(9 * SECOND)
    home.router.crash()
    home.wait(SECOND)
    home.router.traffic(LAPTOP, rx=50, tx=50)
    if all_rows_grow:
        home.router.traffic(PHONE, rx=50, tx=50)
    home.wait(2 * SECOND)
    assert home.read()
