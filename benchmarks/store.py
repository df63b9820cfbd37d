"""Storing a reading, with all that keeps it exact and queryable, against COPYing the same rows raw.

The steady state: every device is known and active, the day's rollup rows are there, readings come 5 minutes apart.
The limit writes the rows that a reading stores (a snapshot, an hour's and a day's row a device, a row a protocol of
each) into tables of the same definitions by COPY, in one transaction with one commit. The second line of each compares
with the snapshot rows alone: what keeping rollups and the base of the next reading costs on top of a bare log.
"""

import dataclasses
import io
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg2

from benchmarks.measure import Options, Result, Side, medians
from benchmarks.readings import FIRST_READING, growing_network
from benchmarks.temporary_database import migrated_database
from db_operations import readings_db, routers_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.accounts.accounts import LOCAL_SESSION_ID, ensure_local_user
from services.readings.protocol_rollups import protocol_batches
from services.readings.reading_store import ReadingStore

_SNAPSHOT = (
    "session_id, router_id, timestamp, device_mac, device_name, bytes_downloaded, bytes_uploaded, total_bytes, "
    "usage_down, usage_up"
)
_HOURLY = "session_id, router_id, device_mac, slot_start, total_download, total_upload, data_points"
_DAILY = (
    "session_id, router_id, device_mac, span, start_date, end_date, total_download, total_upload, total_usage, "
    "data_points"
)

_PROTOCOLS = "session_id, router_id, device_mac, day, protocol, ipv4_download, ipv4_upload, ipv6_download, ipv6_upload"

#: An hour of readings, so that the measured ones meet rollup rows, known devices and a table that is in use.
_WARM_UP = 12


def store(options: Options) -> Iterator[Result]:
    with migrated_database() as url:
        yield from _store(url, devices=20, rounds=options.rounds(240), at_least=0.30)
        yield from _store(url, devices=1_000, rounds=options.rounds(80), at_least=0.25)


def _store(url: str, *, devices: int, rounds: int, at_least: float) -> Iterator[Result]:
    database = Database(url, max_connections=1)
    conn = psycopg2.connect(url)
    try:
        sides = (
            _ours(database, _router(database, devices), devices),
            _raw_copy(conn, devices, with_rollups=True),
            _raw_copy(conn, devices, with_rollups=False),
        )
        ours_s, same_rows_s, snapshot_s = medians(*sides, rounds=rounds, warm_up=_WARM_UP)
    finally:
        conn.close()
        database.close()
    yield Result(name=f"store, {devices:,} devices", ours_s=ours_s, limit_s=same_rows_s, at_least=at_least)
    yield Result(name=f"store, {devices:,} devices, snapshot alone", ours_s=ours_s, limit_s=snapshot_s)


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


def _raw_copy(conn: psycopg2.extensions.connection, devices: int, *, with_rollups: bool) -> Side:
    """A reading's rows into tables of its own: its snapshot, and if asked for those of the rollups."""
    name = f"copied_{devices}_{'all' if with_rollups else 'snapshot'}"
    day = FIRST_READING.date()
    with conn.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {name} (LIKE device_usage_monitoring INCLUDING ALL) PARTITION BY RANGE (timestamp);"
            f"CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES FROM ('{day} 00:00Z') TO ('{day} 24:00Z');"
            f"CREATE TABLE {name}_hourly (LIKE device_usage_hourly INCLUDING ALL);"
            f"CREATE TABLE {name}_daily (LIKE device_usage_history INCLUDING ALL);"
            f"CREATE TABLE {name}_protocols (LIKE device_usage_protocols INCLUDING ALL)"
        )
    conn.commit()
    readings = growing_network(devices)

    def side() -> float:
        taken = next(readings)
        at = taken.reading.read_at
        # Each reading's rollup rows are new ones here, so each has an hour and a day of its own.
        hour, date = at.replace(year=at.year - 1), (at - timedelta(days=at.minute + 60 * at.hour)).date()
        totals, usage = sorted(taken.totals.items()), taken.usage_by_device
        protocols = list(protocol_batches(taken.usage.parts, set(), taken.zone, taken.protocol_names))
        started = time.perf_counter()
        owner = f"{LOCAL_SESSION_ID}\trouter-{devices}\t"
        now = at.isoformat()
        with conn.cursor() as cursor:
            lines = []
            for mac, (down, up) in totals:
                used_down, used_up = usage.get(mac, (0, 0))
                lines.append(f"{owner}{now}\t{mac}\t\\N\t{down}\t{up}\t{down + up}\t{used_down}\t{used_up}\n")
            cursor.copy_expert(f"COPY {name} ({_SNAPSHOT}) FROM STDIN", io.StringIO("".join(lines)))
            if with_rollups:
                lines = [f"{owner}{mac}\t{hour.isoformat()}\t{down}\t{up}\t1\n" for mac, (down, up) in usage.items()]
                cursor.copy_expert(f"COPY {name}_hourly ({_HOURLY}) FROM STDIN", io.StringIO("".join(lines)))
                lines = [
                    f"{owner}{mac}\tday\t{date}\t{date}\t{down}\t{up}\t{down + up}\t1\n"
                    for mac, (down, up) in usage.items()
                ]
                cursor.copy_expert(f"COPY {name}_daily ({_DAILY}) FROM STDIN", io.StringIO("".join(lines)))
                lines = [
                    f"{owner}{row.mac}\t{date}\t{row.protocol}\t{row.ipv4_down}\t{row.ipv4_up}\t{row.ipv6_down}"
                    f"\t{row.ipv6_up}\n"
                    for rows in protocols
                    for row in rows
                ]
                cursor.copy_expert(f"COPY {name}_protocols ({_PROTOCOLS}) FROM STDIN", io.StringIO("".join(lines)))
        conn.commit()
        return time.perf_counter() - started

    return side


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
