"""Which days a report is on, and which ones it compares them with. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.buckets import Granularity, Span
from services.chosen_days import Days, chosen_days, up_to_same_point
from utils.errors import ValidationFailed
from utils.time import Zone

#: The longest range, in days.
MOST_DAYS = 1_100


class ReportPeriod(StrEnum):
    """How long a report's period is, up to and with its last day; or any range of days."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    RANGE = "range"


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What somebody wants a report on; today is the last day, as far as it has passed, if there is no other."""

    period: ReportPeriod
    #: With RANGE alone.
    start_date: date | None = None
    end_date: date | None = None


@dataclass(frozen=True, kw_only=True)
class ReportedDays:
    """The days of a report, the days before them, and the spans that are held against each other."""

    days: Days
    #: Up to now, where the last day is still running.
    span: Span
    #: As long, and up to the same point in time.
    previous: Span

    @property
    def count(self) -> int:
        return (self.days.last - self.days.first).days + 1

    @property
    def granularity(self) -> Granularity:
        """How fine a chart of them is cut: at most some sixty bars."""
        if self.count <= 2:
            return Granularity.HOUR
        if self.count <= 62:
            return Granularity.DAY
        return Granularity.WEEK if self.count <= 366 else Granularity.MONTH


def reported_days(request: ReportRequest, zone: Zone, now: datetime) -> ReportedDays:
    """The days that ``request`` means. Raises ValidationFailed."""
    today = zone.day_of(now)
    last = request.end_date or today
    if last > today:
        message = f"lies in the future: today is {today} at the router"
        raise ValidationFailed(f"endDate {message}.", details={"endDate": [message]})
    if request.period is ReportPeriod.RANGE:
        days = chosen_days(request.start_date, last, today=today, most=MOST_DAYS)
    else:
        days = Days(_first_day_of(request.period, last), last)
    before = _first_day_of(request.period, days.first - timedelta(days=1))
    if request.period is ReportPeriod.RANGE:
        before = days.first - (days.last - days.first) - timedelta(days=1)
    previous, span = up_to_same_point(zone, before, days, now)
    return ReportedDays(days=days, span=span, previous=previous)


def _first_day_of(period: ReportPeriod, last: date) -> date:
    """The first day of the period that ends with ``last``: of a whole month, if it is a month's last day."""
    if period is ReportPeriod.MONTH:
        day_after = last + timedelta(days=1)
        last_of_month_before = day_after.replace(day=1) - timedelta(days=1)
        return last_of_month_before.replace(day=min(day_after.day, last_of_month_before.day))
    return last - timedelta(days=6 if period is ReportPeriod.WEEK else 0)
