"""Periods as people name them for a comparison, and which two spans of time they mean. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.buckets import Span
from services.chosen_days import EARLIEST_YEAR, LATEST_YEAR, Days, same_point, span_of
from utils.errors import ValidationFailed
from utils.time import Zone

#: The longest period that can be compared, in days.
MOST_DAYS = 1_100

#: How a period is written, for those who wrote another.
FORMS = (
    "2026-11-02, 2026-11-02..2026-11-08 (both days included), 2026-11 (a month), 2026-W45 (a week from Monday), "
    "today, yesterday, this-week, last-week, this-month or last-month"
)


class Unit(StrEnum):
    """What a period is one of."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    #: Any days in a row.
    RANGE = "range"


class ComparedPeriod(StrEnum):
    """This one so far against the one before."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def with_the_one_before(self) -> tuple["AskedPeriod", "AskedPeriod"]:
        """Both, the earlier one first."""
        unit = Unit(self.value)
        return AskedPeriod(unit=unit, ago=1), AskedPeriod(unit=unit)


@dataclass(frozen=True, kw_only=True)
class AskedPeriod:
    """A period as it was asked for. Which days it has may depend on what today is."""

    unit: Unit
    #: None: it lies ``ago`` units back.
    days: Days | None = None
    ago: int = 0

    def days_on(self, today: date) -> Days:
        """All its local days, those to come included."""
        if self.days is not None:
            return self.days
        if self.unit is Unit.DAY:
            day = today - timedelta(days=self.ago)
            return Days(day, day)
        if self.unit is Unit.WEEK:
            monday = today - timedelta(days=today.weekday() + 7 * self.ago)
            return Days(monday, monday + timedelta(days=6))
        first = today.replace(day=1)
        for _ in range(self.ago):
            first = (first - timedelta(days=1)).replace(day=1)
        return _month(first)


_NAMED = {
    "today": AskedPeriod(unit=Unit.DAY),
    "yesterday": AskedPeriod(unit=Unit.DAY, ago=1),
    "this-week": AskedPeriod(unit=Unit.WEEK),
    "last-week": AskedPeriod(unit=Unit.WEEK, ago=1),
    "this-month": AskedPeriod(unit=Unit.MONTH),
    "last-month": AskedPeriod(unit=Unit.MONTH, ago=1),
}


def parse_period(text: str) -> AskedPeriod:
    """Any of `FORMS`. Raises ValueError, which says what is wrong and what to write."""
    if named := _NAMED.get(text):
        return named
    days, unit = _fixed_days(text)
    if any(not EARLIEST_YEAR <= day.year <= LATEST_YEAR for day in days):
        raise ValueError(f"must lie between {EARLIEST_YEAR}-01-01 and {LATEST_YEAR}-12-31")
    if days.first > days.last:
        raise ValueError(f"ends before it begins; write it as {days.last}..{days.first}")
    if (days.last - days.first).days >= MOST_DAYS:
        raise ValueError(f"has {(days.last - days.first).days + 1:,} days; at most {MOST_DAYS:,} can be compared")
    return AskedPeriod(unit=unit, days=days)


def _fixed_days(text: str) -> tuple[Days, Unit]:
    try:
        if match := re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII):
            monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return Days(monday, monday + timedelta(days=6)), Unit.WEEK
        if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII):
            return _month(date.fromisoformat(f"{text}-01")), Unit.MONTH
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?", text, re.ASCII):
            first, separator, last = text.partition("..")
            days = Days(date.fromisoformat(first), date.fromisoformat(last or first))
            return days, Unit.RANGE if separator else Unit.DAY
    except (ValueError, OverflowError):
        raise ValueError(f"there is no such day, week or month; write it like one of these: {FORMS}") from None
    raise ValueError(f"not a period; write it like one of these: {FORMS}")


def _month(first: date) -> Days:
    next_month = (first + timedelta(days=31)).replace(day=1)
    return Days(first, next_month - timedelta(days=1))


@dataclass(frozen=True, kw_only=True)
class ComparedSpans:
    """Two periods as they are held against each other."""

    #: As far as they have passed; one is cut short where it is held against one that is still running.
    spans: tuple[Span, Span]
    #: What the second is compared with, in words: "in the week before".
    base: str


def spans_to_compare(periods: Sequence[AskedPeriod], zone: Zone, now: datetime) -> ComparedSpans:
    """What the two ``periods`` mean ``now``. Raises ValidationFailed for one that has not begun.

    One that is still running ends now. A last day, week or month beside a running one ends at the same point of local
    time, as a whole one is no match for a half; one that is written with its date is taken as it is written.
    """
    today = zone.day_of(now)
    days = [period.days_on(today) for period in periods]
    for name, (first, _) in zip(("period1", "period2"), days, strict=True):
        if first > today:
            message = f"has not begun: it starts on {first}, and today is {today} at the router"
            raise ValidationFailed(f"{name} {message}.", details={name: [message]})
    whole = [span_of(each, zone) for each in days]
    spans = [Span(span.start, min(span.end, now)) for span in whole]
    is_running = [span.end > now for span in whole]
    base = _base(periods, *days)
    over, running = (1, 0) if is_running[0] else (0, 1)
    is_alike = periods[over].days is None and periods[over].unit is periods[running].unit
    if is_running[running] and not is_running[over] and is_alike:
        point = same_point(zone, days[over].first, days[running].first, now)
        if point < spans[over].end:
            spans[over] = Span(spans[over].start, point)
            base += ", up to the same point of time"
    return ComparedSpans(spans=(spans[0], spans[1]), base=base)


def _base(periods: Sequence[AskedPeriod], first: Days, second: Days) -> str:
    unit = periods[0].unit
    if unit is periods[1].unit and first.last + timedelta(days=1) == second.first:
        return {
            Unit.DAY: "on the day before",
            Unit.WEEK: "in the week before",
            Unit.MONTH: "in the month before",
            Unit.RANGE: "in the days before",
        }[unit]
    return {
        Unit.DAY: f"on {first.first}",
        Unit.WEEK: f"in the week from {first.first}",
        Unit.MONTH: f"in {first.first:%B %Y}",
        Unit.RANGE: f"from {first.first} to {first.last}",
    }[unit]
