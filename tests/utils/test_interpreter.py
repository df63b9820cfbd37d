"""A server's threads take shorter turns than Python gives them by itself."""

import sys
from collections.abc import Iterator

import pytest

from utils.interpreter import take_short_turns


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_turns_get_shorter() -> None:
    before = sys.getswitchinterval()
    take_short_turns()
    assert sys.getswitchinterval() < before
