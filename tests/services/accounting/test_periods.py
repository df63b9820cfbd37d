"""nlbwmon's accounting periods, worked out as the daemon works them out."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.accounting.periods import MOST_PERIODS, AccountingPeriod, PeriodRule, current_period
from simulator.clock import ManualClock
from simulator.home import empty_router
from utils.time import parse_zone

DAYS = st.dates(date(2020, 1, 1), date(2036, 12, 31))
ANCHORS = st.dates(date(2010, 1, 1), date(2018, 12, 31))  # before all of DAYS
RULES = st.one_of(
    st.integers(-30, 31).map(lambda day: PeriodRule(day_of_month=day)),
    st.builds(lambda anchor, days: PeriodRule(anchor=anchor, days=days), ANCHORS, st.integers(1, 400)),
)


GREENWICH = parse_zone("UTC")


def period_of(rule: PeriodRule, day: date) -> AccountingPeriod:
    """The period of a day, by a router in Greenwich."""
    return rule.period_at(datetime.combine(day, time(12), UTC), GREENWICH)


def running(rule: PeriodRule, day: date, listed: list[date] | None = None) -> AccountingPeriod:
    return current_period(rule, datetime.combine(day, time(12), UTC), GREENWICH, listed or [])


def period(rule: PeriodRule, day: str) -> tuple[str, str]:
    found = period_of(rule, date.fromisoformat(day))
    return found.start.isoformat(), found.end.isoformat()


# -- the setting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [None, "", "1", " 1 ", "01"])
def test_the_usual_period_is_a_month(setting: str | None) -> None:
    assert PeriodRule.parse(setting) == PeriodRule(day_of_month=1)


def test_a_setting_is_a_day_of_the_month_or_a_date_and_a_number_of_days() -> None:
    assert PeriodRule.parse("28") == PeriodRule(day_of_month=28)
    assert PeriodRule.parse("2026-11-01/7") == PeriodRule(anchor=date(2026, 11, 1), days=7)


@pytest.mark.parametrize(
    "setting", ["monthly", "32", "99999", "2026-11-01/0", "2026-11-01/-7", "2026-13-01/7", "2026-11-01", "2026-11-01/x"]
)
def test_a_setting_that_cannot_be_read_means_months(setting: str) -> None:
    assert PeriodRule.parse(setting) == PeriodRule(day_of_month=1)


@given(st.text(st.characters(), max_size=30))
def test_no_setting_makes_it_raise(setting: str) -> None:
    period_of(PeriodRule.parse(setting), date(2026, 11, 10))


# -- periods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "day", "expected"),
    [
        ("1", "2026-11-10", ("2026-11-01", "2026-11-30")),
        ("1", "2026-11-01", ("2026-11-01", "2026-11-30")),
        ("1", "2026-11-30", ("2026-11-01", "2026-11-30")),
        ("1", "2028-02-29", ("2028-02-01", "2028-02-29")),
        ("15", "2026-01-14", ("2025-12-15", "2026-01-14")),
        ("15", "2026-12-15", ("2026-12-15", "2027-01-14")),
        ("28", "2026-02-28", ("2026-02-28", "2026-03-27")),
        ("2026-11-01/7", "2026-11-07", ("2026-11-01", "2026-11-07")),
        ("2026-11-01/7", "2026-11-08", ("2026-11-08", "2026-11-14")),
        ("2026-11-01/7", "2026-10-25", ("2026-10-25", "2026-10-31")),
        # Before the anchor, a period is called by the cut that it runs up to, and a day longer.
        ("2026-11-01/7", "2026-10-26", ("2026-11-01", "2026-11-07")),
        ("2026-11-01/7", "2026-10-31", ("2026-11-01", "2026-11-07")),
        ("2026-11-01/1", "2026-11-10", ("2026-11-10", "2026-11-10")),
    ],
)
def test_a_day_lies_in_its_period(setting: str, day: str, expected: tuple[str, str]) -> None:
    assert period(PeriodRule.parse(setting), day) == expected


@given(RULES, DAYS)
def test_periods_follow_one_another_without_hole_or_overlap(rule: PeriodRule, day: date) -> None:
    start, end = period_of(rule, day)

    assert start <= day <= end
    assert period_of(rule, start) == period_of(rule, end) == (start, end)
    assert period_of(rule, end + timedelta(days=1)).start == end + timedelta(days=1)
    assert period_of(rule, start - timedelta(days=1)).end == start - timedelta(days=1)


@given(RULES, DAYS, st.integers(0, 1_000))
def test_starts_between_two_periods_are_all_of_them(rule: PeriodRule, day: date, later: int) -> None:
    first, last = period_of(rule, day).start, period_of(rule, day + timedelta(days=later)).start
    expected = {period_of(rule, day + timedelta(days=step)).start for step in range(later + 1)} - {first, last}

    assert rule.starts_between(first, last, GREENWICH) == sorted(expected)[-MOST_PERIODS:]


@given(RULES, DAYS, st.integers(0, 500), st.sampled_from(sorted(available_timezones())))
@example(PeriodRule(anchor=date(2026, 1, 1), days=1), date(2026, 10, 24), 1, "Atlantic/Azores")  # one day, two cuts
def test_looking_back_ends_in_every_zone(rule: PeriodRule, day: date, later: int, name: str) -> None:
    try:
        zone = parse_zone(name)
    except ValueError:
        return  # none of a router's
    noon = datetime.combine(day, time(12), UTC)
    first, last = (rule.period_at(moment, zone).start for moment in (noon, noon + timedelta(days=later)))

    starts = rule.starts_between(first, last, zone)

    assert starts == sorted(set(starts))
    assert all(first < start < last for start in starts)
    assert len(starts) <= MOST_PERIODS


def test_nothing_starts_between_neighbours() -> None:
    rule = PeriodRule(day_of_month=1)

    assert rule.starts_between(date(2026, 10, 1), date(2026, 11, 1), GREENWICH) == []
    assert rule.starts_between(date(2026, 11, 1), date(2026, 11, 1), GREENWICH) == []
    assert rule.starts_between(date(2026, 11, 1), date(2026, 10, 1), GREENWICH) == []


# -- the running period ---------------------------------------------------------------------------------------


def test_the_running_period_is_worked_out_where_the_list_is_empty() -> None:
    assert running(PeriodRule(day_of_month=1), date(2026, 11, 10)) == AccountingPeriod(
        date(2026, 11, 1), date(2026, 11, 30)
    )


def test_a_list_of_older_periods_only_changes_nothing() -> None:
    listed = [date(2026, 10, 1), date(2026, 9, 1)]

    assert running(PeriodRule(day_of_month=1), date(2026, 11, 10), listed).start == date(2026, 11, 1)


def test_a_newer_start_on_the_list_is_believed() -> None:
    listed = [date(2026, 10, 28), date(2026, 11, 5)]

    assert running(PeriodRule(day_of_month=1), date(2026, 11, 10), listed) == AccountingPeriod(
        date(2026, 11, 5), date(2026, 11, 30)
    )


def test_a_start_in_the_future_is_not_believed() -> None:
    """Files of a clock that ran ahead for a while."""
    assert running(PeriodRule(day_of_month=1), date(2026, 11, 10), [date(2036, 1, 1)]).start == date(2026, 11, 1)


# -- as the daemon does it ------------------------------------------------------------------------------------


def status_of_our_name(interval: str, moment: datetime, zone_name: str) -> int:
    """Exit status of asking the router, which has just committed, for the period that we think is running."""
    router = empty_router(ManualClock(moment), zone=zone_name, database_interval=interval)
    router.commit()
    rule, zone = PeriodRule.parse(interval), parse_zone(zone_name)
    name = rule.name_of(current_period(rule, moment, zone).start)
    return router.run(f"nlbw -c json -t {name}").status


MOMENTS = st.integers(0, 4 * 366 * 86_400).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@settings(max_examples=60)
@given(
    st.integers(1, 28),
    MOMENTS,
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_period_from_a_day_that_every_month_has_is_found_under_our_name(
    day: int, moment: datetime, zone: str
) -> None:
    assert status_of_our_name(str(day), moment, zone) == 0


@settings(max_examples=60)
@given(st.sampled_from(["2026-11-01/7", "2025-01-01/1", "2026-02-28/30", "2028-12-01/9"]), MOMENTS)
def test_a_period_of_n_days_is_found_under_our_name_in_utc(interval: str, moment: datetime) -> None:
    """Also while the clock is before the date of the setting."""
    assert status_of_our_name(interval, moment, "UTC") == 0


@given(st.integers(1, 40), st.integers(-100, 100), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_a_period_of_n_days_begins_where_its_name_does(days: int, day: int, zone_name: str) -> None:
    """At each hour around the anchor: the period's first moment has its name, the moment before has not."""
    rule, zone = PeriodRule(anchor=date(2026, 12, 1), days=days), parse_zone(zone_name)
    moment = datetime(2026, 12, 1, 7, 30, tzinfo=UTC) + timedelta(days=day)
    start = rule.period_at(moment, zone).start
    began = rule.began_at(start, zone)

    assert began <= moment
    assert rule.period_at(began, zone).start == start
    assert rule.period_at(began - timedelta(seconds=1), zone).start < start
    assert rule.period_before(start, zone) == rule.period_at(began - timedelta(seconds=1), zone)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_period_of_n_days_is_found_under_our_name_away_from_greenwich(zone: str) -> None:
    assert status_of_our_name("2026-11-01/7", datetime(2026, 11, 10, 12, tzinfo=UTC), zone) == 0


@pytest.mark.parametrize("interval", ["-1", "-2", "0"])
def test_a_day_counted_from_the_months_end_is_found_under_our_name(interval: str) -> None:
    """OpenWrt's own comment in /etc/config/nlbwmon offers '-2': the second last day of the month."""
    assert status_of_our_name(interval, datetime(2026, 11, 10, 12, tzinfo=UTC), "Europe/Berlin") == 0


@pytest.mark.parametrize(
    "moment", ["2026-03-15T12:00:00+00:00", "2026-02-28T12:00:00+00:00", "2026-11-10T12:00:00+00:00"]
)
def test_a_period_from_the_31st_is_found_under_our_name_after_a_short_month(moment: str) -> None:
    """The daemon starts none on a short month's last day: its period goes on, or bears the name 2026-02-31."""
    assert status_of_our_name("31", datetime.fromisoformat(moment), "Europe/Berlin") == 0


def test_a_period_of_one_day_never_ends_before_it_begins() -> None:
    """In the Azores the clock is put back at 01:00 UTC: two cuts at 00:00 UTC lie in one local day."""
    zone = parse_zone("Atlantic/Azores")
    rule = PeriodRule.parse("2026-10-01/1")
    for hours in range(24 * 40):
        period = rule.period_at(datetime(2026, 10, 5, tzinfo=UTC) + timedelta(hours=hours), zone)
        assert period.start <= period.end
