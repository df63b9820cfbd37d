"""Theil and Sen's slope, Mann and Kendall's test."""

from itertools import combinations, permutations
from random import Random
from statistics import median

import pytest

from services.analytics.rank_trend import chance_of_order, pair_slopes, slope_range


def chance(values: list[float]) -> float:
    points = list(enumerate(values))
    return chance_of_order(points, pair_slopes(points))


@pytest.mark.parametrize(
    "values", [[1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5], [0, 0, 0, 2, 1, 3], [2, 2, 1, 1, 1], [1, 1]]
)
def test_of_few_points_chance_is_the_share_of_all_orders(values: list[float]) -> None:
    def score(order: tuple[float, ...]) -> int:
        return abs(sum((after > before) - (after < before) for before, after in combinations(order, 2)))

    orders = list(permutations(values))
    as_far = sum(score(order) >= score(tuple(values)) for order in orders)

    assert chance(values) == pytest.approx(as_far / len(orders))


def test_counting_and_the_normal_distribution_meet() -> None:
    assert chance([1, 2, 4, 3, 6, 5, 8, 7, 9, 10]) == pytest.approx(chance([1, 2, 4, 3, 6, 5, 8, 7, 9, 10, 0]), abs=0.1)
    assert chance([3, 1, 2] * 10) > 0.5
    assert chance([5] * 30) == 1


def test_the_range_has_the_true_slope_as_often_as_it_says() -> None:
    rng = Random(1)
    inside = 0
    for _ in range(300):
        points = [(day, 0.1 * day + rng.gauss(0, 1)) for day in range(29)]
        slopes = pair_slopes(points)
        low, high = slope_range(points, slopes, 0.95)
        assert low <= median(slopes) <= high
        inside += low <= 0.1 <= high

    assert 0.92 <= inside / 300 <= 0.98
