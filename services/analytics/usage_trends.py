"""Where usage goes. Pure: series of days in, verdicts out; None is a day that is not known by itself.

Usage is judged by its logarithm, as it varies by factors, not by bytes; a day without any counts as a very quiet one.
What a weekday does is taken out. The days before the period, where there are some, tell how much the device varies
by itself; they are no part of the trend.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, sqrt
from statistics import NormalDist, correlation, fmean, median

from services.analytics.rank_trend import MOST_COUNTED, Point, chance_of_order, pair_slopes, slope_range
from services.analytics.weekly_rhythm import WEEK, WeeklyRhythm, weekly_rhythm

#: With fewer observed days nothing is said.
MIN_POINTS = 4
#: Nor of fewer than this where no two weeks before them tell how the device varies: even five days in perfect order
#: come about by chance once in sixty times.
MIN_POINTS_ALONE = 6
LEAST_EARLIER = 2 * WEEK

#: The fitted line must end with at least this much more than it began with, or begin with this much more than it ends.
TREND_THRESHOLD = 0.25

#: So sure must a direction be. A home has some fifty devices, each asked about: at 0.95 two or three of them would be
#: said to go somewhere although they go nowhere, at 0.995 it is one in a few homes (one to four of a thousand devices,
#: ten to twenty where each day is much like the one before); and what doubles within 30 days is still found.
TREND_CONFIDENCE = 0.995

#: That of the range of a change, as usual for ranges.
RANGE_CONFIDENCE = 0.95

#: What is added to each day before its logarithm is taken, in typical days: 0 is not infinitely far below.
_FLOOR = 0.05
#: A line that begins with less than this, in typical days, began at nothing: no percentage says how much it rose.
_NOTHING = 0.01

#: How like the day before a day is can't be told better than this from some weeks.
_MOST_ALIKE = 0.7

_NORMAL = NormalDist()


class TrendDirection(StrEnum):
    """Where usage goes; stable where no change is large and sure enough."""

    INCREASING = "increasing"
    STABLE = "stable"
    DECREASING = "decreasing"


@dataclass(frozen=True, kw_only=True)
class UsageTrend:
    """What a series of days says; with too few of them ``reason`` says so and all else is None."""

    direction: TrendDirection | None = None
    #: 1 less the probability that a device which goes nowhere shows a slope like this by chance.
    confidence: float | None = None
    #: From the first to the last observed day along the fitted line, with its range of RANGE_CONFIDENCE. -100 is gone,
    #: 100 is doubled; None where the line begins at nothing.
    change_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class UsageTrends:
    """MACs by where their usage goes, each in the order given. Those with too few points are in none."""

    increasing: tuple[str, ...]
    stable: tuple[str, ...]
    decreasing: tuple[str, ...]


def by_direction(trends: Mapping[str, UsageTrend]) -> UsageTrends:
    return UsageTrends(
        **{
            direction.value: tuple(mac for mac, trend in trends.items() if trend.direction is direction)
            for direction in TrendDirection
        }
    )


def judge_trend(values: Sequence[float | None], earlier: Sequence[float | None] = ()) -> UsageTrend:
    """The trend of ``values``, bytes a day; ``earlier`` are the days right before them."""
    observed = sum(value is not None for value in values)
    observed_earlier = sum(value is not None for value in earlier)
    needed = MIN_POINTS if observed_earlier >= LEAST_EARLIER else MIN_POINTS_ALONE
    if observed < needed:
        days = "1 day" if len(values) == 1 else f"{len(values)} days"
        return UsageTrend(reason=f"not enough data: {observed} of {days} known, {needed} are needed")
    level = _level(values) or _level(earlier) or 1.0
    logs = [None if value is None else log(value / level + _FLOOR) for value in (*earlier, *values)]
    rhythm = weekly_rhythm(logs)
    points = [(place, value - rhythm.effects[place % WEEK]) for place, value in enumerate(logs) if value is not None]
    before, within = points[:observed_earlier], points[observed_earlier:]
    slopes = pair_slopes(within)
    fitted = _Fitted(points=within, slope=median(slopes))
    is_known = observed_earlier >= LEAST_EARLIER
    rest = _rest_of(within) | (_rest_of(before) if is_known else {})
    if is_known and observed <= MOST_COUNTED:
        # Too few to be in order for certain; but it is known what is usual.
        deviation, degrees = _deviation_of_pairs(rest, rhythm)
        chance = _chance_of_distance(abs(fitted.change), deviation, degrees)
        reach = _NORMAL.inv_cdf((1 + RANGE_CONFIDENCE) / 2) * deviation / fitted.days
        low, high = fitted.slope - reach, fitted.slope + reach
    else:
        spent = (WEEK - 1) * rhythm.weight * observed / len(points)
        inflation = _inflation(rest, len(earlier)) * observed / (observed - spent)
        chance = chance_of_order(within, slopes, inflation)
        if observed > MOST_COUNTED:
            deviation, degrees = _deviation_of_pairs(rest, rhythm)
            chance = min(chance, _chance_of_distance(abs(fitted.change), deviation, degrees))
        low, high = slope_range(within, slopes, RANGE_CONFIDENCE, inflation)
    return UsageTrend(
        direction=_direction(fitted, chance),
        confidence=1 - chance,
        change_percent=fitted.percent,
        low_percent=_Fitted(points=within, slope=low).percent,
        high_percent=_Fitted(points=within, slope=high).percent,
    )


def _level(values: Iterable[float | None]) -> float:
    """A typical day of those with any usage. 0 where there is none."""
    used = [value for value in values if value]
    return median(used) if used else 0.0


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """A line through points, of logarithms; its ends in typical days."""

    points: Sequence[Point]
    slope: float

    @property
    def days(self) -> int:
        return self.points[-1][0] - self.points[0][0]

    @property
    def change(self) -> float:
        return self.slope * self.days

    @property
    def ends(self) -> tuple[float, float]:
        first = self.points[0][0]
        start = median([value - self.slope * (place - first) for place, value in self.points])
        return max(0.0, exp(start) - _FLOOR), max(0.0, exp(start + self.change) - _FLOOR)

    @property
    def percent(self) -> float | None:
        start, end = self.ends
        if not self.slope:
            return 0.0
        return 100 * (end - start) / start if start >= _NOTHING else None


def _direction(fitted: _Fitted, chance: float) -> TrendDirection:
    start, end = fitted.ends
    if chance > 1 - TREND_CONFIDENCE or max(start, end) < (1 + TREND_THRESHOLD) * min(start, end):
        return TrendDirection.STABLE
    return TrendDirection.INCREASING if fitted.slope > 0 else TrendDirection.DECREASING


def _rest_of(points: Sequence[Point]) -> dict[int, float]:
    """What the points lie above or below the straight line through them (least squares)."""
    place_mean, mean = fmean([place for place, _ in points]), fmean([value for _, value in points])
    width = sum((place - place_mean) ** 2 for place, _ in points)
    slope = sum((place - place_mean) * (value - mean) for place, value in points) / width
    return {place: value - mean - slope * (place - place_mean) for place, value in points}


def _deviation_of_pairs(rest: Mapping[int, float], rhythm: WeeklyRhythm) -> tuple[float, float]:
    """How far two days lie apart by chance, and from how many degrees of freedom that is known.

    ``rest``: of more than `MOST_COUNTED` days. Of fewer the rhythm may leave nothing to tell it from.
    """
    degrees = len(rest) - 2 - (WEEK - 1) * rhythm.weight
    return sqrt(2 * sum(value**2 for value in rest.values()) / degrees), degrees


def _chance_of_distance(change: float, deviation: float, degrees: float) -> float:
    """How probable it is that two days of a device lie this far apart: more than a trend of nothing ever shows."""
    if not deviation:
        return 0.0 if change else 1.0
    distance = change / deviation
    # Student's distribution, as the deviation is estimated: near enough by Abramowitz and Stegun, 26.7.8.
    distance *= (1 - 1 / (4 * degrees)) / sqrt(1 + distance**2 / (2 * degrees))
    return 2 * _NORMAL.cdf(-distance)


def _inflation(rest: Mapping[int, float], first: int) -> float:
    """How many times the variance of independent days these have, as each is like the one before it."""
    ranks = {place: rank for rank, place in enumerate(sorted(rest, key=rest.__getitem__))}
    pairs = [(rank, ranks[place - 1]) for place, rank in ranks.items() if place - 1 in ranks and place != first]
    if len(pairs) <= MOST_COUNTED:
        return 1.0
    count = len(rest)
    alike = (count * correlation(*zip(*pairs, strict=True)) + 1) / (count - 4)  # the estimate itself is too low
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    return (1 + alike) / (1 - alike)
