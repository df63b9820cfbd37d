"""A home whose usage the endpoints' tests know, readings of it on demand, and a real browser."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE
from tests.homes import LAPTOP, PHONE, Api

MINUTE = timedelta(minutes=1)

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture
def page() -> Iterator[Any]:
    """A tab of Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


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
