"""The demo as a process: thirty days of history, also when it is killed while making them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.server_process.running_server import BASE, Server


@pytest.mark.timeout(300)
def test_the_demo_has_thirty_days_goes_on_after_a_kill_and_finds_them_again(start: Callable[..., Server]) -> None:
    server = start("serve", "--demo")
    server.until(lambda: "20 % of the history" in server.output, "a fifth of the history", 120)
    server.kill()
    server = start("serve", "--demo")
    server.until_ready(150)
    today = datetime.now(UTC).date()
    query = {"startDate": (today - timedelta(days=29)).isoformat(), "endDate": today.isoformat()}
    history = server.data(f"{BASE}/history", **query)
    assert len(history["buckets"]) == 30
    assert [bucket["start"] for bucket in history["buckets"] if not bucket["totalBytes"]] == []
    assert min(bucket["coverage"] for bucket in history["buckets"][1:-1]) == 1.0
    assert len(history["devices"]) >= 12
    assert server.post(f"{BASE}/refresh").status_code == 200
    assert server.data(f"{BASE}/current")["source"] == "live"
    devices = server.data(f"{BASE}/devices")
    assert devices["totalDevices"] >= 11
    server.kill()
    server = start("serve", "--demo").until_ready()
    assert "First start" not in server.output
    again = server.data(f"{BASE}/history", **query)
    whole = slice(1, -2)
    assert again["buckets"][whole] == history["buckets"][whole]
    assert len(server.get("/api/routers").json()["data"]["routers"]) == 1
    assert server.post(f"{BASE}/refresh").status_code == 200
    assert server.terminate() == 0
