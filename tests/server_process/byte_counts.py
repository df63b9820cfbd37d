"""Traffic through a router, told twice: by the router's own ledger and by the history of a running server."""

from datetime import UTC, datetime, timedelta

from simulator.router import SimulatedRouter
from tests.server_process.running_server import BASE, Server


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
