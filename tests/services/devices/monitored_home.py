"""A home of three devices for tests of those that are taken out of monitoring and brought back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, TV

MINUTE = timedelta(minutes=1)
MACS = (PHONE, LAPTOP, TV)


def live_in(router: SimulatedRouter, read: Callable[..., None]) -> None:
    """Phone, laptop and TV, read twice: each used 1,000 bytes."""
    for number, mac in enumerate(MACS):
        router.add_host(mac, f"192.168.1.{number + 2}", f"host-{number}", state="REACHABLE")
        router.traffic(mac, rx=5)
    read(timedelta(0))
    for mac in MACS:
        router.traffic(mac, rx=1_000)
    read()


def history(runtime: Runtime, context: RouterContext) -> Any:
    return runtime.services.history.get_history(
        context, start_date=None, end_date=None, granularity=Granularity.DAY, page=1, page_size=50
    )


def shown(runtime: Runtime, context: RouterContext) -> dict[str, int]:
    """Bytes down of each device in the history, which add up to its totals."""
    told = history(runtime, context)
    devices = {device.mac: device.bytes_down for device in told.devices}
    assert sum(devices.values()) == (told.totals.bytes_down or 0)
    return devices
