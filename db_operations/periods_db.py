"""Accounting periods before the running one: which are known, what of them is still to be read, and their totals.

Totals per device lie in device_usage_history under span 'period'. services/period_totals writes, services/periods
serves. The running period is no row here: it is the last reading's.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from db_operations.arrays import int_array, text_array
from db_operations.device_usage_db import MAX_BIGINT
from db_operations.statements import Connection, execute, fetch_all, fetch_one


class NamedPeriod(NamedTuple):
    """First and last local day of a period, both included, and what the router calls it."""

    start: date
    end: date
    name: str


class PeriodState(StrEnum):
    """What is known of a period."""

    #: Its archive is still to be read.
    PENDING = "pending"
    #: Its archive was read.
    COMPLETE = "complete"
    #: Only what readings saw is known.
    PARTIAL = "partial"
    #: The router has no archive of it that can be read, and no reading saw anything of it.
    MISSING = "missing"


# --- which periods there are -----------------------------------------------------------------------------


def insert_pending_periods(conn: Connection, session_id: str, router_id: str, periods: Sequence[NamedPeriod]) -> None:
    """Remember periods whose archives are to be read. One that is known already stays as it is."""
    execute(
        conn,
        """
        INSERT INTO accounting_periods (router_id, session_id, start_date, end_date, name, state)
        SELECT %(router_id)s, %(session_id)s, start_date, end_date, name, 'pending'
        FROM unnest(%(starts)s::date[], %(ends)s::date[], %(names)s::text[]) AS period (start_date, end_date, name)
        ON CONFLICT (router_id, start_date) DO NOTHING
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "starts": text_array(period.start.isoformat() for period in periods),
            "ends": text_array(period.end.isoformat() for period in periods),
            "names": text_array(period.name for period in periods),
        },
    )


def list_pending_periods(conn: Connection, session_id: str, router_id: str) -> list[NamedPeriod]:
    """Periods whose archives are still to be read, newest first."""
    rows = fetch_all(
        conn,
        """
        SELECT start_date, end_date, name FROM accounting_periods
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND state = 'pending'
        ORDER BY start_date DESC
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return [NamedPeriod._make(row) for row in rows]


def list_period_states(conn: Connection, session_id: str, router_id: str) -> list[tuple[date, PeriodState]]:
    """Start and state of every period before the running one, newest first."""
    rows = fetch_all(
        conn,
        """
        SELECT start_date, state FROM accounting_periods
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s ORDER BY start_date DESC
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return [(start, PeriodState(state)) for start, state in rows]


def hold_router(conn: Connection, session_id: str, router_id: str) -> bool:
    """Keep the router from being deleted until the transaction ends; whether it is still there.

    Nobody else is held up, a reading that is being stored least of all.
    """
    row = fetch_one(
        conn,
        "SELECT 1 FROM routers WHERE session_id = %(session_id)s AND id = %(router_id)s FOR KEY SHARE",
        {"session_id": session_id, "router_id": router_id},
    )
    return row is not None


def complete_pending_period(conn: Connection, session_id: str, router_id: str, *, start: date) -> bool:
    """Call a pending period complete; False where it is pending no more.

    The row stays locked until the transaction ends, so that of two that read the same archive one alone stores it.
    """
    return bool(
        execute(
            conn,
            """
            UPDATE accounting_periods SET state = 'complete'
            WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND start_date = %(start)s
              AND state = 'pending'
            """,
            {"session_id": session_id, "router_id": router_id, "start": start},
        )
    )


def give_up_pending_periods(conn: Connection, session_id: str, router_id: str, starts: Sequence[date]) -> None:
    """Wait no longer for the archives of these periods: partial where totals are stored all the same, else missing."""
    execute(
        conn,
        """
        UPDATE accounting_periods AS period
        SET state = CASE WHEN EXISTS (
                SELECT FROM device_usage_history AS used
                WHERE used.router_id = period.router_id AND used.span = 'period'
                  AND used.start_date = period.start_date
            ) THEN 'partial' ELSE 'missing' END
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND state = 'pending'
          AND start_date = ANY (%(starts)s::date[])
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "starts": text_array(start.isoformat() for start in starts),
        },
    )


def upsert_period(
    conn: Connection, session_id: str, router_id: str, period: NamedPeriod, *, state: PeriodState
) -> None:
    """Keep a period that has ended. One that is complete stays so."""
    execute(
        conn,
        """
        INSERT INTO accounting_periods (router_id, session_id, start_date, end_date, name, state)
        VALUES (%(router_id)s, %(session_id)s, %(start)s, %(end)s, %(name)s, %(state)s)
        ON CONFLICT (router_id, start_date) DO UPDATE SET
            end_date = excluded.end_date, name = excluded.name, state = excluded.state
        WHERE accounting_periods.state <> 'complete'
        """,
        {"session_id": session_id, "router_id": router_id, **period._asdict(), "state": state.value},
    )


# --- their totals ----------------------------------------------------------------------------------------


def upsert_period_totals(
    conn: Connection,
    session_id: str,
    router_id: str,
    period: NamedPeriod,
    totals: Mapping[str, tuple[int, int]],
    *,
    is_final: bool,
) -> None:
    """Store what the router counted in a period: MAC -> bytes down and up.

    Final totals take the place of those stored before; others only where they are larger: counters that went back
    don't undo what was seen. A device that is stored and not in ``totals`` stays: the router had to evict it. Left
    out are devices that are not monitored, and totals that exceed BIGINT, as no link can carry that much.
    """
    fitting = {mac: both for mac, both in totals.items() if sum(both) <= MAX_BIGINT}
    execute(
        conn,
        """
        INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date,
                                          total_download, total_upload, total_usage, data_points)
        SELECT %(session_id)s, %(router_id)s, mac, 'period', %(start)s, %(end)s, down, up, down + up, 1
        FROM unnest(%(macs)s::text[], %(downs)s::bigint[], %(ups)s::bigint[]) AS counted (mac, down, up)
        WHERE NOT EXISTS (
            SELECT FROM devices
            WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = mac AND NOT is_monitored
        )
        ON CONFLICT (router_id, span, start_date, device_mac) DO UPDATE SET
            end_date = excluded.end_date, total_download = excluded.total_download,
            total_upload = excluded.total_upload, total_usage = excluded.total_usage,
            data_points = device_usage_history.data_points + 1
        WHERE %(is_final)s OR excluded.total_usage > device_usage_history.total_usage
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "start": period.start,
            "end": period.end,
            "is_final": is_final,
            "macs": text_array(fitting),
            "downs": int_array(down for down, _ in fitting.values()),
            "ups": int_array(up for _, up in fitting.values()),
        },
    )


def has_period_totals(conn: Connection, session_id: str, router_id: str, *, start: date) -> bool:
    """Whether anything is stored of the period that began on ``start``."""
    row = fetch_one(
        conn,
        """
        SELECT 1 FROM device_usage_history
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND span = 'period' AND start_date = %(start)s
        LIMIT 1
        """,
        {"session_id": session_id, "router_id": router_id, "start": start},
    )
    return row is not None


def fill_day_from_period(
    conn: Connection, session_id: str, router_id: str, *, start: date, day: date, most: int
) -> list[str]:
    """Take the totals of the period that began on ``start`` for the usage of ``day``; the MACs of which it did.

    Of none where anything is stored of that day already. A device with more than ``most`` bytes is left out.
    """
    rows = fetch_all(
        conn,
        """
        INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date,
                                          total_download, total_upload, total_usage, data_points)
        SELECT session_id, router_id, device_mac, 'day', %(day)s, %(day)s,
               total_download, total_upload, total_usage, 1
        FROM device_usage_history
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND span = 'period'
          AND start_date = %(start)s AND total_usage BETWEEN 1 AND %(most)s
          AND NOT EXISTS (
              SELECT FROM device_usage_history AS measured
              WHERE measured.session_id = %(session_id)s AND measured.router_id = %(router_id)s
                AND measured.span = 'day' AND measured.start_date = %(day)s
          )
        ON CONFLICT (router_id, span, start_date, device_mac) DO NOTHING
        RETURNING device_mac
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "day": day, "most": most},
    )
    return [mac for (mac,) in rows]


def get_first_reading_at(conn: Connection, session_id: str, router_id: str) -> datetime | None:
    """When the router was read for the first time; None: not yet."""
    row = fetch_one(
        conn,
        """
        SELECT min(at) FROM (
            SELECT start_at FROM coverage WHERE session_id = %(session_id)s AND router_id = %(router_id)s
            UNION ALL
            SELECT covered_since FROM last_readings WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        ) AS stretch (at)
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return row[0] if row else None


# --- serving them ----------------------------------------------------------------------------------------

#: Periods before the running one of which something is known. Those with totals and no row are from before periods
#: were kept.
_KNOWN = """
    SELECT start_date, max(end_date) AS end_date, bool_or(is_complete) AS is_complete
    FROM (
        SELECT start_date, end_date, state = 'complete' FROM accounting_periods
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND state IN ('complete', 'partial')
        UNION ALL
        SELECT start_date, end_date, false FROM device_usage_history
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND span = 'period'
    ) AS known (start_date, end_date, is_complete)
    WHERE start_date IS DISTINCT FROM %(running)s
    GROUP BY start_date
"""


class PeriodCounts(NamedTuple):
    """How many periods before the running one something is known of, and how many archives are still to be read."""

    known: int
    pending: int


def count_periods(conn: Connection, session_id: str, router_id: str, *, running: date | None) -> PeriodCounts:
    """``running``: start of the running period, which is not counted."""
    row = fetch_one(
        conn,
        f"""
        SELECT (SELECT count(*) FROM ({_KNOWN}) AS known),
               (SELECT count(*) FROM accounting_periods
                WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND state = 'pending')
        """,
        {"session_id": session_id, "router_id": router_id, "running": running},
    )
    assert row is not None
    return PeriodCounts._make(row)


class PeriodTotalRow(NamedTuple):
    """What one device used in a period, in bytes; without a MAC, all the others together."""

    start: date
    end: date
    is_complete: bool
    mac: str | None
    #: How many devices it stands for: 0 where nobody used anything in the period.
    devices: int
    bytes_down: int
    bytes_up: int


def list_period_totals(
    conn: Connection, session_id: str, router_id: str, *, running: date | None, limit: int, offset: int, top: int
) -> list[PeriodTotalRow]:
    """A page of periods before the running one, newest first; of each the ``top`` devices that used most, largest
    first, then a row for the others, if there are any. One query for all: a period can have thousands of devices.

    Merged devices are one; those out of monitoring are left out.
    """
    rows = fetch_all(
        conn,
        f"""
        WITH page AS ({_KNOWN} ORDER BY start_date DESC LIMIT %(limit)s OFFSET %(offset)s),
        used AS (
            SELECT used.start_date, coalesce(device.merged_into, used.device_mac) AS mac,
                   sum(used.total_download) AS down, sum(used.total_upload) AS up
            FROM device_usage_history AS used LEFT JOIN devices AS device
              ON device.session_id = %(session_id)s AND device.router_id = %(router_id)s
             AND device.device_mac = used.device_mac
            WHERE used.session_id = %(session_id)s AND used.router_id = %(router_id)s AND used.span = 'period'
              AND used.start_date IN (SELECT start_date FROM page) AND device.is_monitored IS NOT FALSE
            GROUP BY 1, 2
        ),
        ranked AS (
            SELECT start_date, mac, down, up,
                   least(row_number() OVER (PARTITION BY start_date ORDER BY down + up DESC, mac), %(top)s + 1) AS place
            FROM used
        )
        SELECT page.start_date, page.end_date, page.is_complete,
               CASE WHEN place <= %(top)s THEN min(mac) END, count(mac), coalesce(sum(down), 0), coalesce(sum(up), 0)
        FROM page LEFT JOIN ranked USING (start_date)
        GROUP BY page.start_date, page.end_date, page.is_complete, place
        ORDER BY page.start_date DESC, place
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "running": running,
            "limit": limit,
            "offset": offset,
            "top": top,
        },
    )
    # Sums are numerics, exact: those of a period can exceed BIGINT though each device's fits.
    return [PeriodTotalRow._make([*row[:-2], *map(int, row[-2:])]) for row in rows]
