"""Which local days a request means, and what two of them are held against each other. Pure."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from services.buckets import Span
from utils.errors import ValidationFailed
from utils.time import Zone

#: No day of a request lies outside of them.
EARLIEST_YEAR, LATEST_YEAR = 2000, 2200


class Days(NamedTuple):
    """Local days, both included."""

    first: date
    last: date


def chosen_days(start_date: date | None, end_date: date | None, *, today: date, most: int, limits: str = "") -> Days:
    """The days that a request means: the last 7 where it names none.

    ``most``: how many days it may have; ``limits``: of what, where it depends. Raises ValidationFailed.
    """
    last = end_date or max(today, start_date or date.min)
    days = Days(start_date or last - timedelta(days=6), last)
    message = None
    if days.first > days.last:
        message = f"startDate is after endDate ({days.last.isoformat()})"
    elif (days.last - days.first).days >= most:
        message = f"startDate to endDate may be at most {most:,} days{limits}"
    if message:
        raise ValidationFailed(f"The request can't be used: {message}.", details={"startDate": [message]})
    return days


def span_of(days: Days, zone: Zone) -> Span:
    return Span(zone.midnight(days.first), zone.midnight(days.last + timedelta(days=1)))


def up_to_same_point(zone: Zone, before: date, days: Days, now: datetime) -> tuple[Span, Span]:
    """What began at ``before`` up to the same local time as ``days``, and these as far as they have passed."""
    span = span_of(days, zone)
    if span.end <= now:
        return Span(zone.midnight(before), span.start), span
    point = same_point(zone, before, days.first, now)
    return Span(zone.midnight(before), min(point, span.start)), Span(span.start, now)


def same_point(zone: Zone, first: date, running_first: date, now: datetime) -> datetime:
    """The moment at which what began on ``first`` was as old, in days and local time, as now is what began on
    ``running_first``."""
    local = now.astimezone(zone.tz)
    same_day = first + (local.date() - running_first)
    return datetime.combine(same_day, local.time(), tzinfo=zone.tz).astimezone(UTC)
