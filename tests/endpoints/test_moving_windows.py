"""What is counted in memory is counted as limits would count it, and forgotten, without a thread."""

import threading

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from endpoints import moving_windows
from endpoints.moving_windows import MemoryWindows

THREE = RateLimitItemPerMinute(3)


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(moving_windows, "time", clock)
    monkeypatch.setattr("limits.storage.memory.time", clock)
    return clock


def test_it_answers_as_limits_does(clock: _Clock) -> None:
    ours, theirs = MemoryWindows(), MovingWindowRateLimiter(MemoryStorage())
    for step in (0, 1, 20, 5, 10, 26, 0, 1, 30.5, 59, 61, 200, 0, 0, 0, 59.5, 1):
        clock.now += step
        for whom in ("anna", "ben"):
            assert ours.test(THREE, "account", whom) == theirs.test(THREE, "account", whom)
            assert ours.hit(THREE, "account", whom) == theirs.hit(THREE, "account", whom)
            assert ours.get_window_stats(THREE, whom) == theirs.get_window_stats(THREE, whom)
            assert ours.get_window_stats(THREE, "account", whom) == theirs.get_window_stats(THREE, "account", whom)


def test_two_limits_of_one_account_are_counted_apart(clock: _Clock) -> None:
    windows = MemoryWindows()
    for _ in range(3):
        assert windows.hit(THREE, "export", "anna")
    assert not windows.hit(THREE, "export", "anna")
    assert windows.hit(THREE, "report", "anna")


def test_what_is_over_is_forgotten_and_no_thread_is_needed_for_it(clock: _Clock) -> None:
    windows, before = MemoryWindows(), threading.active_count()
    for number in range(1_000):
        windows.hit(THREE, "address", f"192.0.2.{number}")
    assert threading.active_count() == before
    clock.now += 61
    windows.hit(THREE, "address", "198.51.100.1")
    assert len(windows._hits) == 1
