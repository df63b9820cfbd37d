"""Where usage goes. Pure: series in, verdicts out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

#: With fewer observed points than this nothing is said.
MIN_POINTS = 4

#: A change of the fitted line over the whole series, relative to its level, that counts as a trend.
TREND_THRESHOLD = 0.25


@dataclass(frozen=True, kw_only=True)
class UsageTrends:
    """MACs by where their usage goes, each in the order given. Those with too few points are in none."""

    increasing: tuple[str, ...]
    stable: tuple[str, ...]
    decreasing: tuple[str, ...]


def relative_change(values: Sequence[int | None]) -> float | None:
    """How far the fitted line goes from the first to the last observed point, relative to its median.

    0.25 = a quarter of that more at the end than at the start; None with fewer than MIN_POINTS points.
    """
    observed = [(position, value) for position, value in enumerate(values) if value is not None]
    if len(observed) < MIN_POINTS:
        return None
    values_seen = [value for _, value in observed]
    level = median(values_seen) or fmean(values_seen)
    change = _theil_sen_slope(observed) * (observed[-1][0] - observed[0][0])
    return change / level if level else 0.0


def _theil_sen_slope(points: Iterable[tuple[int, int]]) -> float:
    return median((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2))
