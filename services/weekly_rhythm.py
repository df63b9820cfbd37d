"""What a weekday does to a series of days, so that a quiet Sunday at its end is no decline. Pure.

The days are named by their place in the series: every seventh is the same weekday.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

WEEK = 7

#: With fewer of a weekday its habits can't be told from chance.
_LEAST_OF_A_WEEKDAY = 2


@dataclass(frozen=True, kw_only=True)
class WeeklyRhythm:
    """How far the days of a week lie above or below each other."""

    #: What a day in place p lies above the level, at p modulo 7.
    effects: Sequence[float]
    #: How far they are believed, 0 (all chance) to 1.
    weight: float


NO_RHYTHM = WeeklyRhythm(effects=(0.0,) * WEEK, weight=0.0)


def weekly_rhythm(values: Sequence[float | None]) -> WeeklyRhythm:
    """The rhythm of a series of days, None where one was not observed; NO_RHYTHM with less than two weeks.

    Each weekday's mean is drawn towards the common one by how much of its distance chance explains (James and Stein,
    as in an analysis of variance). A trend does not pass for a rhythm: it is told from equal weekdays, and taken out.
    """
    points = [(place, value) for place, value in enumerate(values) if value is not None]
    same = (pair for pair in combinations(points, 2) if (pair[1][0] - pair[0][0]) % WEEK == 0)
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in same]
    slope = median(slopes) if slopes else 0.0
    by_weekday: list[list[float]] = [[] for _ in range(WEEK)]
    for place, value in points:
        by_weekday[place % WEEK].append(value - slope * place)
    if min(map(len, by_weekday)) < _LEAST_OF_A_WEEKDAY:
        return NO_RHYTHM
    means = [fmean(group) for group in by_weekday]
    level = fmean(means)
    between = sum(len(group) * (mean - level) ** 2 for group, mean in zip(by_weekday, means, strict=True)) / (WEEK - 1)
    within = sum((value - mean) ** 2 for group, mean in zip(by_weekday, means, strict=True) for value in group)
    within /= len(points) - WEEK
    weight = max(0.0, 1 - within / between) if between else 0.0
    return WeeklyRhythm(effects=[weight * (mean - level) for mean in means], weight=weight)
