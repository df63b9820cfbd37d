"""Which way a device's usage goes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.device_usage_analytics import calculate_usage_trends
from services.usage_trends import MIN_POINTS, UsageTrends

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
        ([500, 500, 500, 500], "stable"),
        ([500, 510, 495, 505, 500, 490, 508], "stable"),
        ([100, 102, 104, 106, 108, 110, 112], "stable"),  # grows, but by an eighth over the week
        ([0, 0, 0, 0], "stable"),
        ([0, 0, 0, 0, 10, 20, 40], "increasing"),
        ([2**62, 2**62 + 2**61, 2**63, 2**63 + 2**61], "increasing"),
    ],
)
def test_the_direction_is_that_of_the_series(values: list[int], expected: str) -> None:
    assert trend(values) == expected


@pytest.mark.parametrize("outlier", [0, 10**9])
def test_one_outlier_does_not_turn_it(outlier: int) -> None:
    assert trend([500, 505, 495, 500, 505, 500, outlier]) == "stable"
    assert trend([100, 200, 300, outlier, 500, 600, 700]) == "increasing"


def test_a_gap_is_not_a_zero() -> None:
    assert trend([500, 505, 495, 500, None, None, None]) == "stable"
    assert trend([None, 100, None, 300, None, 500, None, 700]) == "increasing"


def test_gaps_keep_their_place_in_time() -> None:
    """The same values, once day after day and once with three weeks unobserved after the second."""
    values = [100, 100, 110, 110, 150]

    assert trend(values) == "increasing"
    assert trend([*values[:2], *[None] * 20, *values[2:]]) == "stable"


@pytest.mark.parametrize("values", [[], [1], [1, 50, 100], [1, None, 50, None, 100, None]])
def test_of_too_few_points_nothing_is_said(values: list[int | None]) -> None:
    assert len([value for value in values if value is not None]) < MIN_POINTS
    assert trend(values) is None


def test_devices_stay_in_the_order_given() -> None:
    rising, falling = [1, 2, 3, 4], [4, 3, 2, 1]

    trends = calculate_usage_trends({TV: rising, PHONE: rising, LAPTOP: falling})

    assert trends == UsageTrends(increasing=(TV, PHONE), stable=(), decreasing=(LAPTOP,))


def test_without_devices_there_are_no_trends() -> None:
    assert calculate_usage_trends({}) == UsageTrends(increasing=(), stable=(), decreasing=())


@given(SERIES)
def test_a_series_has_exactly_one_direction_or_too_few_points(values: list[int | None]) -> None:
    trends = calculate_usage_trends({PHONE: values})
    verdicts = [*trends.increasing, *trends.stable, *trends.decreasing]

    assert verdicts == ([PHONE] if len([v for v in values if v is not None]) >= MIN_POINTS else [])


@given(st.lists(st.integers(0, 2**40), min_size=MIN_POINTS, max_size=31))
def test_backwards_in_time_the_direction_is_the_opposite(values: list[int]) -> None:
    opposite = {"increasing": "decreasing", "decreasing": "increasing", "stable": "stable"}

    assert trend(values[::-1]) == opposite[str(trend(values))]


@given(st.lists(st.integers(0, 2**30), min_size=MIN_POINTS, max_size=31), st.integers(1, 10).map(lambda n: 2**n))
def test_the_unit_does_not_matter(values: list[int], factor: int) -> None:
    assert trend([value * factor for value in values]) == trend(values)
