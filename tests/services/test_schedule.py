"""When a router is collected next: regularly, spread out, and patiently after failures."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.schedule import next_collect_at, next_retry_at
from utils.config import COLLECT_INTERVALS

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
IDS = st.uuids().map(str)
INTERVALS = st.sampled_from(COLLECT_INTERVALS)
MOMENTS = st.integers(0, 10**15).map(lambda us: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))


@given(IDS, INTERVALS, MOMENTS)
def test_the_next_moment_is_ahead_and_at_most_an_interval_away(router_id: str, minutes: int, now: datetime) -> None:
    assert now < next_collect_at(router_id, minutes, now) <= now + timedelta(minutes=minutes)


@given(IDS, INTERVALS, MOMENTS)
def test_moments_follow_at_the_interval_whenever_one_asks(router_id: str, minutes: int, now: datetime) -> None:
    first = next_collect_at(router_id, minutes, now)

    assert next_collect_at(router_id, minutes, first) == first + timedelta(minutes=minutes)
    assert next_collect_at(router_id, minutes, first - timedelta(microseconds=1)) == first


def test_routers_are_spread_over_the_interval() -> None:
    minutes = {next_collect_at(f"router-{number}", 5, NOON).minute for number in range(200)}

    assert minutes == {0, 1, 2, 3, 4} or len(minutes) >= 5


def test_what_may_pass_is_tried_again_soon_and_then_ever_later() -> None:
    def wait(failures: int) -> timedelta:
        return next_retry_at("r1", 60, NOON, failures=failures, permanent=False) - NOON

    assert [wait(failures).total_seconds() for failures in (1, 2, 3, 4)] == [15, 30, 60, 120]


@given(IDS, INTERVALS, MOMENTS, st.integers(1, 100_000))
def test_what_may_pass_is_tried_at_the_next_regular_moment_at_the_latest(
    router_id: str, minutes: int, now: datetime, failures: int
) -> None:
    retry = next_retry_at(router_id, minutes, now, failures=failures, permanent=False)

    assert now < retry <= next_collect_at(router_id, minutes, now + timedelta(seconds=15))
    assert retry >= now + timedelta(seconds=15)


@given(IDS, INTERVALS, MOMENTS, st.integers(1, 100_000))
def test_a_wrong_password_is_not_hammered_at_a_router(
    router_id: str, minutes: int, now: datetime, failures: int
) -> None:
    wait = next_retry_at(router_id, minutes, now, failures=failures, permanent=True) - now

    assert timedelta(minutes=max(minutes, 15)) <= wait <= timedelta(hours=4)


@pytest.mark.parametrize(
    ("minutes", "waits"), [(5, [15, 30, 60, 120, 240, 240]), (30, [30, 60, 120, 240, 240]), (60, [60, 120, 240, 240])]
)
def test_what_a_person_has_to_mend_waits_twice_as_long_each_time(minutes: int, waits: list[int]) -> None:
    found = [
        next_retry_at("r1", minutes, NOON, failures=failures, permanent=True) - NOON
        for failures in range(1, len(waits) + 1)
    ]

    assert found == [timedelta(minutes=wait) for wait in waits]
