"""Fills a database with usage, in SQL: raw rows of several routers, and rollups that match them.

Every device uses the same in every reading, so that a rollup is a multiplication.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import psycopg2

from benchmarks.readings import OFFICE, taken_reading
from db_operations import partitions_db, routers_db, snapshot_days_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.accounts.accounts import LOCAL_SESSION_ID
from services.readings.reading_store import ReadingStore
from utils.nlbwmon_parser import parse_nlbw_json

DEVICES = 250
DAYS = 35
READINGS_A_DAY = 288
_ROWS_A_DAY = DEVICES * READINGS_A_DAY

#: The last day that has usage, and the moment of its last reading, which came after the regular ones.
LAST_DAY = date(2026, 11, 10)
LAST_READING = datetime(2026, 11, 10, 23, 57, tzinfo=UTC)

_MACS = sorted(parse_nlbw_json(OFFICE).totals)
_DEVICES = "unnest(%(macs)s::text[]) WITH ORDINALITY AS known (mac, device)"


@dataclass(frozen=True)
class Amount:
    """Raw rows in whole readings of 250 devices: the last router may hold fewer days, the newest ones."""

    rows: int

    @property
    def days_of_router(self) -> list[int]:
        days = max(1, self.rows // _ROWS_A_DAY)
        full, rest = divmod(days, DAYS)
        return [DAYS] * full + [rest] * (rest > 0)

    @property
    def actual_rows(self) -> int:
        return sum(self.days_of_router) * _ROWS_A_DAY


def router_id(number: int) -> str:
    """The id of the first, second, ... router; the first is the measured one."""
    return f"router{number:010d}"


def add_router(conn: psycopg2.extensions.connection, number: int) -> None:
    """A router of UTC and its devices."""
    record = RouterRecord(
        id=router_id(number),
        session_id=LOCAL_SESSION_ID,
        name=f"Office {number}",
        host=f"192.0.2.{number}",  # nobody answers there
        port=22,
        username="root",
        credentials=b"-",
        timezone="UTC",
        collect_interval_minutes=5,
    )
    routers_db.insert_router(conn, record)
    add_devices(conn, record.id)


def add_devices(conn: psycopg2.extensions.connection, router: str) -> None:
    _execute(
        conn,
        f"""
        INSERT INTO devices (router_id, device_mac, session_id, hostname, ips, is_active, first_seen, last_seen)
        SELECT %(router)s, mac, %(session)s, 'pc-' || device, ARRAY['10.0.0.' || device], true,
               %(last)s::timestamptz - interval '35 days', %(last)s
        FROM {_DEVICES}
        ON CONFLICT DO NOTHING
        """,
        {"router": router},
    )


def add_rollups(
    conn: psycopg2.extensions.connection, router: str, *, last_day: date = LAST_DAY, **owned: object
) -> None:
    """35 days of usage up to ``last_day`` by hour, by day and by protocol, and their coverage. ``owned``: the
    ``session`` and the ``macs`` of a router that `add_router` has not made.
    """
    first_day = last_day - timedelta(days=DAYS - 1)
    moments = {"router": router, "first_day": first_day, "last_day": last_day, **owned}
    _execute(
        conn,
        f"""
        INSERT INTO device_usage_hourly (session_id, router_id, device_mac, slot_start, total_download, total_upload,
                                         data_points)
        SELECT %(session)s, %(router)s, mac, slot, 12 * 1000 * device, 12 * 100 * device, 12
        FROM generate_series(%(first_day)s::date + time '00:00' AT TIME ZONE 'UTC',
                             %(last_day)s::date + time '23:00' AT TIME ZONE 'UTC', interval '1 hour') AS slot,
             {_DEVICES}
        ORDER BY slot, device
        ON CONFLICT DO NOTHING
        """,
        moments,
    )
    _execute(
        conn,
        f"""
        INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date,
                                          total_download, total_upload, total_usage, data_points)
        SELECT %(session)s, %(router)s, mac, 'day', day::date, day::date, 288 * 1000 * device,
               288 * 100 * device, 288 * 1100 * device, 288
        FROM generate_series(%(first_day)s::date, %(last_day)s::date, interval '1 day') AS day,
             {_DEVICES}
        ORDER BY day, device
        ON CONFLICT DO NOTHING
        """,
        moments,
    )
    _execute(
        conn,
        """
        INSERT INTO device_usage_protocols (session_id, router_id, day, device_mac, protocol, ipv4_download,
                                            ipv4_upload)
        SELECT session_id, router_id, start_date, device_mac, protocol, total_download / 8, total_upload / 8
        FROM device_usage_history,
             unnest(ARRAY['HTTPS', 'QUIC', 'HTTP', 'DNS', 'SSH', 'IMAPS', 'NTP', 'other']) AS protocol
        WHERE router_id = %(router)s AND start_date BETWEEN %(first_day)s::date AND %(last_day)s::date
        ORDER BY start_date, device_mac, protocol
        ON CONFLICT DO NOTHING
        """,
        moments,
    )
    _execute(
        conn,
        """
        INSERT INTO coverage (router_id, session_id, start_at, end_at)
        VALUES (%(router)s, %(session)s, %(first_day)s::date, %(last_day)s::date + interval '23:55')
        ON CONFLICT DO NOTHING
        """,
        moments,
    )


def add_last_reading(url: str, router: str) -> None:
    """The office, read once by hand after the last of the regular readings: stored by the product itself."""
    database = Database(url, max_connections=1)
    with database.transaction() as conn:
        record = routers_db.get_router(conn, LOCAL_SESSION_ID, router)
    ReadingStore(database).store(record, taken_reading(OFFICE, LAST_READING, base=None))
    database.close()


def fill(url: str, amount: Amount) -> None:
    """Routers, devices, rollups, and raw rows up to the last day; says on stderr how far it is."""
    conn = psycopg2.connect(url)
    try:
        for number, _days in enumerate(amount.days_of_router, start=1):
            add_router(conn, number)
            add_rollups(conn, router_id(number))
        conn.commit()
        add_last_reading(url, router_id(1))
        done = 0
        for day, routers in _days_of(amount):
            partitions_db.ensure_partition(conn, day)
            for number in routers:
                _add_raw_rows(conn, router_id(number), day)
            conn.commit()
            done += len(routers) * _ROWS_A_DAY
            _say(f"\r  filling: {done:,} of {amount.actual_rows:,} rows ")
        conn.autocommit = True
        _say("\r  vacuuming ... ")
        _execute(conn, "VACUUM (ANALYZE)", {})  # what autovacuum would have come to in 35 days
        _say("\r" + " " * 60 + "\r")
    finally:
        conn.close()


def _days_of(amount: Amount) -> Iterator[tuple[date, list[int]]]:
    """The days, oldest first, and the numbers of the routers that were read on each."""
    for age in reversed(range(DAYS)):
        routers = [number for number, days in enumerate(amount.days_of_router, start=1) if age < days]
        if routers:
            yield LAST_DAY - timedelta(days=age), routers


def _add_raw_rows(conn: psycopg2.extensions.connection, router: str, day: date) -> None:
    _execute(
        conn,
        f"""
        INSERT INTO device_usage_monitoring (session_id, router_id, timestamp, device_mac, device_name,
                                             bytes_downloaded, bytes_uploaded, total_bytes, usage_down, usage_up)
        SELECT %(session)s, %(router)s, moment, mac, 'pc-' || device, 1000000000::bigint * device,
               100000000::bigint * device, 1100000000::bigint * device, 1000 * device, 100 * device
        FROM generate_series(%(day)s::date + time '00:00' AT TIME ZONE 'UTC',
                             %(day)s::date + time '23:55' AT TIME ZONE 'UTC', interval '5 minutes') AS moment,
             {_DEVICES}
        ORDER BY moment, device
        """,
        {"router": router, "day": day},
    )
    first = datetime.combine(day, time.min, tzinfo=UTC)
    for at, rows in ((first, _ROWS_A_DAY), (first + timedelta(hours=23, minutes=55), 0)):
        snapshot_days_db.add_to_snapshot_day(conn, LOCAL_SESSION_ID, router, at=at, rows=rows)


def _execute(conn: psycopg2.extensions.connection, statement: str, params: dict[str, object]) -> None:
    common = {"session": LOCAL_SESSION_ID, "macs": _MACS, "last": LAST_READING}
    with conn.cursor() as cursor:
        cursor.execute(statement, {**common, **params} if params else None)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
