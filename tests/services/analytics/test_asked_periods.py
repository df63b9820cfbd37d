"""What people call periods, which spans of time they mean, and what the other one is cut to."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.asked_periods import MOST_DAYS, ComparedPeriod, ComparedSpans, parse_period, spans_to_compare
from services.buckets import Span
from services.chosen_days import Days
from tests.services.analytics.watched import BERLIN, NOW
from utils.errors import ValidationFailed
from utils.time import Zone, parse_zone

KOLKATA = parse_zone("Asia/Kolkata")

#: A Wednesday.
TODAY = date(2031, 11, 12)


def days(first: str, last: str | None = None) -> Days:
    return Days(date.fromisoformat(first), date.fromisoformat(last or first))


def spans(first: str, second: str, now: datetime = NOW, zone: Zone = BERLIN) -> ComparedSpans:
    return spans_to_compare((parse_period(first), parse_period(second)), zone, now)


def local(span: Span, zone: Zone = BERLIN) -> tuple[str, str]:
    return tuple(f"{moment.astimezone(zone.tz):%Y-%m-%d %H:%M}" for moment in span)  # type: ignore[return-value]


# --- words for periods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", days("2031-11-12")),
        ("yesterday", days("2031-11-11")),
        ("this-week", days("2031-11-10", "2031-11-16")),
        ("last-week", days("2031-11-03", "2031-11-09")),
        ("this-month", days("2031-11-01", "2031-11-30")),
        ("last-month", days("2031-10-01", "2031-10-31")),
        ("2031-02", days("2031-02-01", "2031-02-28")),
        ("2028-02", days("2028-02-01", "2028-02-29")),
        ("2031-12", days("2031-12-01", "2031-12-31")),
        ("2032-W53", days("2032-12-27", "2033-01-02")),
        ("2031-W01", days("2030-12-30", "2031-01-05")),
        ("2031-11-02", days("2031-11-02")),
        ("2031-11-02..2031-11-02", days("2031-11-02")),
        ("2031-10-30..2031-11-02", days("2031-10-30", "2031-11-02")),
    ],
)
def test_a_period_has_the_days_it_is_called_by(text: str, meant: Days) -> None:
    assert parse_period(text).days_on(TODAY) == meant


@pytest.mark.parametrize("today", ["2032-01-01", "2032-01-31", "2032-03-31", "2032-02-29"])
def test_the_last_month_is_a_whole_one_on_every_day(today: str) -> None:
    day = date.fromisoformat(today)
    first, last = parse_period("last-month").days_on(day)
    assert (first.day, last) == (1, day.replace(day=1) - timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "not a period; write it like one of these: "),
        ("next-week", "not a period"),
        ("week", "not a period"),
        ("2031-11-02..", "not a period"),
        ("2031-11-2", "not a period"),
        ("2031-11-02...2031-11-03", "not a period"),
        ("2031-11-02 .. 2031-11-03", "not a period"),
        ("２０３１-11-02", "not a period"),
        ("2031-11-31", "there is no such day, week or month"),
        ("2031-13", "there is no such day"),
        ("2031-W53", "there is no such day"),
        ("2031-W00", "there is no such day"),
        ("9999-12", "there is no such day"),
        ("1999-12-31", "must lie between 2000-01-01 and 2200-12-31"),
        ("2200-W53", "there is no such day"),
        ("2031-11-08..2031-11-02", "ends before it begins; write it as 2031-11-02..2031-11-08"),
        ("2028-01-01..2031-01-05", "has 1,101 days; at most 1,100 can be compared"),
    ],
)
def test_what_is_no_period_is_told_with_what_to_write(text: str, wrong: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_period(text)
    assert str(caught.value).startswith(wrong)


def test_the_longest_period_may_be_compared() -> None:
    last = date(2028, 1, 1) + timedelta(days=MOST_DAYS - 1)
    assert parse_period(f"2028-01-01..{last}").days == (date(2028, 1, 1), last)


# --- spans of time ---------------------------------------------------------------------------------------


def test_periods_that_are_over_are_whole() -> None:
    before, after = spans("2031-10", "2031-W45").spans
    assert local(before) == ("2031-10-01 00:00", "2031-11-01 00:00")
    assert local(after) == ("2031-11-03 00:00", "2031-11-10 00:00")
    assert before.end - before.start == timedelta(days=31, hours=1)  # the clocks went back


@pytest.mark.parametrize(
    ("first", "second", "cut"),
    [
        ("yesterday", "today", ("2031-11-11 00:00", "2031-11-11 15:30")),
        ("last-week", "this-week", ("2031-11-03 00:00", "2031-11-05 15:30")),
        ("last-month", "this-month", ("2031-10-01 00:00", "2031-10-12 15:30")),
        ("last-month", "2031-11", ("2031-10-01 00:00", "2031-10-12 15:30")),
    ],
)
def test_the_last_one_held_against_a_running_one_of_its_kind_ends_at_the_same_point(
    first: str, second: str, cut: tuple[str, str]
) -> None:
    told = spans(first, second)
    assert local(told.spans[0]) == cut
    assert told.spans[1].end == NOW
    assert told.base.endswith(", up to the same point of time")
    assert spans(second, first).spans == told.spans[::-1]


@pytest.mark.parametrize(
    ("first", "second"),
    [("last-month", "this-week"), ("2031-10", "this-month"), ("2031-10-01..2031-10-31", "2031-11-01..2031-12-01")],
)
def test_what_is_not_of_its_kind_or_written_with_its_date_stays_as_asked(first: str, second: str) -> None:
    told = spans(first, second)
    assert local(told.spans[0]) == ("2031-10-01 00:00", "2031-11-01 00:00")
    assert told.spans[1].end == NOW
    assert "same point" not in told.base


def test_a_month_longer_than_the_other_is_held_against_all_of_that() -> None:
    told = spans("last-month", "2031-03", datetime(2031, 3, 30, 12, tzinfo=UTC))
    assert local(told.spans[0]) == ("2031-02-01 00:00", "2031-03-01 00:00")
    assert told.base == "in the month before"


@pytest.mark.parametrize(
    ("zone", "now", "point"),
    [
        # In Berlin it was 02:30 twice on the 26th of October, and on the 30th of March never.
        (BERLIN, datetime(2031, 10, 26, 1, 30, tzinfo=UTC), "2031-10-19 02:30"),
        (BERLIN, datetime(2031, 11, 2, 1, 30, tzinfo=UTC), "2031-10-26 02:30"),
        (BERLIN, datetime(2031, 4, 6, 0, 30, tzinfo=UTC), "2031-03-30 03:30"),
        (BERLIN, datetime(2031, 4, 6, 12, 0, tzinfo=UTC), "2031-03-30 14:00"),
        (KOLKATA, datetime(2031, 11, 11, 18, 45, tzinfo=UTC), "2031-11-05 00:15"),
    ],
)
def test_the_same_point_is_one_of_local_time(zone: Zone, now: datetime, point: str) -> None:
    before, after = spans_to_compare(ComparedPeriod.WEEK.with_the_one_before(), zone, now).spans
    assert local(before, zone)[1] == point
    assert after.end == now
    assert before.start < before.end <= after.start


def test_at_midnight_a_day_has_only_begun() -> None:
    before, after = spans("yesterday", "today", datetime(2031, 11, 11, 23, tzinfo=UTC)).spans
    assert (before.start, after.start) == (before.end, after.end)


def test_a_period_may_have_days_to_come_but_not_those_alone() -> None:
    assert local(spans("2031-11-01", "2031-11-10..2032-01-31").spans[1]) == ("2031-11-10 00:00", "2031-11-12 15:30")
    for number, asked in enumerate([("2031-12", "today"), ("today", "2031-11-13")], start=1):
        with pytest.raises(ValidationFailed) as caught:
            spans(*asked)
        assert list(caught.value.details or {}) == [f"period{number}"]
        assert "today is 2031-11-12 at the router" in caught.value.message


@pytest.mark.parametrize(
    ("first", "second", "base"),
    [
        ("2031-11-04", "2031-11-05", "on the day before"),
        ("2031-W44", "last-week", "in the week before"),
        ("2031-09", "last-month", "in the month before"),
        ("2031-11-01..2031-11-02", "2031-11-03..2031-11-04", "in the days before"),
        ("2031-11-01", "2031-11-03", "on 2031-11-01"),
        ("2031-W44", "2031-11-03", "in the week from 2031-10-27"),
        ("2031-08", "2031-10", "in August 2031"),
        ("2031-11-01..2031-11-02", "2031-11-03", "from 2031-11-01 to 2031-11-02"),
    ],
)
def test_what_it_is_compared_with_is_told_in_words(first: str, second: str, base: str) -> None:
    assert spans(first, second).base == base
