"""Which way a device's usage goes."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.usage_trends import MIN_POINTS_ALONE, UsageTrends, judge_trend
from services.device_usage_analytics import calculate_usage_trends

PHONE, LAPTOP, TV = "02:11:22:33:44:01", "02:11:22:33:44:02", "02:11:22:33:44:03"
SERIES = st.lists(st.none() | st.integers(0, 2**63 - 1), max_size=31)


def trend(values: Sequence[int | None]) -> str | None:
    trends = calculate_usage_trends({PHONE: values})
    return next((name for name in ("increasing", "stable", "decreasing") if PHONE in getattr(trends, name)), None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100, 200, 300, 400, 500, 600, 700], "increasing"),
        ([700, 600, 500, 400, 300, 200, 100], "decreasing"),
        ([500, 500, 500, 500, 500, 500], "stable"),
        ([500, 510, 495, 505, 500, 490, 508], "stable"),
        ([100, 102, 104, 106, 108, 110, 112], "stable"),  # grows for certain, but by an eighth over the week
        ([0, 0, 0, 0, 0, 0], "stable"),
        ([0, 0, 0, 0, 10, 20, 40], "stable"),  # one order in 105 is like that: not sure enough
        ([0, 0, 0, 0, 10, 20, 40, 80], "increasing"),
        ([2**62 + number * 2**60 for number in range(6)], "increasing"),
    ],
)
def test_the_direction_is_that_of_the_series(values: list[int], expected: str) -> None:
    assert trend(values) == expected


@pytest.mark.parametrize("outlier", [0, 10**9])
def test_one_outlier_does_not_turn_it(outlier: int) -> None:
    assert trend([500, 505, 495, 500, 505, 500, outlier]) == "stable"
    assert trend([100, 200, 300, 400, 500, outlier, 700, 800, 900, 1_000, 1_100]) == "increasing"


def test_a_gap_is_not_a_zero() -> None:
    assert trend([500, 505, 495, 500, None, 505, 500, None, None]) == "stable"
    assert trend([None, 100, None, 200, 300, None, 400, 500, 700]) == "increasing"


def test_gaps_keep_their_place_in_time() -> None:
    """The same values, once day after day and once with three weeks unobserved after the second."""
    values = [100, 101, 102, 103, 104, 105]
    gap = judge_trend([*values[:2], *[None] * 20, *values[2:]])
    straight = judge_trend(values)

    assert straight.change_percent == pytest.approx(5, abs=0.5)
    assert gap.change_percent == pytest.approx(8, abs=5)
    assert gap.high_percent is not None
    assert gap.high_percent > 10


@pytest.mark.parametrize("values", [[], [1], [1, 50, 100], [1, 2, 3, 4, 5], [1, None, 50, None, 100, None]])
def test_of_too_few_points_nothing_is_said(values: list[int | None]) -> None:
    assert trend(values) is None
    told = judge_trend(values)
    observed = len([value for value in values if value is not None])
    assert told.reason is not None
    assert told.reason.startswith(f"not enough data: {observed} of {len(values)} day")
    assert told.reason.endswith(f", {MIN_POINTS_ALONE} are needed")
    assert (told.confidence, told.change_percent) == (None, None)


def test_weeks_before_tell_what_is_usual() -> None:
    steady = [100, 110, 95, 105, 90, 100, 104] * 4

    assert judge_trend([100, 200, 300, 400], steady).direction == "increasing"
    assert judge_trend([100, 104, 96, 108], steady).direction == "stable"
    # Its days are three times as much or a third as it is.
    assert judge_trend([100, 200, 300, 400], [100, 300, 30, 90, 250] * 6).direction == "stable"


@pytest.mark.parametrize("shift", range(7))
def test_a_quiet_weekend_is_no_trend(shift: int) -> None:
    rng = Random(shift)
    days = [int((10 if (day + shift) % 7 < 2 else 1_000) * rng.uniform(0.8, 1.2)) for day in range(57)]

    for first in (57 - 6, 57 - 29):
        assert judge_trend(days[first:], days[:first]).direction == "stable"
    assert judge_trend(days[-29:]).direction == "stable"


@pytest.mark.parametrize("known", range(24))
def test_a_home_that_is_watched_for_some_weeks_has_its_weekends_whatever_day_it_is(known: int) -> None:
    """From the second of each weekday on there is a rhythm; for a while it is all that so few days can tell."""
    rng = Random(known)
    days = [int((10 if day % 7 < 2 else 1_000) * rng.uniform(0.8, 1.2)) for day in range(known + 6)]

    told = judge_trend(days[known:], days[:known])
    assert told.direction == "stable"
    assert told.confidence is not None
    assert 0 <= told.confidence <= 1


@given(st.lists(st.none() | st.sampled_from([0, 1, 10**9, 2**62]), max_size=36), st.integers(0, 30))
def test_whatever_was_observed_there_is_a_verdict_or_a_reason(days: list[int | None], known: int) -> None:
    told = judge_trend(days[known:], days[:known])

    assert (told.direction is None) == (told.reason is not None)
    if told.confidence is not None:
        assert 0 <= told.confidence <= 1


def test_a_change_is_told_in_percent_of_the_beginning() -> None:
    doubled, halved, gone = (
        judge_trend([round(1_000 * (1 + (factor - 1) * day / 28)) for day in range(29)]) for factor in (2, 0.5, 0)
    )

    assert doubled.change_percent == pytest.approx(100, abs=10)
    assert halved.change_percent == pytest.approx(-50, abs=5)
    assert gone.change_percent is not None
    assert -100 <= gone.change_percent < -80
    assert judge_trend([0] * 20 + [10 * day for day in range(1, 36)]).change_percent is None  # from nothing
    for told in (doubled, halved):
        assert told.low_percent is not None
        assert told.high_percent is not None
        assert told.low_percent <= told.change_percent <= told.high_percent


def test_devices_stay_in_the_order_given() -> None:
    rising, falling = [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]

    trends = calculate_usage_trends({TV: rising, PHONE: rising, LAPTOP: falling})

    assert trends == UsageTrends(increasing=(TV, PHONE), stable=(), decreasing=(LAPTOP,))


def test_without_devices_there_are_no_trends() -> None:
    assert calculate_usage_trends({}) == UsageTrends(increasing=(), stable=(), decreasing=())


@given(SERIES)
def test_a_series_has_exactly_one_direction_or_too_few_points(values: list[int | None]) -> None:
    trends = calculate_usage_trends({PHONE: values})
    verdicts = [*trends.increasing, *trends.stable, *trends.decreasing]

    assert verdicts == ([PHONE] if len([v for v in values if v is not None]) >= MIN_POINTS_ALONE else [])


@given(st.lists(st.integers(0, 2**40), min_size=MIN_POINTS_ALONE, max_size=31))
def test_backwards_in_time_the_direction_is_the_opposite(values: list[int]) -> None:
    opposite = {"increasing": "decreasing", "decreasing": "increasing", "stable": "stable"}

    assert trend(values[::-1]) == opposite[str(trend(values))]


@given(st.lists(st.integers(0, 2**30), min_size=MIN_POINTS_ALONE, max_size=31), st.integers(1, 10).map(lambda n: 2**n))
def test_the_unit_does_not_matter(values: list[int], factor: int) -> None:
    assert trend([value * factor for value in values]) == trend(values)
