"""The stream detector: what holds for any series, and what it finds in some."""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.device_usage_analytics import StreamingAnomalyDetector

START = datetime(2031, 9, 1)  # noqa: DTZ001
FIVE_MINUTES, HOUR = timedelta(minutes=5), timedelta(hours=1)
DAY = 288
#: Worth telling.
ALARM = 0.5


def scores(values: Iterable[float], step: timedelta = FIVE_MINUTES, start: datetime = START) -> list[float]:
    detector = StreamingAnomalyDetector()
    return [detector.update(start + number * step, value) for number, value in enumerate(values)]


def alarms(told: Sequence[float], first: int = 0) -> list[int]:
    return [number for number, score in enumerate(told) if number >= first and score >= ALARM]


def noise(length: int, seed: int = 1) -> list[float]:
    rng = Random(seed)
    return [rng.gauss(100, 5) for _ in range(length)]


def days(count: int, seed: int = 1, length: int = DAY) -> list[float]:
    """Busy by day, calm by night, with noise."""
    rng = Random(seed)
    return [100 + 60 * math.sin(math.tau * number / length) + rng.gauss(0, 4) for number in range(count * length)]


# --- any series ------------------------------------------------------------------------------------------

VALUES = st.lists(
    st.one_of(st.floats(), st.integers(-5, 5).map(float), st.sampled_from([0.0, 1e308, -1e308, math.nan, math.inf])),
    max_size=400,
)


@given(VALUES, st.lists(st.integers(-10_000, 10_000), min_size=400, max_size=400), st.booleans())
@settings(max_examples=60)
def test_whatever_comes_and_whenever_a_score_is_from_0_to_1(
    values: list[float], steps: list[int], is_aware: bool
) -> None:
    detector = StreamingAnomalyDetector()
    at = START.replace(tzinfo=UTC) if is_aware else START
    for value, seconds in zip(values, steps, strict=False):
        at += timedelta(seconds=seconds)
        assert 0 <= detector.update(at, value) <= 1


@given(st.integers(0, 10**6), st.integers(200, 600))
@settings(max_examples=20)
def test_what_comes_later_changes_nothing(seed: int, length: int) -> None:
    values = noise(600, seed)
    assert scores(values[:length]) == scores(values)[:length]


@pytest.mark.parametrize(("factor", "offset"), [(1024, 0), (0.001, 0), (1, 10**6), (-1, 0), (1.8, 32), (64, -(2**16))])
def test_neither_unit_nor_zero_matter(factor: float, offset: float) -> None:
    rng = Random(4)
    values = [float(rng.randrange(80, 120)) for _ in range(1_500)]
    values[1_200:1_203] = [700, 720, 690]
    told = scores(value * factor + offset for value in values)
    assert told == pytest.approx(scores(values), abs=1e-6)
    assert max(told[1_200:1_203]) > 0.8


@pytest.mark.parametrize("value", [0.0, 45.0, -3.7e9, 0.1])
def test_a_constant_series_is_ordinary_all_the_time(value: float) -> None:
    assert set(scores([value] * 3_000)) == {0.0}


def test_aware_and_naive_moments_are_judged_alike() -> None:
    assert scores(noise(800), start=START.replace(tzinfo=UTC)) == scores(noise(800))


def test_naive_and_aware_moments_in_one_series_do_no_harm() -> None:
    detector = StreamingAnomalyDetector()
    for number, value in enumerate(noise(500)):
        at = START + number * FIVE_MINUTES
        assert 0 <= detector.update(at.replace(tzinfo=UTC) if number % 7 == 0 else at, value) <= 1


def test_two_detectors_know_nothing_of_each_other() -> None:
    first, second = StreamingAnomalyDetector(), StreamingAnomalyDetector()
    alone = scores(noise(600))
    for number, value in enumerate(noise(600)):
        second.update(START, -value)
        assert first.update(START + number * FIVE_MINUTES, value) == alone[number]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_passed_over(value: float) -> None:
    detector = StreamingAnomalyDetector()
    told = []
    for number, usual in enumerate(noise(1_000)):
        if number % 50 == 0:
            assert detector.update(START + number * FIVE_MINUTES, value) == 0
        told.append(detector.update(START + number * FIVE_MINUTES, usual))
    assert told == pytest.approx(scores(noise(1_000)))


@pytest.mark.parametrize("jump", [timedelta(days=20), timedelta(days=-3), timedelta(hours=6)])
def test_right_after_a_gap_nothing_is_told(jump: timedelta) -> None:
    values = noise(1_000)
    for first_value in (values[700], 400.0):
        detector = StreamingAnomalyDetector()
        for number in range(700):
            detector.update(START + number * FIVE_MINUTES, values[number])
        assert detector.update(START + 700 * FIVE_MINUTES + jump, first_value) == 0
    detector = StreamingAnomalyDetector()
    told = [
        detector.update(START + number * FIVE_MINUTES + (jump if number >= 700 else timedelta(0)), value)
        for number, value in enumerate(values)
    ]
    assert len(alarms(told, first=700)) <= 1


def test_the_level_of_another_season_is_reached_over_a_gap_without_a_step() -> None:
    """A slow wave, of which an hour in the steep part is missing."""
    values = [1_000 * math.sin(math.tau * number / 1_000) for number in range(5_000)]
    detector = StreamingAnomalyDetector()
    told = [
        detector.update(START + number * FIVE_MINUTES, value)
        for number, value in enumerate(values)
        if not 4_000 <= number < 4_030
    ]
    assert alarms(told, first=3_900) == []


def test_repeated_moments_are_ordinary_ones() -> None:
    detector = StreamingAnomalyDetector()
    told = [detector.update(START + (number // 2) * FIVE_MINUTES, value) for number, value in enumerate(noise(2_000))]
    assert len(alarms(told)) <= 3


def size_of(thing: object, seen: set[int]) -> int:
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    parts: Iterable[object] = ()
    if isinstance(thing, dict):
        parts = [*thing.keys(), *thing.values()]
    elif hasattr(thing, "__dict__"):
        parts = [vars(thing)]
    elif not isinstance(thing, str | bytes | float | int) and hasattr(thing, "__iter__"):
        parts = list(thing)
    return sys.getsizeof(thing) + sum(size_of(part, seen) for part in parts)


def test_memory_stays_bounded() -> None:
    detector, rng = StreamingAnomalyDetector(), Random(1)
    sizes = []
    for number in range(40_000):
        detector.update(START + number * FIVE_MINUTES, rng.gauss(0, 1))
        if number in (30_000, 39_999):
            sizes.append(size_of(detector, set()))
    assert sizes[1] < 1.05 * sizes[0] < 10_000_000


# --- what is found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [noise, lambda length: days(length // DAY)], ids=["noise", "days"])
def test_ordinary_life_has_few_alarms(make: Callable[[int], list[float]]) -> None:
    assert len(alarms(scores(make(14 * DAY)))) <= 8


def test_counts_with_a_heavy_tail_have_few_alarms() -> None:
    rng = Random(8)
    assert len(alarms(scores(float(int(rng.paretovariate(1.5))) for _ in range(14 * DAY)))) <= 12


def planted(values: list[float], change: Callable[[float], float], first: int, last: int) -> list[float]:
    return [change(value) if first <= number < last else value for number, value in enumerate(values)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("change", "length"),
    [
        (lambda value: value + 60, 1),
        (lambda value: value - 60, 2),
        (lambda value: value + 25, 200),
        (lambda value: 100 + 6 * (value - 100), 60),
    ],
    ids=["spike", "drop", "shift", "unrest"],
)
def test_a_change_in_noise_is_found_within_an_hour(change: Callable[[float], float], length: int, seed: int) -> None:
    told = scores(planted(noise(4_032, seed), change, 3_000, 3_000 + length))
    assert alarms(told[3_000:3_012])


@pytest.mark.parametrize("seed", range(3))
def test_a_flatline_is_found(seed: int) -> None:
    told = scores(planted(days(14, seed), lambda _: 100.0, 11 * DAY, 11 * DAY + 150))
    assert alarms(told[11 * DAY : 11 * DAY + 150])


@pytest.mark.parametrize("seed", range(3))
def test_a_day_without_its_rise_is_found(seed: int) -> None:
    rng = Random(seed)
    values = [(80.0 if 100 <= number % DAY < 200 else 20.0) + rng.uniform(-5, 5) for number in range(14 * DAY)]
    told = scores(planted(values, lambda value: 20 + (value - 20) % 5, 11 * DAY, 12 * DAY))
    assert alarms(told[11 * DAY + 80 : 11 * DAY + 240])


@pytest.mark.parametrize("seed", range(3))
def test_a_weekly_peak_that_does_not_come_is_found(seed: int) -> None:
    rng = Random(seed)
    values = [
        rng.gauss(500, 20) if number // 24 % 7 == 6 and 8 <= number % 24 < 14 else rng.gauss(100, 10)
        for number in range(12 * 168)
    ]
    sunday = 10 * 168 + 6 * 24
    told = scores(planted(values, lambda value: 100 + value % 10, sunday + 8, sunday + 14), HOUR)
    assert alarms(told[sunday : sunday + 24])


def test_what_has_become_usual_is_no_alarm_any_more() -> None:
    """A spike every four hours surprises in the beginning."""
    values = [value + (80 if number % 48 == 0 else 0) for number, value in enumerate(noise(14 * DAY))]
    told = scores(values)
    assert len(alarms(told, first=5 * DAY)) <= 5


def test_an_episode_is_told_once_or_twice() -> None:
    told = scores(planted(noise(4_032), lambda value: value + 60, 3_000, 3_100))
    assert 1 <= len(alarms(told[3_000:3_100])) <= 3


def test_the_surprise_of_a_second_alike_soon_after_is_known_though_it_is_not_told() -> None:
    detector = StreamingAnomalyDetector()
    told = {}
    for number, value in enumerate(noise(2_000)):
        score = detector.update(START + number * FIVE_MINUTES, value + (90 if number in (1_500, 1_505) else 0))
        told[number] = (score, detector.surprise)
    assert told[1_500][0] > 0.8
    assert told[1_505][0] < told[1_500][0]
    assert told[1_505][1] > 5
