"""Which periods before the running one a router may hold: every name is asked of a simulated daemon."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from db_operations.periods_db import NamedPeriod
from services.accounting.periods import MOST_PERIODS, PeriodRule
from services.readings.past_periods import DEFAULT_GENERATIONS, earlier_periods
from simulator.clock import ManualClock
from simulator.home import empty_router
from utils.time import parse_zone

DAY = timedelta(days=1)
BERLIN = parse_zone("Europe/Berlin")
NOW = datetime(2031, 11, 11, 9, 0, tzinfo=UTC)


def periods_of(
    setting: str, *, zone: str = "Europe/Berlin", listed: dict[date, str] | None = None, generations: str | None = "4"
) -> list[NamedPeriod]:
    rule, where = PeriodRule.parse(setting), parse_zone(zone)
    running = rule.period_at(NOW, where).start
    return earlier_periods(rule, running, where, listed=listed or {}, generations=generations)


def as_text(periods: list[NamedPeriod]) -> list[tuple[str, str, str]]:
    return [(str(period.start), str(period.end), period.name) for period in periods]


def test_months_before_the_running_one_newest_first() -> None:
    assert as_text(periods_of("1")) == [
        ("2031-10-01", "2031-10-31", "2031-10-01"),
        ("2031-09-01", "2031-09-30", "2031-09-01"),
        ("2031-08-01", "2031-08-31", "2031-08-01"),
        ("2031-07-01", "2031-07-31", "2031-07-01"),
    ]


def test_a_month_without_the_day_has_a_period_with_a_name_that_is_no_day() -> None:
    assert as_text(periods_of("31")) == [
        ("2031-10-01", "2031-10-30", "2031-09-31"),
        ("2031-08-31", "2031-09-30", "2031-08-31"),
        ("2031-07-31", "2031-08-30", "2031-07-31"),
        ("2031-07-01", "2031-07-30", "2031-06-31"),
    ]


@pytest.mark.parametrize(
    ("zone", "newest"), [("Europe/Berlin", "2031-11-10"), ("America/New_York", "2031-11-09"), ("UTC", "2031-11-10")]
)
def test_single_days_begin_where_the_router_cuts_them(zone: str, newest: str) -> None:
    periods = periods_of("2026-10-01/1", zone=zone)
    assert str(periods[0].start) == newest
    assert all(period.start == period.end and period.name == str(period.start) for period in periods)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"])
@pytest.mark.parametrize("setting", ["1", "15", "29", "30", "31", "0", "-1", "2026-10-01/1", "2026-10-04/7"])
def test_a_daemon_has_an_archive_under_every_name(setting: str, zone: str) -> None:
    clock = ManualClock(NOW - timedelta(days=400))
    router = empty_router(clock, zone=zone, database_interval=setting, database_generations=0)
    while clock.now() < NOW:
        clock.advance(DAY)
        router.advance()
    names = [period.name for period in periods_of(setting, zone=zone, generations="8")]
    assert len(names) == 8
    assert [name for name in names if router.daemon.archive(name) is None] == []


@pytest.mark.parametrize(
    ("generations", "count"),
    [
        ("3", 3),
        (" 7 ", 7),
        ("0", MOST_PERIODS),
        ("100000", MOST_PERIODS),
        (None, DEFAULT_GENERATIONS),
        ("", DEFAULT_GENERATIONS),
        ("-1", DEFAULT_GENERATIONS),
        ("many", DEFAULT_GENERATIONS),
        ("9" * 5_000, DEFAULT_GENERATIONS),
        ("٣", DEFAULT_GENERATIONS),
    ],
)
def test_as_many_as_the_router_keeps(generations: str | None, count: int) -> None:
    assert len(periods_of("2031-01-01/1", generations=generations)) == count


def test_no_period_is_older_than_the_year_2000() -> None:
    months = periods_of("1", generations="0")
    assert (len(months), str(months[-1].start)) == (12 * 31 + 10, "2000-01-01")
    assert periods_of("2026-10-01/99999", generations="0") == []


def test_what_the_list_names_is_added_and_later_days_are_not() -> None:
    listed = {date(2031, 10, 1): "2031-10-01", date(2031, 3, 1): "2031-03-01", date(2031, 11, 1): "2031-11-01"}
    periods = periods_of("1", listed=listed | {date(1970, 1, 1): "1970-01-01", date(2032, 1, 1): "2032-01-01"})
    assert [str(period.start) for period in periods] == [
        "2031-10-01",
        "2031-09-01",
        "2031-08-01",
        "2031-07-01",
        "2031-03-01",
    ]


def test_a_list_that_fits_no_setting_gives_periods_without_overlap() -> None:
    listed = {date(2031, 10, day): f"2031-10-{day}" for day in range(10, 31)}
    periods = periods_of("1", listed=listed)
    assert all(after.start == before.end + DAY for after, before in pairwise(periods))
    assert all(period.start <= period.end for period in periods)
    assert periods[0] == (date(2031, 10, 30), date(2031, 10, 31), "2031-10-30")


def test_where_summer_time_ends_at_a_cut_the_walk_goes_on() -> None:
    """In the Azores 00:00 UTC is 00:00 in summer and 23:00 the day before in winter: one date, two cuts."""
    starts = [period.start for period in periods_of("2026-10-01/1", zone="Atlantic/Azores", generations="60")]
    assert len(set(starts)) == 60
    assert starts == sorted(starts, reverse=True)
