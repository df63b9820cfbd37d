"""The last reading of each router, the base of the next accounting step, and the coverage between readings."""

from dataclasses import dataclass, field
from datetime import date, datetime

from db_operations.statements import Connection, execute, fetch_all, fetch_one

_COLUMNS = """
    read_at, usage_since, period_start, period_end, uptime_s, boot_id, clock_skew_s, database_interval, usage_json
"""


@dataclass(frozen=True, kw_only=True)
class ReadingRecord:
    """What a router printed last, and what belongs to it."""

    #: Server time.
    read_at: datetime
    #: Where the usage up to this reading begins; None after a first reading.
    usage_since: datetime | None
    period_start: date
    period_end: date
    #: Seconds; None where the router doesn't tell.
    uptime_s: float | None
    boot_id: str | None
    #: Seconds the router's clock was ahead of ours.
    clock_skew_s: float | None
    #: nlbwmon's setting, None where the router doesn't tell.
    database_interval: str | None
    #: `nlbw -c json`, as it came.
    usage_json: bytes = field(repr=False)


def get_last_reading(conn: Connection, session_id: str, router_id: str) -> ReadingRecord | None:
    row = fetch_one(
        conn,
        f"SELECT {_COLUMNS} FROM last_readings WHERE session_id = %(session_id)s AND router_id = %(router_id)s",
        {"session_id": session_id, "router_id": router_id},
    )
    if row is None:
        return None
    return ReadingRecord(
        read_at=row[0],
        usage_since=row[1],
        period_start=row[2],
        period_end=row[3],
        uptime_s=row[4],
        boot_id=row[5],
        clock_skew_s=row[6],
        database_interval=row[7],
        usage_json=bytes(row[8]),
    )


def lock_last_read_at(conn: Connection, session_id: str, router_id: str) -> tuple[bool, datetime | None]:
    """Lock the router's row until the transaction ends, so that one reading at a time is stored.

    Whether the router (still) exists, and when its stored last reading was taken.
    """
    row = fetch_one(
        conn,
        """
        SELECT reading.read_at FROM routers AS router
        LEFT JOIN last_readings AS reading ON reading.router_id = router.id
        WHERE router.session_id = %(session_id)s AND router.id = %(router_id)s
        FOR UPDATE OF router
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return (False, None) if row is None else (True, row[0])


def upsert_last_reading(conn: Connection, session_id: str, router_id: str, reading: ReadingRecord) -> None:
    execute(
        conn,
        f"""
        INSERT INTO last_readings (router_id, session_id, {_COLUMNS})
        VALUES (%(router_id)s, %(session_id)s, %(read_at)s, %(usage_since)s, %(period_start)s, %(period_end)s,
                %(uptime_s)s, %(boot_id)s, %(clock_skew_s)s, %(database_interval)s, %(usage_json)s)
        ON CONFLICT (router_id) DO UPDATE SET
            read_at = excluded.read_at, usage_since = excluded.usage_since, period_start = excluded.period_start,
            period_end = excluded.period_end, uptime_s = excluded.uptime_s, boot_id = excluded.boot_id,
            clock_skew_s = excluded.clock_skew_s, database_interval = excluded.database_interval,
            usage_json = excluded.usage_json
        """,
        {"router_id": router_id, "session_id": session_id, **vars(reading)},
    )


def extend_coverage(conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime) -> None:
    """Add ``start``..``end`` to what was observed: to the stretch that ends at ``start``, or as a new one."""
    params = {"session_id": session_id, "router_id": router_id, "start": start, "end": end}
    extended = execute(
        conn,
        """
        UPDATE coverage SET end_at = %(end)s
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND end_at = %(start)s
          AND start_at = (SELECT max(start_at) FROM coverage WHERE router_id = %(router_id)s)
        """,
        params,
    )
    if not extended:
        execute(
            conn,
            """
            INSERT INTO coverage (router_id, session_id, start_at, end_at)
            VALUES (%(router_id)s, %(session_id)s, %(start)s, %(end)s)
            """,
            params,
        )


def list_coverage(
    conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The stretches between good readings that touch ``start``..``end``, oldest first."""
    rows = fetch_all(
        conn,
        """
        SELECT start_at, end_at FROM coverage
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND start_at < %(end)s AND end_at > %(start)s
        ORDER BY start_at
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "end": end},
    )
    return [(row[0], row[1]) for row in rows]
