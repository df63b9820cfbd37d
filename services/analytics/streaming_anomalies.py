"""Finds the unusual moments of any series of numbers while it arrives. Pure: no clock, no store, no look ahead.

Six witnesses look at every value: the value itself, its step from the one before, mean and spread of the latest twelve,
spread of the latest fifty-two, and its distance from what that time of the day or week usually has. Each asks how far
from everything it met before this is, and how many times in its memory something was as far off: never yet is a
surprise, every other hour is none, whatever the unit and the shape of the series. The surprises add up; after a word
the detector keeps quiet for a while, unless something more surprising comes.

`device_usage_analytics.detect_anomalies` asks it about hours of usage; `benchmarks/anomalies.py` measures it.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from statistics import median

#: So many values each witness remembers, and so many blocks of them with the farthest distance met in each.
_VALUES, _BLOCKS, _BLOCK = 4000, 1000, 24
#: Nothing is said before so many blocks.
_LEAST_BLOCKS = 5
#: With so many blocks, everything is expected twice as often as they tell.
_YOUNG = 10
#: How far off a value is: its distance to the second nearest. One alike may be chance.
_NEAREST = 2
#: What is expected more often than this in all of the memory is no surprise.
_ORDINARY = 10.0
#: The largest distances tell how their tail falls off, by a power between these two.
_TAIL, _HEAVIEST, _LIGHTEST = 10, 1.0, 8.0
#: The most that one witness can be surprised, in nats.
_MOST_SURPRISE = 20.0

#: Lengths of the short and the long window.
_SHORT, _LONG = 12, 52
#: After a word, its surprise fades by this share a value; only what goes beyond is said.
_FADING = 0.015
#: A surprise with the score 0.5, in nats: where the most is found for the fewest false alarms on the benchmark.
_HALF = 1.1

#: A pause so many times the usual step is a gap: what lies before and after it is not compared step by step.
_GAP_STEPS = 5
#: The steps that tell what is usual.
_STEPS = 48
#: Rounding leaves differences of this share of the largest value where there are none.
_ROUNDING = 1e-9
_LARGEST = 1e100


class StreamingAnomalyDetector:
    """Tell it values in order; it answers how unusual each one is. One detector a series."""

    def __init__(self) -> None:
        self._value, self._step, self._season = _Witness(), _Witness(), _Witness()
        # What overlaps with the window that is looked at is no memory of it.
        self._mean, self._spread, self._long_spread = _Witness(_SHORT), _Witness(_SHORT), _Witness(_LONG)
        self._seasons = _Seasons()
        self._pace = _Pace()
        self._latest: deque[float] = deque(maxlen=_LONG)
        self._largest = 0.0
        self._told = 0.0
        #: How surprising the latest value was in itself, in nats, whatever was told before: 0 for an ordinary one.
        self.surprise = 0.0

    def update(self, timestamp: datetime, value: float) -> float:
        """How anomalous the value is, from 0 (ordinary) to 1; from 0.5 on it is worth telling.

        Timestamps may be naive or aware, at any spacing. What is no finite number is passed over with 0. Right after a
        gap, or a step backwards in time, nothing is told.
        """
        if not math.isfinite(value):
            self.surprise = 0.0
            return 0.0
        value = min(max(float(value), -_LARGEST), _LARGEST)
        continues = self._pace.continues(timestamp)
        if not continues:
            self._latest.clear()
        surprise = self._look(timestamp, value)
        self.surprise = surprise if continues else 0.0
        more = max(0.0, self.surprise - self._told)
        self._told = max(self.surprise, self._told * (1 - _FADING))
        return more / (more + _HALF)

    def _look(self, timestamp: datetime, value: float) -> float:
        """All witnesses' surprise at the value, which they remember from now on."""
        self._largest = max(self._largest, abs(value))
        rounding = _ROUNDING * self._largest
        surprise = self._value.see(value, rounding)
        if self._latest:
            surprise += self._step.see(value - self._latest[-1], rounding)
        self._latest.append(value)
        if len(self._latest) >= _SHORT:
            latest = list(self._latest)
            short = latest[-_SHORT:]
            surprise += self._mean.see(sum(short) / _SHORT, rounding)
            # A spread is compared by its ratio to others; this keeps calm ones from being infinitely far apart.
            if least := 0.03 * self._step.usual_size():
                surprise += self._spread.see(math.log(least + _deviation(short)), _ROUNDING)
                if len(latest) == _LONG:
                    surprise += self._long_spread.see(math.log(least + _deviation(latest)), _ROUNDING)
        usual = self._seasons.usual(timestamp, value)
        if usual is not None:
            surprise += self._season.see(value - usual, rounding)
        return surprise


class _Witness:
    """How surprising a number is among those met before, by how far off it is and how often that happened."""

    def __init__(self, delay: int = 1) -> None:
        self._met = _Memory(_VALUES)
        #: The latest numbers, which are not compared with yet.
        self._waiting: deque[float] = deque()
        self._delay = delay
        self._farthest_of_blocks = _Memory(_BLOCKS)
        self._farthest = 0.0
        self._in_block = 0

    def see(self, number: float, rounding: float) -> float:
        """The surprise in nats, 0 for what is met every now and then. The number is remembered."""
        distance = self._distance(number)
        if distance <= rounding:
            distance = 0.0
        surprise = self._surprise(distance)
        self._waiting.append(number)
        if len(self._waiting) > self._delay:
            self._met.add(self._waiting.popleft())
        self._farthest = max(self._farthest, distance)
        self._in_block += 1
        if self._in_block == _BLOCK:
            self._farthest_of_blocks.add(self._farthest)
            self._farthest, self._in_block = 0.0, 0
        return surprise

    def usual_size(self) -> float:
        """The distance between the quartiles of what was met; where most are alike, the mean size."""
        numbers = self._met.ordered
        if not numbers:
            return 0.0
        quarter = len(numbers) // 4
        return numbers[-quarter - 1] - numbers[quarter] or sum(map(abs, numbers)) / len(numbers)

    def _distance(self, number: float) -> float:
        """To the second nearest of those met before."""
        numbers = self._met.ordered
        count = len(numbers)
        if count < 4 * _NEAREST:
            return 0.0
        above = bisect_left(numbers, number)
        below = above - 1
        distance = 0.0
        for _ in range(_NEAREST):
            if above < count and (below < 0 or numbers[above] - number < number - numbers[below]):
                distance = numbers[above] - number
                above += 1
            else:
                distance = number - numbers[below]
                below -= 1
        return distance

    def _surprise(self, distance: float) -> float:
        farthest = self._farthest_of_blocks.ordered
        if distance <= 0 or len(farthest) < _LEAST_BLOCKS:
            return 0.0
        # Few blocks have not seen much yet.
        expected = _times_expected(distance, farthest) * (1 + _YOUNG / len(farthest))
        return min(max(0.0, math.log(_ORDINARY / max(expected, 1e-30))), _MOST_SURPRISE)


def _times_expected(distance: float, farthest: Sequence[float]) -> float:
    """In how many of the blocks something as far off is to be expected, by their farthest distances in order.

    It is counted where there were some; beyond, the largest ones tell by which power they become rarer (Hill's
    estimator).
    """
    distance *= 1 - _ROUNDING  # what was met before counts as met, however its last digits were rounded
    count = len(farthest)
    tail = min(_TAIL, max(2, count // 4))
    begin = farthest[-tail - 1]
    if begin <= 0:
        return max(float(count - bisect_left(farthest, distance)), 0.1)
    if distance <= begin:
        return float(count - bisect_left(farthest, distance))
    mean_log = sum(math.log(one / begin) for one in farthest[-tail:]) / tail
    power = min(max(1 / max(mean_log, 1e-3), _HEAVIEST), _LIGHTEST)
    return float(tail * (distance / begin) ** -power)


class _Memory:
    """The latest numbers, in order of their size."""

    def __init__(self, most: int) -> None:
        self.ordered: list[float] = []
        self._arrived: deque[float] = deque()
        self._most = most

    def add(self, number: float) -> None:
        self._arrived.append(number)
        insort(self.ordered, number)
        if len(self._arrived) > self._most:
            del self.ordered[bisect_left(self.ordered, self._arrived.popleft())]


class _Seasons:
    """What a half hour of the day usually has; once it was met in three weeks, of the week."""

    def __init__(self) -> None:
        self._of_day: dict[int, deque[float]] = {}
        self._of_week: dict[tuple[int, int], deque[tuple[int, float]]] = {}

    def usual(self, timestamp: datetime, value: float) -> float | None:
        """The median of the values met at that time, None before there are three. The value is remembered."""
        half_hour = 2 * timestamp.hour + timestamp.minute // 30
        day = timestamp.toordinal()
        of_week = self._of_week.setdefault((day % 7, half_hour), deque(maxlen=24))
        of_day = self._of_day.setdefault(half_hour, deque(maxlen=30))
        usual = None
        if len(of_week) >= 3 and day - of_week[0][0] >= 20:
            usual = median(number for _, number in of_week)
        elif len(of_day) >= 3:
            usual = median(of_day)
        of_week.append((day, value))
        of_day.append(value)
        return usual


class _Pace:
    """How far apart in time values usually come."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._steps = _Memory(_STEPS)

    def continues(self, timestamp: datetime) -> bool:
        """False after a gap or a step backwards; the first value continues nothing, and leaves nothing behind."""
        last, self._last = self._last, timestamp
        if last is None:
            return True
        try:
            step = (timestamp - last).total_seconds()
        except TypeError:  # one is naive, the other aware
            return False
        if step < 0:
            return False
        usual = self._steps.ordered
        is_gap = len(usual) >= 5 and step > _GAP_STEPS * usual[len(usual) // 2]
        if step:
            self._steps.add(step)
        return not is_gap


def _deviation(numbers: Sequence[float]) -> float:
    mean = sum(numbers) / len(numbers)
    return math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
