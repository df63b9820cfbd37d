"""Homes in which trends were planted, and homes in which there are none: what is found, and how often months agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from random import Random

import pytest

from services.analytics.month_projection import BASELINE_DAYS, PROJECTION_CONFIDENCE, project
from services.analytics.usage_trends import judge_trend

HOME = 50
MB = 10**6


@dataclass(frozen=True, kw_only=True)
class Habit:
    """A device whose days vary by a factor of exp(spread), are like the one before, and are not always used."""

    spread: float
    alike: float = 0.0
    unused: float = 0.0
    week: Sequence[float] = (1, 1, 1, 1, 1, 1, 1)


AT_WORK = (1, 1, 1, 1, 1, 0.02, 0.02)
AT_WEEKENDS = (1, 1, 1, 1, 1.5, 3, 2.5)
HABITS = [
    Habit(spread=0.3),
    Habit(spread=1),
    Habit(spread=0.5, alike=0.3),
    Habit(spread=1, alike=0.5),
    Habit(spread=1, unused=0.3),
    Habit(spread=1, unused=0.85),
    Habit(spread=0.3, week=AT_WORK),
    Habit(spread=1, week=AT_WORK),
    Habit(spread=0.2, week=AT_WEEKENDS),
    Habit(spread=0.4, alike=0.3, week=AT_WEEKENDS),
]


def lived(rng: Random, habit: Habit, days: int, *, growth: float = 1, grown: int = 29) -> list[int]:
    """Bytes a day; over the last ``grown`` of them usage goes to ``growth`` times what it was, in a straight line."""
    state, weekday = rng.gauss(0, habit.spread), rng.randrange(7)
    values = []
    for day in range(days):
        state = habit.alike * state + rng.gauss(0, habit.spread * sqrt(1 - habit.alike**2))
        level = 1 + (growth - 1) * max(0, day - (days - grown)) / (grown - 1)
        used = 500 * MB * exp(state) * level * habit.week[(day + weekday) % 7]
        values.append(0 if rng.random() < habit.unused else int(used))
    return values


@pytest.mark.parametrize(("days", "before"), [(29, 27), (29, 0), (6, 50), (6, 0)])
def test_where_nothing_goes_anywhere_hardly_a_trend_is_found(days: int, before: int) -> None:
    """Ten homes of fifty devices: less than one of a hundred is said to go somewhere."""
    rng = Random(20)
    found = 0
    for number in range(10 * HOME):
        values = lived(rng, HABITS[number % len(HABITS)], before + days)
        found += judge_trend(values[before:], values[:before]).direction != "stable"

    assert found <= 10 * HOME / 100


@pytest.mark.parametrize(
    ("growth", "spread", "days", "least"),
    [(2, 0.1, 29, 0.99), (2, 0.2, 29, 0.9), (0.5, 0.2, 29, 0.9), (3, 0.3, 29, 0.9), (2, 0.1, 6, 0.9), (3, 0.2, 6, 0.8)],
)
def test_planted_trends_are_found(growth: float, spread: float, days: int, least: float) -> None:
    rng = Random(21)
    expected = "increasing" if growth > 1 else "decreasing"
    found = 0
    for _ in range(100):
        values = lived(rng, Habit(spread=spread), 56, growth=growth, grown=days)
        found += judge_trend(values[-days:], values[:-days]).direction == expected

    assert found / 100 >= least


def test_a_trend_is_found_behind_the_weekends() -> None:
    rng = Random(22)
    homes = [lived(rng, Habit(spread=0.2, week=AT_WORK), 56, growth=3) for _ in range(100)]
    trends = [judge_trend(values[-29:], values[:-29]) for values in homes]

    assert sum(trend.direction == "increasing" for trend in trends) >= 90
    in_range = sum(
        trend.low_percent is not None and trend.low_percent <= 200 <= (trend.high_percent or 0) for trend in trends
    )
    assert in_range >= 85


@pytest.mark.parametrize("left", [25, 15, 5])
def test_months_come_to_what_was_projected_as_often_as_promised(left: int) -> None:
    rng = Random(23)
    inside = 0
    for number in range(40 * len(HABITS)):
        days = lived(rng, HABITS[number % len(HABITS)], BASELINE_DAYS + left)
        told = project(0, days[:BASELINE_DAYS], [(BASELINE_DAYS + ahead, 1.0) for ahead in range(left)])
        assert told is not None
        inside += told.low <= sum(days[BASELINE_DAYS:]) <= told.high

    assert inside / (40 * len(HABITS)) == pytest.approx(PROJECTION_CONFIDENCE, abs=0.07)


def test_a_trend_is_projected_from_where_it_has_come_to() -> None:
    rng = Random(24)
    days = lived(rng, Habit(spread=0.1), BASELINE_DAYS, growth=2)
    told = project(7, days, [(BASELINE_DAYS + ahead, 1.0) for ahead in range(10)])

    assert told is not None
    assert told.expected == pytest.approx(10 * 2 * 500 * MB, rel=0.15)
    assert 7 <= told.low <= told.expected <= told.high


def test_nothing_left_is_nothing_more() -> None:
    told = project(123, [10] * BASELINE_DAYS, [])
    assert told is not None
    assert (told.low, told.expected, told.high) == (123, 123, 123)
    assert project(123, [None] * 50 + [10] * 6, [(56, 1.0)]) is None
