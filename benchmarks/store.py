"""Storing a reading, with all that keeps it exact and queryable, against COPYing its snapshot rows alone.

The steady state: every device is known and active, the day's rollup rows are there, readings come 5 minutes apart.
The limit writes the same rows into a table of the same definition, one transaction and one commit a reading.
"""

import dataclasses
import io
import time
from collections.abc import Iterator

import psycopg2

from benchmarks.measure import Options, Result, Side, medians
from benchmarks.readings import FIRST_READING, growing_network
from benchmarks.temporary_database import migrated_database
from db_operations import readings_db, routers_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.accounts import LOCAL_SESSION_ID, ensure_local_user
from services.reading_store import ReadingStore
from services.router_readings import TakenReading
from utils.nlbwmon_parser import calculate_usage_metrics

#: An hour of readings, so that the measured ones meet rollup rows, known devices and a table that is in use.
_WARM_UP = 12


def store(options: Options) -> Iterator[Result]:
    with migrated_database() as url:
        yield _store(url, devices=20, rounds=options.rounds(240), at_least=0.30)
        yield _store(url, devices=1_000, rounds=options.rounds(80), at_least=0.25)


def _store(url: str, *, devices: int, rounds: int, at_least: float) -> Result:
    database = Database(url, max_connections=1)
    conn = psycopg2.connect(url)
    try:
        ours = _ours(database, _router(database, devices), devices)
        ours_s, limit_s = medians(ours, _limit(conn, devices), rounds=rounds, warm_up=_WARM_UP)
    finally:
        conn.close()
        database.close()
    return Result(name=f"store, {devices:,} devices", ours_s=ours_s, limit_s=limit_s, at_least=at_least)


def _ours(database: Database, router: RouterRecord, devices: int) -> Side:
    readings = growing_network(devices)
    product = ReadingStore(database)

    def side() -> float:
        with database.transaction() as conn:
            previous = readings_db.get_last_reading(conn, router.session_id, router.id)
        taken = dataclasses.replace(next(readings), previous=previous)
        started = time.perf_counter()
        product.store(router, taken)
        return time.perf_counter() - started

    return side


def _limit(conn: psycopg2.extensions.connection, devices: int) -> Side:
    table = f"copied_{devices}"
    day = FIRST_READING.date()
    with conn.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {table} (LIKE device_usage_monitoring INCLUDING ALL) PARTITION BY RANGE (timestamp);"
            f"CREATE TABLE {table}_day PARTITION OF {table} FOR VALUES FROM ('{day} 00:00Z') TO ('{day} 24:00Z')"
        )
    conn.commit()
    copy = (
        f"COPY {table} (session_id, router_id, timestamp, device_mac, device_name, bytes_downloaded, bytes_uploaded, "
        "total_bytes, usage_down, usage_up) FROM STDIN"
    )
    readings = growing_network(devices)

    def side() -> float:
        taken = next(readings)
        at, rows = taken.reading.read_at, _rows(taken)
        started = time.perf_counter()
        prefix = f"{LOCAL_SESSION_ID}\trouter-{devices}\t{at.isoformat()}\t"
        lines = [f"{prefix}{mac}\t\\N\t{d}\t{u}\t{d + u}\t{used_d}\t{used_u}\n" for mac, d, u, used_d, used_u in rows]
        with conn.cursor() as cursor:
            cursor.copy_expert(copy, io.StringIO("".join(lines)))
        conn.commit()
        return time.perf_counter() - started

    return side


def _rows(taken: TakenReading) -> list[tuple[str, int, int, int, int]]:
    usage = taken.usage.by_device()
    totals = calculate_usage_metrics(taken.reading.rows)
    return [(mac, *total, *usage.get(mac, (0, 0))) for mac, total in sorted(totals.items())]


def _router(database: Database, devices: int) -> RouterRecord:
    ensure_local_user(database)
    router = RouterRecord(
        id=f"router-{devices}",
        session_id=LOCAL_SESSION_ID,
        name="Office",
        host=f"10.0.0.{devices % 250}",
        port=22,
        username="root",
        credentials=b"-",
        collect_interval_minutes=5,
    )
    with database.transaction() as conn:
        return routers_db.insert_router(conn, router)
