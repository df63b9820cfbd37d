"""Spans of time: how usage is spread over hours and days, and the buckets a history is shown in. Pure.

Hours are UTC; days, weeks (from Monday) and months are local to the router's zone, those of 23 and 25 hours
included. In zones whose midnight is no full UTC hour the hour around it is cut in two, so that a day is always
a whole number of slots and the sums agree exactly.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from utils.time import Zone, floor_hour

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


class Span(NamedTuple):
    """From ``start`` up to, not including, ``end``."""

    start: datetime
    end: datetime


class Granularity(StrEnum):
    """How fine a history is cut."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One span of a history and the local days it lies in."""

    span: Span
    first_day: date
    last_day: date


def slot_of(moment: datetime, zone: Zone) -> Span:
    """The slot of the hourly rollup that ``moment`` lies in: a UTC hour, or the part of it in one local day."""
    hour = floor_hour(moment)
    midnight = zone.midnight(zone.day_of(moment))
    next_midnight = zone.midnight(zone.day_of(moment) + timedelta(days=1))
    return Span(max(hour, midnight), min(hour + HOUR, next_midnight))


def slots_between(start: datetime, end: datetime, zone: Zone) -> Iterator[Span]:
    """The slots from the one ``start`` lies in up to ``end``, in order, uncut."""
    while start < end:
        day = zone.day_of(start)
        midnight, next_midnight = zone.midnight(day), zone.midnight(day + timedelta(days=1))
        # The zone is asked once a day: histories of weeks have thousands of hours.
        hour = floor_hour(start)
        while hour < next_midnight and hour < end:
            yield Span(max(hour, midnight), min(hour + HOUR, next_midnight))
            hour += HOUR
        start = next_midnight


def spread(amount: int, span: Span, parts: Sequence[Span]) -> list[int]:
    """``amount`` bytes over ``parts`` of ``span``, in proportion to time, whole bytes that add up to it exactly.

    ``parts`` cover ``span`` without a hole, in order. Each gets the difference of two floors of the running
    total, so that no byte is rounded away or made up.
    """
    length = (span.end - span.start) // MICROSECOND
    shares = []
    given = 0
    for part in parts:
        reached = amount * ((min(part.end, span.end) - span.start) // MICROSECOND) // length
        shares.append(reached - given)
        given = reached
    return shares


def buckets_between(first: date, last: date, granularity: Granularity, zone: Zone) -> list[Bucket]:
    """The buckets of ``first``..``last`` (local days, both included); weeks and months are cut to that range."""
    if granularity is Granularity.HOUR:
        return [
            Bucket(span=slot, first_day=day.first_day, last_day=day.last_day)
            for day in buckets_between(first, last, Granularity.DAY, zone)
            for slot in slots_between(*day.span, zone)
        ]
    buckets = []
    day = first
    while day <= last:
        end = min(last, _last_day_of(day, granularity))
        span = Span(zone.midnight(day), zone.midnight(end + timedelta(days=1)))
        buckets.append(Bucket(span=span, first_day=day, last_day=end))
        day = end + timedelta(days=1)
    return buckets


def _last_day_of(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.DAY:
        return day
    if granularity is Granularity.WEEK:
        return day + timedelta(days=6 - day.weekday())
    next_month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return next_month - timedelta(days=1)


def covered_share(span: Span, stretches: Sequence[Span], now: datetime) -> float:
    """Which share of ``span`` lies between good readings, 0 to 1.

    Of a span that is still running only the part that has passed counts: the future is no gap. ``stretches`` are in
    order and don't overlap; there may be many thousands.
    """
    end = min(span.end, now)
    length = (end - span.start) / MICROSECOND
    if length <= 0:
        return 0.0
    first = bisect_right(stretches, span.start, key=lambda stretch: stretch.end)
    after = bisect_left(stretches, end, lo=first, key=lambda stretch: stretch.start)
    covered = sum(
        (min(end, stretch.end) - max(span.start, stretch.start)) / MICROSECOND for stretch in stretches[first:after]
    )
    return min(1.0, covered / length)
