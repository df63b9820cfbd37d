"""Seconds, medians, and the line that a benchmark prints.

Every side of a ratio runs once a round, in turn from another side, so that whatever else the machine does meets all
of them alike.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Runs one side once and gives its seconds.
Side = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    #: A tenth of the rounds and of the data: shows that the benchmarks run, says little about the goals.
    quick: bool = False
    #: Raw rows in the larger database of `queries`.
    rows: int = 17_000_000
    #: A copy of the Numenta Anomaly Benchmark, for `anomalies`; without one its series are made.
    nab: Path | None = None

    def rounds(self, usual: int) -> int:
        return max(5, usual // 10) if self.quick else usual


@dataclass(frozen=True, kw_only=True)
class Result:
    """Ours against the limit, in seconds, and the goal: one of the three, or none where the ratio only informs."""

    name: str
    ours_s: float
    limit_s: float
    #: ours / limit may be at most this.
    at_most: float | None = None
    #: Our throughput has to be at least this share of the limit's.
    at_least: float | None = None
    #: Ours may take at most so many seconds, whatever the limit.
    at_most_s: float | None = None

    @property
    def is_over(self) -> bool:
        return (
            self.ours_s > self.limit_s * (self.at_most or math.inf)
            or self.limit_s < self.ours_s * (self.at_least or 0)
            or self.ours_s > (self.at_most_s or math.inf)
        )

    def __str__(self) -> str:
        ratio, goal = f"{self.ours_s / self.limit_s:.2f}x", "-"
        if self.at_most is not None:
            goal = f"<= {self.at_most:.2f}x"
        elif self.at_most_s is not None:
            goal = f"<= {_milliseconds(self.at_most_s)}"
        elif self.at_least is not None:
            ratio, goal = f"{self.limit_s / self.ours_s:.0%}", f">= {self.at_least:.0%}"
        verdict = "" if goal == "-" else "over" if self.is_over else "ok"
        ours, limit = _milliseconds(self.ours_s), _milliseconds(self.limit_s)
        return f"{self.name:<42} {ours:>11} {limit:>11} {ratio:>7}  {goal:<10} {verdict}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The server's memory while it works against what it held before, in bytes."""

    name: str
    held: int
    peak: int
    most_growth: int

    @property
    def is_over(self) -> bool:
        return self.peak - self.held > self.most_growth

    def __str__(self) -> str:
        growth, goal = _mebibytes(self.peak - self.held), f"<= +{_mebibytes(self.most_growth)}"
        verdict = "over" if self.is_over else "ok"
        return f"{self.name:<42} {_mebibytes(self.peak):>11} {_mebibytes(self.held):>11} +{growth}  {goal} {verdict}"


@dataclass(frozen=True, kw_only=True)
class Count:
    """Things that are counted, and how many there may be at most."""

    name: str
    ours: int
    limit: int

    @property
    def is_over(self) -> bool:
        return self.ours > self.limit

    def __str__(self) -> str:
        verdict = "over" if self.is_over else "ok"
        return f"{self.name:<42} {self.ours:>11,} {self.limit:>11,} {'':>7}  {f'<= {self.limit:,}':<10} {verdict}"


HEADER = f"{'benchmark':<42} {'ours':>11} {'limit':>11} {'ratio':>7}  {'goal':<10}".rstrip()


def timed(work: Callable[[], object]) -> Side:
    """A side that calls ``work``; taking its result apart again is not counted."""

    def side() -> float:
        started = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - started
        del result
        return seconds

    return side


def medians(*sides: Side, rounds: int, warm_up: int = 3) -> list[float]:
    """The median seconds of each side."""
    gc.collect()
    for _ in range(warm_up):
        for side in sides:
            side()
    seconds: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        for turn in range(len(sides)):
            position = (number + turn) % len(sides)
            seconds[position].append(sides[position]())
    return [statistics.median(each) for each in seconds]


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else f"{seconds * 1000:,.0f} ms"
