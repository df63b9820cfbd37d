"""The last reading of each router, the base of the next accounting step, and the coverage between readings."""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from psycopg2.extras import Json

from db_operations.statements import Connection, execute, fetch_all, fetch_one

_COLUMNS = """
    read_at, usage_since, covered_since, period_start, period_end, uptime_s, boot_id, daemon_id, clock_skew_s,
    router_zone, doubted, database_interval, unchanged_since, unchanged_readings, quarantined, findings, usage_json,
    database_directory, period_name, last_commit_at
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in a router's settings that should be mended, as of the last reading."""

    code: str
    message: str
    #: The commands that mend it.
    fix: str | None


@dataclass(frozen=True, kw_only=True)
class ReadingRecord:
    """What a router printed last, and what belongs to it."""

    #: Server time.
    read_at: datetime
    #: Where the usage up to this reading begins; None after a first reading.
    usage_since: datetime | None
    #: Since when every moment lies between good readings.
    covered_since: datetime
    period_start: date
    period_end: date
    #: Seconds; None where the router doesn't tell.
    uptime_s: float | None
    boot_id: str | None
    #: Names nlbwmon's start.
    daemon_id: str | None = None
    #: Seconds the router's clock was ahead of ours.
    clock_skew_s: float | None
    #: What its time zone is called; None where that was never stored.
    router_zone: str | None = None
    #: Periods whose files may hold what was counted already under another name: its clock or zone was set.
    doubted: Sequence[date] = ()
    #: nlbwmon's setting, None where the router doesn't tell.
    database_interval: str | None
    #: Where nlbwmon keeps its files, and what the router calls the period; None where that isn't known.
    database_directory: str | None = None
    period_name: str | None = None
    #: When nlbwmon last wrote the period's file, server time; None where that isn't known.
    last_commit_at: datetime | None = None
    #: Since when no counter has moved, and how many readings in a row saw that.
    unchanged_since: datetime | None = None
    unchanged_readings: int = 0
    #: Rows that were not believed, each with the last counters that were, as JSON keeps them; None: none.
    quarantined: list[list[Any]] | None = None
    findings: Sequence[Finding] = ()
    #: `nlbw -c json`, as it came.
    usage_json: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ReadingHeader:
    """What a last reading says but for what the router printed, which is large: see `ReadingRecord`."""

    read_at: datetime
    database_interval: str | None
    last_commit_at: datetime | None = None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Standstill:
    """How long a router's counters have not moved, and whether anybody was there to move them."""

    #: None while they move.
    since: datetime | None
    #: Readings in a row.
    readings: int
    #: As of the last reading, the router itself left out.
    active_devices: int


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
        covered_since=row[2],
        period_start=row[3],
        period_end=row[4],
        uptime_s=row[5],
        boot_id=row[6],
        daemon_id=row[7],
        clock_skew_s=row[8],
        router_zone=row[9],
        doubted=tuple(row[10]),
        database_interval=row[11],
        unchanged_since=row[12],
        unchanged_readings=row[13],
        quarantined=row[14],
        findings=_findings(row[15]),
        usage_json=zlib.decompress(row[16]),
        database_directory=row[17],
        period_name=row[18],
        last_commit_at=row[19],
    )


def get_reading_header(conn: Connection, session_id: str, router_id: str) -> ReadingHeader | None:
    row = fetch_one(
        conn,
        """
        SELECT read_at, database_interval, last_commit_at, findings FROM last_readings
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    if row is None:
        return None
    return ReadingHeader(read_at=row[0], database_interval=row[1], last_commit_at=row[2], findings=_findings(row[3]))


def _findings(stored: list[dict[str, str]] | None) -> tuple[Finding, ...]:
    return tuple(Finding(code=one["code"], message=one["message"], fix=one["fix"]) for one in stored or ())


def get_standstill(conn: Connection, session_id: str, router_id: str) -> Standstill | None:
    """None before the first reading."""
    row = fetch_one(
        conn,
        """
        SELECT unchanged_since, unchanged_readings,
               (SELECT count(*) FROM devices
                WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND is_active AND NOT is_router)
        FROM last_readings WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return Standstill(since=row[0], readings=row[1], active_devices=row[2]) if row else None


def upsert_last_reading(conn: Connection, session_id: str, router_id: str, reading: ReadingRecord) -> None:
    execute(
        conn,
        f"""
        INSERT INTO last_readings (router_id, session_id, {_COLUMNS})
        VALUES (%(router_id)s, %(session_id)s, %(read_at)s, %(usage_since)s, %(covered_since)s,
                %(period_start)s, %(period_end)s, %(uptime_s)s, %(boot_id)s, %(daemon_id)s, %(clock_skew_s)s,
                %(router_zone)s, %(doubted)s::date[], %(database_interval)s, %(unchanged_since)s,
                %(unchanged_readings)s, %(quarantined)s, %(findings)s, %(usage_json)s,
                %(database_directory)s, %(period_name)s, %(last_commit_at)s)
        ON CONFLICT (router_id) DO UPDATE SET
            read_at = excluded.read_at, usage_since = excluded.usage_since,
            covered_since = excluded.covered_since, period_start = excluded.period_start,
            period_end = excluded.period_end, uptime_s = excluded.uptime_s, boot_id = excluded.boot_id,
            daemon_id = excluded.daemon_id, unchanged_since = excluded.unchanged_since,
            unchanged_readings = excluded.unchanged_readings, quarantined = excluded.quarantined,
            clock_skew_s = excluded.clock_skew_s, router_zone = excluded.router_zone, doubted = excluded.doubted,
            database_interval = excluded.database_interval, database_directory = excluded.database_directory,
            period_name = excluded.period_name, last_commit_at = excluded.last_commit_at,
            findings = excluded.findings, usage_json = excluded.usage_json
        """,
        {
            "router_id": router_id,
            "session_id": session_id,
            **vars(reading),
            "doubted": list(reading.doubted),
            "quarantined": None if reading.quarantined is None else Json(reading.quarantined),
            "findings": Json([asdict(finding) for finding in reading.findings]) if reading.findings else None,
            "usage_json": zlib.compress(reading.usage_json, level=1),
        },
    )


def insert_coverage(conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime) -> None:
    """Keep a stretch between good readings that has ended with a gap."""
    execute(
        conn,
        """
        INSERT INTO coverage (router_id, session_id, start_at, end_at)
        VALUES (%(router_id)s, %(session_id)s, %(start)s, %(end)s)
        ON CONFLICT (router_id, start_at) DO NOTHING
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "end": end},
    )


def delete_last_reading(conn: Connection, session_id: str, router_id: str) -> ReadingRecord | None:
    """Give up the base of the accounting; what it was, None without one. What was observed up to it stays observed."""
    last = get_last_reading(conn, session_id, router_id)
    if last is None:
        return None
    insert_coverage(conn, session_id, router_id, start=last.covered_since, end=last.read_at)
    execute(
        conn,
        "DELETE FROM last_readings WHERE session_id = %(session_id)s AND router_id = %(router_id)s",
        {"session_id": session_id, "router_id": router_id},
    )
    return last


def end_coverage(conn: Connection, session_id: str, router_id: str, *, at: datetime) -> None:
    """Nothing was observed after ``at``, whatever was stored of it."""
    params = {"session_id": session_id, "router_id": router_id, "at": at}
    owned = "WHERE session_id = %(session_id)s AND router_id = %(router_id)s"
    execute(conn, f"DELETE FROM coverage {owned} AND start_at > %(at)s", params)
    execute(conn, f"UPDATE coverage SET end_at = %(at)s {owned} AND end_at > %(at)s", params)


def list_coverage(
    conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The stretches between good readings that touch ``start``..``end``, oldest first; the running one among them."""
    rows = fetch_all(
        conn,
        """
        SELECT start_at, end_at FROM coverage
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND start_at < %(end)s AND end_at > %(start)s
        UNION ALL
        SELECT covered_since, read_at FROM last_readings
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND covered_since < %(end)s AND read_at > %(start)s
        ORDER BY 1
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "end": end},
    )
    return [(row[0], row[1]) for row in rows]
