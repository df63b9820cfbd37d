"""How an export is sent: its name, gzip, clients that leave, and what one that breaks off looks like."""

import gzip
import json
import socket
import time
import zlib
from typing import Any

import pytest
import requests
from apiflask import APIFlask

from db_operations.database import Database
from db_operations.export_db import copy_usage
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from tests.homes import PHONE, Api, ask, serving

BASE = "/api/device-usage"
CSV, JSON = f"{BASE}/export/csv", f"{BASE}/export/json"
QUERY = "startDate=2031-11-01&endDate=2031-11-11&granularity=hour"
ROWS = 240_000


@pytest.fixture
def much(context: RouterContext, database: Database) -> None:
    """240,000 rows: far more than the buffers of both ends take."""
    with database.transaction() as conn:
        execute(
            conn,
            "INSERT INTO device_usage_hourly (session_id, router_id, device_mac, slot_start, total_download) "
            "SELECT %(session)s, %(router)s, '02:00:00:00:' || to_char(n / 100, 'FM00') || ':' || "
            "to_char(n %% 100, 'FM00'), '2031-11-01'::timestamptz + h * interval '1 hour', 1 "
            "FROM generate_series(0, 999) n, generate_series(0, 239) h",
            {"session": context.session_id, "router": context.router_id},
        )


@pytest.fixture
def named(context: RouterContext, database: Database) -> None:
    """One device with a day's usage, of a name in no ASCII at all."""
    with database.transaction() as conn:
        execute(
            conn,
            "INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date) "
            "VALUES (%(session)s, %(router)s, %(mac)s, 'day', '2031-11-11', '2031-11-11')",
            {"session": context.session_id, "router": context.router_id, "mac": PHONE},
        )
        execute(
            conn,
            "INSERT INTO devices (router_id, session_id, device_mac, name, is_active, first_seen) "
            "VALUES (%(router)s, %(session)s, %(mac)s, '客厅 ../电视', true, now())",
            {"session": context.session_id, "router": context.router_id, "mac": PHONE},
        )


@pytest.mark.parametrize(("path", "kind"), [(CSV, "text/csv"), (JSON, "application/json")])
@pytest.mark.parametrize("accept", ["*/*", "application/pdf", "text/html;q=0.1"])
def test_a_download_says_what_it_is_whatever_is_accepted(
    api: Api, named: None, path: str, kind: str, accept: str
) -> None:
    ending = path.rpartition("/")[2]
    for method in ("GET", "HEAD"):
        query = {"mac": PHONE, "granularity": "week"}
        response = api.client.open(path, method=method, query_string=query, headers={"Accept": accept})
        assert response.status_code == 200
        assert response.mimetype == kind
        whole = f"netpilot_Home_%E5%AE%A2%E5%8E%85-%E7%94%B5%E8%A7%86_2031-11-05_2031-11-11_week.{ending}"
        plain = f"netpilot_Home_2031-11-05_2031-11-11_week.{ending}"
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
        assert response.headers["Content-Disposition"] == disposition
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert bool(response.data) is (method == "GET")


@pytest.mark.parametrize("path", [CSV, JSON])
def test_head_asks_the_database_for_no_row(
    api: Api, context: RouterContext, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: Any) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr("services.device_usage_export.copy_usage", unwanted)
    assert api.client.head(path).status_code == 200
    assert api.client.head(path, query_string={"mac": "nonsense"}).status_code == 400
    assert api.client.head(path, query_string={"mac": "02:00:00:00:00:99"}).status_code == 404


@pytest.mark.parametrize("path", [CSV, JSON])
def test_over_the_wire_head_is_get_without_a_body(app: APIFlask, context: RouterContext, path: str) -> None:
    with serving(app) as url:
        get, head = (received(url, path, "1.1", method=method).partition(b"\r\n\r\n") for method in ("GET", "HEAD"))

    def fields(answer: tuple[bytes, bytes, bytes]) -> list[bytes]:
        return [one for one in answer[0].splitlines() if not one.startswith((b"X-Request-Id", b"Date"))]

    assert fields(head) == fields(get)
    assert get[2]
    assert head[2] == b""


@pytest.mark.parametrize("path", [CSV, JSON])
@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [("gzip", True), ("br, gzip;q=0.2", True), ("*", True), ("gzip;q=0", False), ("identity", False), (None, False)],
)
def test_it_is_gzipped_for_those_that_take_it(
    api: Api, named: None, path: str, accepted: str | None, is_packed: bool
) -> None:
    plain = api.client.get(path, headers={"X-Request-Id": "the-same-id"})
    headers = {"X-Request-Id": "the-same-id"} | ({"Accept-Encoding": accepted} if accepted else {})
    response = api.client.get(path, headers=headers)
    assert response.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
    assert (gzip.decompress(response.data) if is_packed else response.data) == plain.data
    head = api.client.head(path, headers=headers)
    assert head.headers.get("Content-Encoding") == response.headers.get("Content-Encoding")


# --- breaking off ----------------------------------------------------------------------------------------


@pytest.fixture
def broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database fails when most rows are through."""

    def fails(*arguments: Any) -> None:
        *others, sink = arguments
        copy_usage(*others, sink=sink)
        raise RuntimeError("the database is gone")

    monkeypatch.setattr("services.device_usage_export.copy_usage", fails)


def received(url: str, path: str, version: str, headers: str = "", method: str = "GET") -> bytes:
    host, port = url.removeprefix("http://").split(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(f"{method} {path}?{QUERY} HTTP/{version}\r\nHost: {host}:{port}\r\n{headers}\r\n".encode())
        while part := sock.recv(2**20):
            got += part
    assert got.startswith(f"HTTP/{version} 200".encode())
    return got


def test_one_that_breaks_off_does_not_look_complete(app: APIFlask, much: None, broken_off: None) -> None:
    with serving(app) as url:
        for path in (CSV, JSON):
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                requests.get(f"{url}{path}?{QUERY}", timeout=60)


def test_nor_does_it_where_nothing_is_chunked(app: APIFlask, much: None, broken_off: None) -> None:
    """An old proxy takes the end of the connection for the end of the answer."""
    with serving(app) as url:
        lines = received(url, CSV, "1.0").split(b"\r\n\r\n", 1)[1].splitlines()
        assert lines[-1].startswith(b'"INCOMPLETE: ')
        assert len(lines) > 100_000
        with pytest.raises(ValueError):
            json.loads(received(url, JSON, "1.0").split(b"\r\n\r\n", 1)[1])
        packed = received(url, CSV, "1.0", "Accept-Encoding: gzip\r\n").split(b"\r\n\r\n", 1)[1]
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        assert reader.decompress(packed).splitlines()[-1].startswith(b'"INCOMPLETE: ')
        assert not reader.eof


# --- clients that leave ----------------------------------------------------------------------------------


def is_copying(database: Database) -> bool:
    rows = ask(database, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%%' AND state = 'active'")
    return bool(rows)


def wait_until(condition: Any, timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


@pytest.mark.parametrize("path", [CSV, JSON])
def test_a_client_that_leaves_ends_the_query(app: APIFlask, much: None, database: Database, path: str) -> None:
    with serving(app) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(f"GET {path}?{QUERY} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert sock.recv(1_000).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)
            assert is_copying(database)  # it waits for a client that does not read
        assert wait_until(lambda: not is_copying(database), 5)


def test_one_that_leaves_before_the_first_row_ends_it_too(
    app: APIFlask, context: RouterContext, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thinks(conn: Any, *_: Any) -> None:
        with conn.cursor() as cursor:
            cursor.copy_expert("COPY (SELECT pg_sleep(60)) TO STDOUT", _[-1])

    monkeypatch.setattr("services.device_usage_export.copy_usage", thinks)
    with serving(app) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(f"GET {CSV}?{QUERY} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert wait_until(lambda: is_copying(database))
            time.sleep(0.6)
            assert is_copying(database)  # somebody still waits for it
        assert wait_until(lambda: not is_copying(database), 5)


def test_clients_that_leave_give_their_connections_back(app: APIFlask, runtime: Runtime, much: None) -> None:
    """Thirty clients that hang up in the middle of large exports, one after the other, cost no connection."""
    with serving(app) as url:
        host, port = url.removeprefix("http://").split(":")
        for path in (CSV, JSON) * 15:
            with socket.create_connection((host, int(port)), timeout=10) as sock:
                sock.sendall(f"GET {path}?{QUERY} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                assert sock.recv(1_000).startswith(b"HTTP/1.1 200")
        whole = requests.get(f"{url}{CSV}?{QUERY}", timeout=60)
        assert whole.text.count("\n") == 1 + ROWS
        assert wait_until(lambda: not runtime.database._out, 20)
    api = Api(app.test_client())
    assert api.data(f"{BASE}/devices")["devices"] == []
