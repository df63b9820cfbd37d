"""What usage series say. Pure functions: they take series and give verdicts, and touch neither database nor clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

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


def calculate_usage_trends(series: Mapping[str, Sequence[int | None]]) -> UsageTrends:
    """Sort devices by the direction of their usage, in bytes per bucket; None marks a bucket nobody observed.

    The slope is the median of all pairwise slopes (Theil-Sen), which one outlier can't turn.
    """
    verdicts: dict[str, list[str]] = {"increasing": [], "stable": [], "decreasing": []}
    for mac, values in series.items():
        observed = [(position, value) for position, value in enumerate(values) if value is not None]
        if len(observed) < MIN_POINTS:
            continue
        level = sum(value for _, value in observed) / len(observed)
        change = _theil_sen_slope(observed) * (observed[-1][0] - observed[0][0])
        relative = change / level if level else 0.0
        if abs(relative) < TREND_THRESHOLD:
            verdicts["stable"].append(mac)
        else:
            verdicts["increasing" if relative > 0 else "decreasing"].append(mac)
    return UsageTrends(**{name: tuple(macs) for name, macs in verdicts.items()})


def _theil_sen_slope(points: Iterable[tuple[int, int]]) -> float:
    return median((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2))
