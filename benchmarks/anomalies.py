"""The stream detector beside two simple ones on series with known anomalies, in the points of a public benchmark.

The Numenta Anomaly Benchmark's, in its standard profile: the first anomalous moment told inside a window counts up to
1, the more the earlier; a window missed costs 1, a moment told outside of all windows up to 0.11. One threshold for all
series, the one that is best; 0 is what saying nothing gets, 100 a word at the start of each window and none besides.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from benchmarks.anomaly_series import Series, made_series, nab_series
from benchmarks.measure import Options
from services.device_usage_analytics import StreamingAnomalyDetector

#: Gives the scores of one series.
Detector = Callable[[Series], list[float]]

_SEEDS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Points:
    """Ours beside the better of the others, in points of 100, and by which factor it has to be more."""

    name: str
    ours: float
    limit: float
    at_least: float

    @property
    def is_over(self) -> bool:
        return self.ours < self.at_least * self.limit

    def __str__(self) -> str:
        goal, verdict = f">= {self.at_least:.2f}x", "over" if self.is_over else "ok"
        ratio = f"{self.ours / self.limit:.2f}x"
        return f"{self.name:<42} {self.ours:>7.1f} pts {self.limit:>7.1f} pts {ratio:>7}  {goal:<10} {verdict}"


def anomalies(options: Options) -> Iterator[Points]:
    """A line against each of the others; with the real series where a folder has them, else with made ones."""
    if options.nab:
        series = list(nab_series(options.nab))
        if not series:
            raise FileNotFoundError(f"none of the labelled series in {options.nab / 'data'}")
        name = f"anomalies, {len(series)} of NAB"
    else:
        seeds = _SEEDS[:1] if options.quick else _SEEDS
        series, name = [one for seed in seeds for one in made_series(seed)], "anomalies, made"
    if options.quick:
        series = series[::6]
    with ProcessPoolExecutor() as pool:
        detectors: Sequence[Detector] = (streaming, windowed_gaussian, relative_entropy)
        ours, gaussian, entropy = (corpus_points(series, pool.map(detector, series)) for detector in detectors)
    yield Points(name=f"{name}, windowed Gaussian", ours=ours, limit=gaussian, at_least=1.2)
    yield Points(name=f"{name}, relative entropy", ours=ours, limit=entropy, at_least=1.2)


# --- detectors -------------------------------------------------------------------------------------------


def streaming(series: Series) -> list[float]:
    detector = StreamingAnomalyDetector()
    return [detector.update(at, value) for at, value in zip(series.times, series.values, strict=True)]


def windowed_gaussian(series: Series, window: int = 6400, step: int = 100) -> list[float]:
    """How unlikely a value is under a Gaussian fitted to the latest ones, once they are many every ``step``."""
    scores, seen, waiting = [], deque[float](), list[float]()
    base = series.values[0]
    total = squares = mean = deviation = 0.0
    for value in series.values:
        away = abs(value - mean)
        scores.append(1 - 0.5 * math.erfc(away / (deviation * math.sqrt(2))) if deviation > 0 else float(away > 0))
        waiting.append(value)
        if len(seen) >= window and len(waiting) < step:
            continue
        for one in waiting:
            seen.append(one)
            total, squares = total + (one - base), squares + (one - base) ** 2
            if len(seen) > window:
                old = seen.popleft() - base
                total, squares = total - old, squares - old * old
        waiting.clear()
        mean = base + total / len(seen)
        deviation = math.sqrt(max(0.0, squares / len(seen) - (total / len(seen)) ** 2))
    return scores


def relative_entropy(series: Series, bins: int = 5, window: int = 52, limit: float = 13.277) -> list[float]:
    """1 where the latest values are spread over the range as they never were before (Wang and others, 2011).

    A multinomial goodness-of-fit test against all distributions met so far; ``limit`` is the 99th percentile of chi
    square with ``bins`` - 1 degrees of freedom. It is told the range of the whole series beforehand.
    """
    low, high = min(series.values), max(series.values)
    if low == high:
        return [0.0] * len(series.values)
    width = (high - low) / bins
    latest, counts = deque[int](), [0] * bins
    met: list[list[float]] = []
    scores = []
    for value in series.values:
        cell = min(bins - 1, int((value - low) / width))
        latest.append(cell)
        counts[cell] += 1
        if len(latest) > window:
            counts[latest.popleft()] -= 1
        score = 0.0
        if len(latest) == window:
            shares = [count / window for count in counts]
            if not any(2 * window * _divergence(shares, other) < limit for other in reversed(met)):
                score = 1.0 if met else 0.0
                met.append(shares)
        scores.append(score)
    return scores


def _divergence(shares: Sequence[float], others: Sequence[float]) -> float:
    total = 0.0
    for share, other in zip(shares, others, strict=True):
        if share:
            if not other:
                return math.inf
            total += share * math.log(share / other)
    return total


# --- points ----------------------------------------------------------------------------------------------


def corpus_points(series: Sequence[Series], scores: Iterable[Sequence[float]]) -> float:
    """The corpus's normalised score at its best threshold."""
    return best_threshold(series, scores)[0]


def best_threshold(series: Sequence[Series], scores: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The normalised score and the threshold that gets it.

    From the highest score down, each moment either improves its window or costs as a false alarm.
    """
    moments: list[tuple[float, float, int]] = []
    windows = 0
    for one, its in zip(series, scores, strict=True):
        for score, worth, window in _moments(one, its):
            moments.append((score, worth, windows + window if window >= 0 else -1))
        windows += len(one.windows)
    moments.sort(key=lambda moment: -moment[0])
    gained = [-1.0] * windows
    total, best, best_at = -float(windows), -float(windows), math.inf
    for position, (score, worth, window) in enumerate(moments):
        if window < 0:
            total += worth
        elif worth > gained[window]:
            total += worth - gained[window]
            gained[window] = worth
        if total > best and (position + 1 == len(moments) or moments[position + 1][0] < score):
            best, best_at = total, score
    return 100 * (best + windows) / (2 * windows), best_at


def _moments(series: Series, scores: Sequence[float]) -> Iterator[tuple[float, float, int]]:
    """Score, worth and window (or -1) of each moment that counts; the first 15 % are for learning."""
    learning = int(0.15 * min(len(series.values), 5000))
    coming, last, width = 0, -1, 1
    for index, score in enumerate(scores):
        while coming < len(series.windows) and index > series.windows[coming][1]:
            last, width = series.windows[coming][1], series.windows[coming][1] - series.windows[coming][0] + 1
            coming += 1
        if index < learning:
            continue
        if coming < len(series.windows) and index >= series.windows[coming][0]:
            first, end = series.windows[coming]
            yield score, _worth(-(end - index + 1) / (end - first + 1)) / _worth(-1), coming
        else:
            distance = 3.0 if last < 0 else (index - last) / max(width - 1, 1)
            yield score, 0.11 * _worth(distance), -1


def _worth(position: float) -> float:
    """From 1 at a window's start (-1) over 0 at its end (0) to -1 far behind it."""
    return -1.0 if position >= 3 else 2 / (1 + math.exp(5 * position)) - 1
