"""Time that passes and readings that are collected, for the services' tests."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def read(runtime: Runtime, context: RouterContext, clock: ManualClock) -> Callable[..., None]:
    """Lets time pass and collects: read(5 * MINUTE)."""

    def collect(after: timedelta = 5 * MINUTE) -> None:
        clock.advance(after)
        runtime.collector.collect(context)

    return collect
