"""The rollups: usage per device by hour and by day. Written with every reading, read by every history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from db_operations import shown_devices_db
from db_operations.arrays import int_array, text_array
from db_operations.statements import Connection, execute, fetch_all


@dataclass(frozen=True)
class Rollup:
    """One rollup as its queries need it: fixed text, never anything of a request."""

    #: Table, or table with its fixed condition.
    source: str
    #: The column that names the bucket.
    bucket: str


#: Buckets are UTC hours, or the parts of one that the router's midnight cuts.
HOURLY = Rollup("device_usage_hourly", "slot_start")

#: Buckets are local days.
DAILY = Rollup("(SELECT * FROM device_usage_history WHERE span = 'day') AS daily", "start_date")


class RollupRow(NamedTuple):
    """Bytes to add to one device's bucket. ``bucket``: start of the slot, or the local day."""

    mac: str
    bucket: datetime | date
    bytes_down: int
    bytes_up: int


def add_to_hourly(conn: Connection, session_id: str, router_id: str, rows: Sequence[RollupRow]) -> None:
    """Add usage to the hourly rollup; each row counts as one more reading behind its bucket.

    No device and bucket twice among ``rows``; the router's row is locked (`routers_db.lock_router`). So the
    usual case, rows that are there already, is a plain UPDATE: half the time of INSERT … ON CONFLICT.
    """
    params = _as_arrays(session_id, router_id, rows)
    updated = execute(
        conn,
        """
        UPDATE device_usage_hourly AS hourly SET
            total_download = total_download + down, total_upload = total_upload + up, data_points = data_points + 1
        FROM unnest(%(macs)s::text[], %(buckets)s::timestamptz[], %(downs)s::bigint[], %(ups)s::bigint[])
             AS used (mac, slot, down, up)
        WHERE hourly.session_id = %(session_id)s AND hourly.router_id = %(router_id)s
          AND hourly.slot_start = slot AND hourly.device_mac = mac
        """,
        params,
    )
    if updated < len(rows):
        execute(
            conn,
            """
            INSERT INTO device_usage_hourly (session_id, router_id, device_mac, slot_start, total_download,
                                             total_upload, data_points)
            SELECT %(session_id)s, %(router_id)s, mac, slot, down, up, 1
            FROM unnest(%(macs)s::text[], %(buckets)s::timestamptz[], %(downs)s::bigint[], %(ups)s::bigint[])
                 AS used (mac, slot, down, up)
            ON CONFLICT (router_id, slot_start, device_mac) DO NOTHING
            """,
            params,
        )


def add_to_daily(conn: Connection, session_id: str, router_id: str, rows: Sequence[RollupRow]) -> None:
    """Add usage to the daily rollup; each row counts as one more reading behind its day. As `add_to_hourly`."""
    params = _as_arrays(session_id, router_id, rows)
    updated = execute(
        conn,
        """
        UPDATE device_usage_history AS daily SET
            total_download = total_download + down, total_upload = total_upload + up,
            total_usage = total_usage + down + up, data_points = data_points + 1
        FROM unnest(%(macs)s::text[], %(buckets)s::date[], %(downs)s::bigint[], %(ups)s::bigint[])
             AS used (mac, day, down, up)
        WHERE daily.session_id = %(session_id)s AND daily.router_id = %(router_id)s AND daily.span = 'day'
          AND daily.start_date = day AND daily.device_mac = mac
        """,
        params,
    )
    if updated < len(rows):
        execute(
            conn,
            """
            INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date,
                                              total_download, total_upload, total_usage, data_points)
            SELECT %(session_id)s, %(router_id)s, mac, 'day', day, day, down, up, down + up, 1
            FROM unnest(%(macs)s::text[], %(buckets)s::date[], %(downs)s::bigint[], %(ups)s::bigint[])
                 AS used (mac, day, down, up)
            ON CONFLICT (router_id, span, start_date, device_mac) DO NOTHING
            """,
            params,
        )


def insert_period_totals(
    conn: Connection, session_id: str, router_id: str, rows: Sequence[RollupRow], *, end_date: date
) -> None:
    """Store what a router counted in an accounting period (or its part before monitoring began), once."""
    execute(
        conn,
        """
        INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date,
                                          total_download, total_upload, total_usage, data_points)
        SELECT %(session_id)s, %(router_id)s, mac, 'period', start_date, %(end_date)s, down, up, down + up, 1
        FROM unnest(%(macs)s::text[], %(buckets)s::date[], %(downs)s::bigint[], %(ups)s::bigint[])
             AS counted (mac, start_date, down, up)
        ON CONFLICT (router_id, span, start_date, device_mac) DO NOTHING
        """,
        {**_as_arrays(session_id, router_id, rows), "end_date": end_date},
    )


def _as_arrays(session_id: str, router_id: str, rows: Sequence[RollupRow]) -> dict[str, object]:
    """The rows' columns as array literals. MACs, dates and moments hold nothing that needs quoting."""
    return {
        "session_id": session_id,
        "router_id": router_id,
        "macs": "{" + ",".join([row.mac for row in rows]) + "}",
        "buckets": "{" + ",".join([f'"{row.bucket}"' for row in rows]) + "}",
        "downs": int_array([row.bytes_down for row in rows]),
        "ups": int_array([row.bytes_up for row in rows]),
    }


class BucketTotal(NamedTuple):
    """All devices together in one bucket, in bytes."""

    bucket: date | datetime
    bytes_down: int
    bytes_up: int


class DeviceTotal(NamedTuple):
    """One device over a whole range, in bytes."""

    mac: str
    bytes_down: int
    bytes_up: int


def largest_first(total: DeviceTotal) -> tuple[int, str]:
    """The order of rankings: who used most first, then by MAC so that it is always the same."""
    return -(total.bytes_down + total.bytes_up), total.mac


def list_totals(
    conn: Connection, session_id: str, router_id: str, rollup: Rollup, *, start: date | datetime, end: date | datetime
) -> tuple[list[BucketTotal], list[DeviceTotal]]:
    """Totals of ``start`` <= bucket < ``end``, by bucket in order and by device, largest first. One scan for both.

    Merged devices are one; those out of monitoring are in neither.
    """
    shown = shown_devices_db.get_shown_devices(conn, session_id, router_id)
    rows = fetch_all(
        conn,
        f"""
        SELECT {rollup.bucket}, device_mac, sum(total_download), sum(total_upload)
        FROM {rollup.source}
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND {rollup.bucket} >= %(start)s AND {rollup.bucket} < %(end)s
          AND (%(hidden)s::text[] IS NULL OR device_mac <> ALL (%(hidden)s::text[]))
        GROUP BY GROUPING SETS (({rollup.bucket}), (device_mac))
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "start": start,
            "end": end,
            "hidden": text_array(shown.hidden) if shown.hidden else None,
        },
    )
    buckets = [BucketTotal(bucket, int(down), int(up)) for bucket, mac, down, up in rows if mac is None]
    sums: dict[str, tuple[int, int]] = {}
    for _, mac, down, up in rows:
        if mac is not None:
            old_down, old_up = sums.get(shown.shown_as(mac), (0, 0))
            sums[shown.shown_as(mac)] = (old_down + int(down), old_up + int(up))
    devices = [DeviceTotal(mac, *used) for mac, used in sums.items()]
    buckets.sort(key=lambda total: total.bucket)
    devices.sort(key=largest_first)
    return buckets, devices


def list_macs_with_hour(
    conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime, least: int
) -> list[str]:
    """Devices that may have had ``least`` bytes or more one way in an hour of ``start`` <= hour < ``end``.

    Merged devices always may: their hours add up. Those out of monitoring can be among them.
    """
    shown = shown_devices_db.get_shown_devices(conn, session_id, router_id)
    rows = fetch_all(
        conn,
        """
        SELECT DISTINCT device_mac FROM device_usage_hourly
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND slot_start >= %(start)s AND slot_start < %(end)s
          AND (total_download >= %(least)s OR total_upload >= %(least)s)
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "end": end, "least": least},
    )
    return sorted({shown.shown_as(mac) for (mac,) in rows} | set(shown.merged.values()))


def list_device_totals(
    conn: Connection,
    session_id: str,
    router_id: str,
    macs: Sequence[str],
    *,
    starts: Sequence[date],
    end: date,
) -> list[tuple[int, int]]:
    """The bytes down and up of one device, all its ``macs`` together, in each of some ranges of days.

    The ranges begin at ``starts`` and end before ``end``.
    """
    rows = fetch_all(
        conn,
        """
        SELECT coalesce(sum(total_download), 0), coalesce(sum(total_upload), 0)
        FROM unnest(%(starts)s::date[]) WITH ORDINALITY AS wanted (start_date, position)
        LEFT JOIN device_usage_history AS used
          ON used.session_id = %(session_id)s AND used.router_id = %(router_id)s AND used.span = 'day'
         AND used.device_mac = ANY (%(macs)s::text[])
         AND used.start_date >= wanted.start_date AND used.start_date < %(end)s
        GROUP BY position ORDER BY position
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "macs": text_array(macs),
            "starts": text_array([day.isoformat() for day in starts]),
            "end": end,
        },
    )
    return [(int(down), int(up)) for down, up in rows]  # a sum is a numeric, exact beyond BIGINT
