"""What both rooms begin with."""

from datetime import timedelta

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import PHONE

BASE = "/api/device-usage"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def always_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of /current are shared for 5 s of real time; here each shall be one of its own."""
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)


@pytest.fixture
def read_once(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> RouterContext:
    """Alice's router with one reading."""
    router.traffic(PHONE, rx=1_000, tx=100)
    runtime.collector.collect(context)
    clock.advance(MINUTE)
    return context
