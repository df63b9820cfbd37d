"""Which way a series goes, by the order of its points: Theil and Sen's slopes, Mann and Kendall's test. Pure.

Both look at pairs of points, so that no shape of the noise is taken for granted and single outliers turn nothing:
H. B. Mann (1945), M. G. Kendall (1948), P. K. Sen (1968).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from math import sqrt
from statistics import NormalDist

#: A position in the series and the value there, in order.
Point = tuple[int, float]

#: Up to so many points chance is counted out; beyond, the normal distribution is as good.
MOST_COUNTED = 10

_NORMAL = NormalDist()


def pair_slopes(points: Sequence[Point]) -> list[float]:
    """The slopes of all pairs, in order of their size; the median of them is Theil and Sen's."""
    return sorted([(after[1] - before[1]) / (after[0] - before[0]) for before, after in combinations(points, 2)])


def chance_of_order(points: Sequence[Point], slopes: Iterable[float], inflation: float = 1.0) -> float:
    """How probable it is that points which go nowhere are as much in order as these, up or down: 0 to 1.

    ``inflation``: how many times the variance is what it would be of points that know nothing of each other. It is
    not looked at where there are so few points that chance is counted out.
    """
    score = abs(sum((slope > 0) - (slope < 0) for slope in slopes))
    if len(points) <= MOST_COUNTED:
        return _counted_chance(_ties(points), score)
    spread = _spread(points, inflation)
    return min(1.0, 2 * _NORMAL.cdf(-max(0, score - 1) / spread)) if spread else 1.0


def slope_range(
    points: Sequence[Point], slopes: Sequence[float], confidence: float, inflation: float = 1.0
) -> tuple[float, float]:
    """Between which of the ``slopes`` the true one lies with this ``confidence``, after Sen."""
    reach = _NORMAL.inv_cdf((1 + confidence) / 2) * _spread(points, inflation)
    lowest = max(0, int((len(slopes) - reach) / 2))
    return slopes[lowest], slopes[len(slopes) - 1 - lowest]


def _spread(points: Sequence[Point], inflation: float) -> float:
    """The standard deviation, by chance, of the pairs that go up less those that go down."""
    variance = _pair_variance(len(points)) - sum(map(_pair_variance, _ties(points)))
    return sqrt(max(0.0, variance) * inflation)


def _pair_variance(count: int) -> float:
    return count * (count - 1) * (2 * count + 5) / 18


def _ties(points: Iterable[Point]) -> tuple[int, ...]:
    """How many points are alike, of each value."""
    return tuple(sorted(Counter(value for _, value in points).values()))


@lru_cache(maxsize=4_096)
def _counted_chance(ties: tuple[int, ...], score: int) -> float:
    """The share of all orders of the points whose score is at least this far from 0.

    Orders are counted by their pairs that go down (the q-multinomial coefficient): the score is the number of pairs
    of different values less twice those.
    """
    orders = [1]
    size = 0
    for alike in ties:
        size += alike
        orders = _product(orders, _choices(size, alike))
    pairs = len(orders) - 1
    extreme = sum(number for down, number in enumerate(orders) if abs(pairs - 2 * down) >= score)
    return extreme / sum(orders)


@lru_cache(maxsize=256)
def _choices(places: int, chosen: int) -> Sequence[int]:
    """The ways to choose ``chosen`` of ``places``, by the pairs they put out of order (Gauss's coefficient)."""
    if chosen in (0, places):
        return (1,)
    sums = [0] * (chosen * (places - chosen) + 1)
    for pairs, number in enumerate(_choices(places - 1, chosen)):
        sums[pairs] += number
    for pairs, number in enumerate(_choices(places - 1, chosen - 1)):
        sums[pairs + places - chosen] += number
    return tuple(sums)


def _product(left: Sequence[int], right: Sequence[int]) -> list[int]:
    product = [0] * (len(left) + len(right) - 1)
    for at, number in enumerate(left):
        for further, other in enumerate(right):
            product[at + further] += number * other
    return product
