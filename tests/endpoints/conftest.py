"""A home whose usage the endpoints' tests know, and readings of it on demand."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE
from tests.homes import LAPTOP, PHONE, Api

MINUTE = timedelta(minutes=1)


@pytest.fixture
def always_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of /current are shared for 5 s of real time; device usage's tests want one of their own each time."""
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)


@pytest.fixture
def read(context: RouterContext, api: Api, clock: ManualClock) -> Callable[..., Any]:
    """Lets time pass and refreshes: read(5 * MINUTE)."""

    def refresh(after: timedelta = 5 * MINUTE) -> Any:
        clock.advance(after)
        return api.data(f"{BASE}/refresh", "POST")

    return refresh


@pytest.fixture
def used(read: Callable[..., Any], router: SimulatedRouter) -> None:
    """Two readings: the phone used 2,500 bytes down and 300 up, the laptop 10 and 20, over IPv6 and v4."""
    router.add_host(PHONE, "192.168.1.2", "Annas-iPhone")
    router.add_host(LAPTOP, "192.168.1.10", "desktop-büro")
    router.traffic(PHONE, rx=1_000, tx=100)
    read(timedelta(0))
    router.traffic(PHONE, rx=2_000, tx=100)
    router.traffic(PHONE, rx=500, tx=200, family=6)
    router.traffic(LAPTOP, rx=10, tx=20, proto="UDP", port=53)
    read()
