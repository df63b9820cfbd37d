"""The running month of a router: what was used of it, how much of it was seen, and what it will come to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.analytics.month_projection import BASELINE_DAYS, LEAST_DAYS, Projection, project
from services.history_range import HistoryRange

#: With less of the month so far observed nothing is said of all of it, unless less than LEAST_UNSEEN is missing.
LEAST_SEEN = 0.5
LEAST_UNSEEN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class MonthOutlook:
    """One device's month, or that of all, in bytes."""

    #: Observed so far: what it comes to at least.
    used: int
    #: None with too little to go by; ``reason`` says what.
    projection: Projection | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class MonthSoFar:
    """The month up to now, and what of it is not known: the time that nobody observed, and that to come."""

    first_day: date
    last_day: date
    #: Of the month so far, 0 to 1.
    coverage: float
    #: Where it begins among the days, and which of them is today.
    first: int
    today: int
    #: The days of which a share is not known, by their place.
    unknown: Sequence[tuple[int, float]]
    is_seen: bool

    @classmethod
    def of(cls, wanted: HistoryRange, total: Sequence[int], now: datetime) -> "MonthSoFar":
        """``wanted``: days, today the last of them; ``total``: the bytes of all devices in each."""
        today = len(wanted.buckets) - 1
        first_day = wanted.buckets[today].first_day.replace(day=1)
        first = today - (wanted.buckets[today].first_day - first_day).days
        last_day = (first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        passed, seen, unknown = timedelta(), timedelta(), []
        for place in range(first, today + 1):
            span = wanted.buckets[place].span
            so_far = min(span.end, now) - span.start
            passed += so_far
            seen += so_far * wanted.coverages[place]
            # Usage of a day that nobody observed is out of the router's archives: all of that day.
            is_told = not wanted.coverages[place] and total[place] > 0
            missing = timedelta() if is_told else so_far * (1 - wanted.coverages[place])
            unknown.append((place, (missing + span.end - span.start - so_far) / (span.end - span.start)))
        left = (last_day - wanted.buckets[today].first_day).days
        unknown += [(today + further, 1.0) for further in range(1, left + 1)]
        return cls(
            first_day=first_day,
            last_day=last_day,
            coverage=seen / passed if passed else 0.0,
            first=first,
            today=today,
            unknown=unknown,
            is_seen=passed - seen < max(LEAST_UNSEEN, (1 - LEAST_SEEN) * passed),
        )

    def outlook(self, sums: Sequence[int], rates: Sequence[float | None], first_day: int) -> MonthOutlook:
        """``sums``: bytes by day, today included; ``rates``: those of whole days before; ``first_day``: of a device."""
        used = sum(sums[self.first :])
        if not self.is_seen:
            seen = f"not enough data: {100 * self.coverage:.0f} % of the month so far observed"
            return MonthOutlook(used=used, projection=None, reason=f"{seen}, {100 * LEAST_SEEN:.0f} % are needed")
        begin = max(0, self.today - BASELINE_DAYS)
        unknown = [(place - begin, share) for place, share in self.unknown if place >= first_day]
        projection = project(used, rates[begin:], unknown)
        if projection is None:
            known = sum(rate is not None for rate in rates[begin:])
            days = f"not enough data: {known} of the last {BASELINE_DAYS} days known"
            return MonthOutlook(used=used, projection=None, reason=f"{days}, {LEAST_DAYS} are needed")
        return MonthOutlook(used=used, projection=projection, reason=None)
