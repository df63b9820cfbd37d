"""Traffic through a router, counted twice: by the router's own ledger and by the history of a running server."""

import contextlib
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE
from tests.server_process.running_server import BASE, Server


@contextlib.contextmanager
def traffic(router: SimulatedRouter) -> Iterator[None]:
    """Two devices that never rest."""
    stop = threading.Event()

    def flow() -> None:
        rng = random.Random(7)
        while not stop.wait(0.005):
            router.traffic(PHONE, rx=rng.randrange(100_000), tx=rng.randrange(1_000), port=rng.randrange(1, 30))
            router.traffic(LAPTOP, rx=rng.randrange(1_000), tx=rng.randrange(9), family=6)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def stored(server: Server) -> dict[str, tuple[int, int]]:
    """Everything that the history has, by MAC; both granularities have to agree."""
    today = datetime.now(UTC).date()
    query = {"startDate": (today - timedelta(days=1)).isoformat(), "endDate": (today + timedelta(days=1)).isoformat()}
    both = [server.data(f"{BASE}/history", granularity=granularity, **query) for granularity in ("hour", "day")]
    hourly, daily = (
        {device["mac"]: (device["bytesDown"], device["bytesUp"]) for device in history["devices"]} for history in both
    )
    assert hourly == daily
    return hourly


def truth(router: SimulatedRouter) -> dict[str, tuple[int, int]]:
    """The same of the router's ledger."""
    assert router.ledger
    return {mac: (usage.rx, usage.tx) for mac, usage in router.ledger.totals().items()}
