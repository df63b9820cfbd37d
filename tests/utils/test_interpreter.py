"""A server's threads take shorter turns than Python gives them by itself, and garbage is looked for less often."""

import gc
import sys
from collections.abc import Iterator

import pytest

from utils.interpreter import look_for_garbage_seldom, take_short_turns


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    turn, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(turn)
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_turns_get_shorter() -> None:
    before = sys.getswitchinterval()
    take_short_turns()
    assert sys.getswitchinterval() < before


def test_what_stays_is_not_gone_through_and_what_comes_later_is() -> None:
    class Circle:
        alive = 0

        def __init__(self) -> None:
            self.itself = self
            Circle.alive += 1

        def __del__(self) -> None:
            Circle.alive -= 1

    stays = Circle()
    look_for_garbage_seldom()
    assert not any(one is stays for one in gc.get_objects())
    Circle()
    gc.collect()
    assert Circle.alive == 1


def test_a_history_of_thousands_of_rows_is_no_reason_to_look() -> None:
    look_for_garbage_seldom()
    before = [generation["collections"] for generation in gc.get_stats()]
    rows = [(number, str(number)) for number in range(5_000)]
    assert [generation["collections"] for generation in gc.get_stats()] == before
    assert len(rows) == 5_000
