"""When a device uses the network: by the hour of the day and by the day of the week. Pure, in bytes.

An average is what was used over how long was observed: an hour that a clock change doubles or skips, and one that was
seen in part, count for as long as they were seen. What is not kept any more was not observed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from services.analytics.weekly_rhythm import WEEK
from services.buckets import HOUR, Bucket, Span
from utils.time import Zone

HOURS_OF_DAY = 24

#: A share of an hour or a day observed from which its usage may speak for its average.
PROFILE_COVERAGE = 0.5


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Averages by the hour of the day, from midnight, or by the day of the week, from Monday."""

    #: Bytes in an observed hour, or day; None where none was observed.
    averages: Sequence[int | None]
    #: How many hours, or days, were observed.
    observed: Sequence[float]


class HourPart(NamedTuple):
    """An observed slot of the hourly rollup, or the part of it in one local hour."""

    slot: datetime
    hour: int
    #: Of the slot, 0 to 1.
    share: float
    #: How long of it was observed, in hours.
    observed: float


def observed_parts(
    slots: Sequence[Span], coverages: Sequence[float], zone: Zone, *, since: datetime, until: datetime
) -> list[HourPart]:
    """The parts of the well observed ``slots`` from ``since`` up to ``until``, in order."""
    return [
        HourPart(slot.start, hour, share, share * coverage * ((slot.end - slot.start) / HOUR))
        for slot, coverage in zip(slots, coverages, strict=True)
        if coverage >= PROFILE_COVERAGE and slot.start >= since and slot.end <= until
        for hour, share in _hours_of(slot, zone)
    ]


def _hours_of(slot: Span, zone: Zone) -> list[tuple[int, float]]:
    """The local hours that a slot lies in, and its share in each: two where the zone is half an hour off UTC."""
    local = slot.start.astimezone(zone.tz)
    left = HOUR - timedelta(minutes=local.minute, seconds=local.second)
    length = slot.end - slot.start
    if left >= length:
        return [(local.hour, 1.0)]
    return [(local.hour, left / length), ((slot.start + left).astimezone(zone.tz).hour, 1 - left / length)]


def hour_profile(used: Mapping[int, float], parts: Iterable[HourPart], since: datetime | None = None) -> Profile:
    """``used``: bytes by hour of the day. ``since``: when the device was first seen, if that is known."""
    observed = [0.0] * HOURS_OF_DAY
    for part in parts:
        if since is None or part.slot + HOUR > since:
            observed[part.hour] += part.observed
    return _averaged([used.get(hour, 0) for hour in range(HOURS_OF_DAY)], observed)


def weekday_profile(values: Sequence[int | None], days: Sequence[Bucket], coverages: Sequence[float]) -> Profile:
    """From a series of whole days, None where one was not observed."""
    used, observed = [0] * WEEK, [0.0] * WEEK
    for value, day, coverage in zip(values, days, coverages, strict=True):
        if value is not None:
            used[day.first_day.weekday()] += value
            observed[day.first_day.weekday()] += coverage
    return _averaged(used, observed)


def _averaged(used: Sequence[float], observed: Sequence[float]) -> Profile:
    return Profile(
        averages=[round(total / count) if count else None for total, count in zip(used, observed, strict=True)],
        observed=observed,
    )
