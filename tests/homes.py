"""What tests build homes of: accounts, configurations, registrations, and what is stored told in one line."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient

from db_operations import readings_db
from db_operations.database import Database
from db_operations.statements import fetch_all
from endpoints.web_server import WebServer
from server import Runtime
from services.accounts.accounts import LOCAL_SESSION_ID
from services.context import RouterContext
from services.routers.credentials import Credentials
from services.routers.routers import RouterRegistration
from simulator.clock import ManualClock
from simulator.ledger import Usage
from simulator.ssh_server import HostedRouter
from utils.config import Config

#: Alice is who is signed in to the local mode's API.
ALICE = LOCAL_SESSION_ID
BOB = "bob"

#: A Tuesday, 10:00 in Berlin. In the future, so that what the database stamps with its own now() is due already.
START = datetime(2031, 11, 11, 9, 0, tzinfo=UTC)

PHONE = "ac:bc:32:8e:51:72"
LAPTOP = "a4:34:d9:6f:0d:33"
TV = "8c:79:f5:21:40:0b"

KEY = Fernet.generate_key().decode()

#: NETPILOT_SOAK=n makes the tests that go round and round do it n times as often; their docstrings say with what.
SOAK = int(os.environ.get("NETPILOT_SOAK", "1"))

TABLES = (
    "users",
    "sessions",
    "tokens",
    "audit_log",
    "routers",
    "devices",
    "last_readings",
    "coverage",
    "events",
    "accounting_periods",
    "device_usage_monitoring",
    "snapshot_days",
    "device_usage_hourly",
    "device_usage_history",
    "device_usage_protocols",
)

Totals = dict[Any, tuple[int, int]]


def make_config(**overrides: object) -> Config:
    """A configuration for routers on loopback; short deadlines, so that what hangs fails within the test."""
    values: dict[str, object] = {
        "credentials_keys": KEY,
        "router_allowed_networks": "127.0.0.0/8",
        "router_connect_timeout_s": 5,
        "router_command_timeout_s": 5,
        "collector_workers": 4,
    }
    return Config(_env_file=None, **(values | overrides))  # type: ignore[call-arg, arg-type]


def register(runtime: Runtime, hosted: HostedRouter, session_id: str = ALICE, **fields: Any) -> RouterContext:
    """Register a simulated router; one SSH command, which pins its host key."""
    registration = RouterRegistration(
        name=fields.pop("name", "Home"),
        host=hosted.host,
        port=hosted.port,
        username=hosted.username,
        credentials=Credentials(password=fields.pop("password", hosted.password)),
        **fields,
    )
    return RouterContext(session_id, runtime.routers.register(session_id, registration).router.id)


def run_due(runtime: Runtime) -> None:
    """One pass of the collector, to its end."""
    runtime.collector.collect_due()
    done = wait(set(runtime.collector._running), timeout=30).done
    while done & set(runtime.collector._running):  # until it has noticed: what runs is not taken on again
        time.sleep(0.001)


class TickingClock:
    """A clock that goes on by a millisecond whenever somebody looks at it."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        self._clock.advance(timedelta(milliseconds=1))
        return self._clock.now()


# --- what is stored --------------------------------------------------------------------------------------


def ask(database: Database, statement: str, **params: object) -> list[tuple[Any, ...]]:
    with database.transaction() as conn:
        return fetch_all(conn, statement, params)


def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every table as text."""
    return {
        table: [row[0] for row in ask(database, f"SELECT t::text FROM {table} AS t ORDER BY 1")] for table in TABLES
    }


def hourly(database: Database, context: RouterContext) -> Totals:
    """(mac, slot) -> bytes down, up."""
    return _keyed(database, context, "SELECT device_mac, slot_start, total_download, total_upload", "_hourly", "true")


def daily(database: Database, context: RouterContext) -> Totals:
    """(mac, local day) -> bytes down, up."""
    what = "SELECT device_mac, start_date, total_download, total_upload"
    return _keyed(database, context, what, "_history", "span = 'day'")


def protocols_by_day(database: Database, context: RouterContext) -> Totals:
    """(mac, local day) -> bytes down, up over all protocols: what `daily` says too."""
    columns = "sum(ipv4_download + ipv6_download)::bigint, sum(ipv4_upload + ipv6_upload)::bigint"
    return _keyed(database, context, f"SELECT device_mac, day, {columns}", "_protocols", "true GROUP BY 1, 2")


def covered(database: Database, context: RouterContext) -> list[tuple[datetime, datetime]]:
    """The stretches between good readings."""
    with database.transaction() as conn:
        ever = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        return readings_db.list_coverage(conn, context.session_id, context.router_id, start=ever[0], end=ever[1])


def per_device(totals: Totals) -> Totals:
    """Hourly or daily usage added up by MAC."""
    sums: Totals = {}
    for (mac, _), (down, up) in totals.items():
        old = sums.get(mac, (0, 0))
        sums[mac] = (old[0] + down, old[1] + up)
    return sums


def truth(ledger: Mapping[Any, Usage]) -> Totals:
    """What a ledger says, in the same shape; rows without a byte left out, as the store does."""
    return {key: (usage.rx, usage.tx) for key, usage in ledger.items() if usage.rx or usage.tx}


def _keyed(database: Database, context: RouterContext, what: str, table: str, condition: str) -> Totals:
    statement = f"{what} FROM device_usage{table} WHERE router_id = %(router)s AND {condition}"
    return {(row[0], row[1]): (row[2], row[3]) for row in ask(database, statement, router=context.router_id)}


# --- asking the API --------------------------------------------------------------------------------------


class Api:
    """A client that knows the envelope: `data` for what succeeds, `error` for what must not."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def data(self, path: str, method: str = "GET", *, status: int = 200, **options: Any) -> Any:
        return self.body(path, method, status=status, **options)["data"]

    def body(self, path: str, method: str = "GET", *, status: int = 200, **options: Any) -> Any:
        response = self.client.open(path, method=method, **options)
        assert response.status_code == status, response.text
        body = response.get_json()
        assert set(body) == {"success", "data", "metadata"}
        assert body["success"] is True
        assert body["metadata"]["requestId"] == response.headers["X-Request-Id"]
        return body

    def error(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str, dict[str, Any]]:
        """Status, code and details."""
        response = self.client.open(path, method=method, **options)
        body = response.get_json()
        assert set(body) == {"success", "error", "metadata"}, body
        assert body["success"] is False
        assert set(body["error"]) - {"details"} == {"code", "message"}
        assert body["metadata"] == {"requestId": response.headers["X-Request-Id"]}
        assert "Traceback" not in response.text
        return response.status_code, body["error"]["code"], body["error"].get("details", {})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def serving(app: Flask, port: int | None = None) -> Iterator[str]:
    """The application behind the real web server, in a thread: its URL."""
    port = port or free_port()
    web = WebServer(app, host="127.0.0.1", port=port)
    thread = Thread(target=web.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        web.stop()
        thread.join(10)
