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
    by_weekday = [
        [(place, value) for place, value in enumerate(values[first::WEEK]) if value is not None]
        for first in range(WEEK)
    ]
    if min(map(len, by_weekday)) < _LEAST_OF_A_WEEKDAY:
        return NO_RHYTHM
    slope = median(
        [
            (after[1] - before[1]) / (after[0] - before[0])
            for days in by_weekday
            for before, after in combinations(days, 2)
        ]
    )
    groups = [[value - slope * (week + first / WEEK) for week, value in days] for first, days in enumerate(by_weekday)]
    means = [fmean(group) for group in groups]
    level = fmean(means)
    between = sum(len(group) * (mean - level) ** 2 for group, mean in zip(groups, means, strict=True)) / (WEEK - 1)
    within = sum((value - mean) ** 2 for group, mean in zip(groups, means, strict=True) for value in group)
    within /= sum(map(len, groups)) - WEEK
    weight = max(0.0, 1 - within / between) if between else 0.0
    return WeeklyRhythm(effects=[weight * (mean - level) for mean in means], weight=weight)
