"""What a month will come to, from the days before. Pure, in bytes.

What is to come is as many days as there are left, each like the days of the last weeks: with their weekdays, and the
newer of them counting for more. How far the sum may lie from that follows from how much the days differ, how like
each is to the one before, and how well their level is known from so many of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, pow, sqrt
from statistics import NormalDist

from services.analytics.usage_trends import TrendDirection, judge_trend
from services.analytics.weekly_rhythm import WEEK, weekly_rhythm

#: The days that tell what is usual, and how old one is that counts half.
BASELINE_DAYS = 56
_HALF_LIFE = 14

#: Fewer observed days than a week tell nothing of a month.
LEAST_DAYS = WEEK

#: The month comes to something between low and high so often.
PROJECTION_CONFIDENCE = 0.8

#: A trend of so many days that is sure has changed what is usual: its end counts, not its beginning.
_TREND_DAYS = 4 * WEEK
#: What is all but gone is not divided by.
_LEAST_LEFT = 0.05

#: What is unlike anything seen happens too: a week away, guests. A share of the level that is never known.
_NEVER_KNOWN = 0.05
_MOST_ALIKE = 0.7


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What a device will have used, and the range that it is in with PROJECTION_CONFIDENCE."""

    expected: int
    low: int
    high: int


def project(used: int, days: Sequence[float | None], ahead: Sequence[tuple[int, float]]) -> Projection | None:
    """``used`` and what comes to it; None with fewer than LEAST_DAYS observed days.

    ``days``: the last ones, in bytes, oldest first. ``ahead``: the days of which a share is not known, by their place
    counted like those: len(days) is the one right after. Never less than ``used``.
    """
    if sum(value is not None for value in days) < LEAST_DAYS:
        return None
    drift = _drift(days)
    begin = len(days) - _TREND_DAYS
    now = [
        None if value is None else value * exp(drift * (len(days) - max(place, begin)))
        for place, value in enumerate(days)
    ]
    points = [(place, value) for place, value in enumerate(now) if value is not None]
    rhythm = weekly_rhythm(now)
    level_of = {place: value - rhythm.effects[place % WEEK] for place, value in points}
    weights = {place: 0.5 ** ((len(days) - place) / _HALF_LIFE) for place, _ in points}
    total = sum(weights.values())
    level = sum(weights[place] * value for place, value in level_of.items()) / total
    rest = {place: value - level for place, value in level_of.items()}
    spent = 1 + (WEEK - 1) * rhythm.weight
    variance = sum(weights[place] * value**2 for place, value in rest.items()) / total
    alike = _alikeness(rest, variance)
    variance *= len(points) / (len(points) - spent)
    known_days = total**2 / sum(weight**2 for weight in weights.values()) / _inflation(alike, len(points))
    days_ahead = sum(part for _, part in ahead)
    expected = sum(part * max(0.0, level + rhythm.effects[place % WEEK]) for place, part in ahead)
    of_days = variance * sum(part**2 for _, part in ahead) * _inflation(alike, days_ahead)
    of_level = variance * days_ahead**2 / known_days
    # A trend may go on, or end today: that is not known either.
    of_drift = drift * days_ahead / 2
    deviation = sqrt(of_days + of_level + expected**2 * (_NEVER_KNOWN**2 + of_drift**2))
    low, high = _range_of(expected, deviation * (1 + 0.7 / max(1.0, known_days)))
    return Projection(expected=used + round(expected), low=used + int(low), high=used + round(high))


def _drift(days: Sequence[float | None]) -> float:
    """By which factor, as its logarithm, usage changes from day to day; 0 where no trend is sure."""
    trend = judge_trend(days[-_TREND_DAYS:], days[:-_TREND_DAYS])
    if trend.direction in (None, TrendDirection.STABLE) or trend.change_percent is None:
        return 0.0
    return log(max(_LEAST_LEFT, 1 + trend.change_percent / 100)) / _TREND_DAYS


def _alikeness(rest: dict[int, float], variance: float) -> float:
    """The correlation of a day with the one before it; what is estimated from so few is too low."""
    pairs = [(value, rest[place - 1]) for place, value in rest.items() if place - 1 in rest]
    if len(pairs) < LEAST_DAYS or not variance:
        return 0.0
    alike = sum(value * before for value, before in pairs) / len(pairs) / variance
    return min(max(alike + (1 + 3 * alike) / len(pairs), 0.0), _MOST_ALIKE)


def _inflation(alike: float, days: float) -> float:
    """How many times further the sum of so many days varies than if none were like the one before."""
    if days <= 1:
        return 1.0
    return (1 + alike) / (1 - alike) - 2 * alike * (1 - pow(alike, days)) / (days * (1 - alike) ** 2)


def _range_of(expected: float, deviation: float) -> tuple[float, float]:
    """Of a sum that can't be below 0 and lies further above its mean than below: a gamma distribution's.

    By the approximation of Wilson and Hilferty.
    """
    if not expected:
        return 0.0, 0.0
    relative = (deviation / expected) ** 2
    reach = NormalDist().inv_cdf((1 + PROJECTION_CONFIDENCE) / 2) * sqrt(relative) / 3
    low, high = (expected * max(0.0, 1 - relative / 9 + way) ** 3 for way in (-reach, reach))
    return min(low, expected), max(high, expected)
