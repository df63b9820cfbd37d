"""Usage per device: a snapshot row per device and reading, what is known of each device, and how long rows stay.

The collector stores through here, inside the one transaction of a reading; histories are read from the rollups.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from db_operations import partitions_db, shown_devices_db, snapshot_days_db
from db_operations.arrays import text_array
from db_operations.rollups_db import Rollup
from db_operations.statements import Connection, execute, fetch_all

#: PostgreSQL's BIGINT ends here; nlbwmon's counters are unsigned and go on.
MAX_BIGINT = 2**63 - 1

_TO_COPY_TEXT = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


class SnapshotRow(NamedTuple):
    """One device in one reading, in bytes."""

    mac: str
    name: str | None
    #: nlbwmon's totals of its accounting period; stored as NULL where they exceed BIGINT.
    bytes_down: int
    bytes_up: int
    #: Usage since the reading before; None at a first reading.
    usage_down: int | None
    usage_up: int | None


def store_device_usage_snapshot(
    conn: Connection, session_id: str, router_id: str, rows: Iterable[SnapshotRow], *, at: datetime
) -> None:
    """COPY one reading's rows, and count them.

    The partition of ``at`` exists already (`partitions_db.ensure_partition`).
    """
    prefix = f"{_copy_text(session_id)}\t{_copy_text(router_id)}\t{at.isoformat()}\t"
    lines = [
        f"{prefix}{row.mac}\t{_copy_text(row.name)}\t{_fit(row.bytes_down)}\t{_fit(row.bytes_up)}"
        f"\t{_fit(row.bytes_down + row.bytes_up)}\t{_fit(row.usage_down)}\t{_fit(row.usage_up)}\n"
        for row in rows
    ]
    with conn.cursor() as cursor:
        cursor.copy_expert(
            """
            COPY device_usage_monitoring (session_id, router_id, timestamp, device_mac, device_name,
                bytes_downloaded, bytes_uploaded, total_bytes, usage_down, usage_up) FROM STDIN
            """,
            io.StringIO("".join(lines)),
        )
    if lines:
        snapshot_days_db.add_to_snapshot_day(conn, session_id, router_id, at=at, rows=len(lines))


def _copy_text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_TO_COPY_TEXT)


def _fit(value: int | None) -> str:
    return r"\N" if value is None or value > MAX_BIGINT else str(value)


class DeviceBucketRow(NamedTuple):
    """Usage of one device in one bucket of a rollup, in bytes. ``bucket``: a day, or the start of a slot."""

    mac: str
    bucket: date | datetime
    bytes_down: int
    bytes_up: int


#: Of a row that the database answers: half the time of calling the class, and a history has ten thousands of them.
_as_bucket_row = partial(tuple.__new__, DeviceBucketRow)


def get_device_usage_history(
    conn: Connection,
    session_id: str,
    router_id: str,
    rollup: Rollup,
    *,
    start: date | datetime,
    end: date | datetime,
    macs: Sequence[str] | None = None,
) -> list[DeviceBucketRow]:
    """The rollup's rows of ``start`` <= bucket < ``end``, of all devices or of ``macs``, in no order.

    Merged devices are one, with one row a bucket; those out of monitoring are left out.
    """
    shown = shown_devices_db.get_shown_devices(conn, session_id, router_id)
    rows = fetch_all(
        conn,
        f"""
        SELECT device_mac, {rollup.bucket}, total_download, total_upload FROM {rollup.source}
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND {rollup.bucket} >= %(start)s AND {rollup.bucket} < %(end)s
          AND (%(macs)s::text[] IS NULL OR device_mac = ANY (%(macs)s::text[]))
          AND (%(hidden)s::text[] IS NULL OR device_mac <> ALL (%(hidden)s::text[]))
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "start": start,
            "end": end,
            "macs": None if macs is None else text_array(shown.behind(macs)),
            "hidden": text_array(shown.hidden) if shown.hidden else None,
        },
    )
    if not shown.merged:
        return list(map(_as_bucket_row, rows))
    sums: dict[tuple[str, date | datetime], tuple[int, int]] = {}
    for mac, bucket, down, up in rows:
        key = (shown.shown_as(mac), bucket)
        old_down, old_up = sums.get(key, (0, 0))
        sums[key] = (old_down + down, old_up + up)
    return [DeviceBucketRow(mac, bucket, *used) for (mac, bucket), used in sums.items()]


@dataclass(frozen=True, kw_only=True)
class DeviceSighting:
    """What a reading says of one device."""

    mac: str
    #: None leaves the stored one: a lease that ran out does not make a device nameless.
    hostname: str | None
    #: Separated by blanks.
    ips: str
    is_router: bool
    is_active: bool
    #: Its IPv4 address now; None leaves the stored one.
    current_ip: str | None = None


def update_device_metadata(
    conn: Connection,
    session_id: str,
    router_id: str,
    sightings: Sequence[DeviceSighting],
    *,
    at: datetime,
    previous_at: datetime | None,
) -> None:
    """Take note of what a reading says of devices. The user's words (name, category, notes, person) stay.

    ``previous_at``: the reading before, at which those that have left were still active.
    """
    execute(
        conn,
        """
        INSERT INTO devices (router_id, session_id, device_mac, hostname, ips, current_ip, is_router, is_active,
                             first_seen)
        SELECT %(router_id)s, %(session_id)s, mac, hostname, string_to_array(ips, ' '), current_ip, is_router,
               is_active, %(at)s
        FROM unnest(%(macs)s::text[], %(hostnames)s::text[], %(ips)s::text[], %(current_ips)s::text[],
                    %(routers)s::boolean[], %(actives)s::boolean[])
             AS sighting (mac, hostname, ips, current_ip, is_router, is_active)
        ON CONFLICT (router_id, device_mac) DO UPDATE SET
            hostname = coalesce(excluded.hostname, devices.hostname), ips = excluded.ips,
            current_ip = coalesce(excluded.current_ip, devices.current_ip),
            is_router = excluded.is_router, is_active = excluded.is_active,
            last_seen = CASE WHEN devices.is_active THEN %(previous_at)s ELSE devices.last_seen END,
            absent_since = CASE WHEN excluded.is_active THEN NULL
                                WHEN devices.is_active THEN %(at)s ELSE devices.absent_since END
        WHERE devices.session_id = %(session_id)s
        """,
        {
            "router_id": router_id,
            "session_id": session_id,
            "at": at,
            "previous_at": previous_at,
            "macs": text_array(sighting.mac for sighting in sightings),
            "hostnames": text_array(sighting.hostname for sighting in sightings),
            "ips": text_array(sighting.ips for sighting in sightings),
            "current_ips": text_array(sighting.current_ip for sighting in sightings),
            "routers": text_array("t" if sighting.is_router else "f" for sighting in sightings),
            "actives": text_array("t" if sighting.is_active else "f" for sighting in sightings),
        },
    )


@dataclass(frozen=True, kw_only=True)
class CleanupResult:
    """What a clean-up removed."""

    raw_partitions: int
    hourly_rows: int
    daily_rows: int


def cleanup_old_data(
    conn: Connection, *, raw_before: datetime | None, hourly_before: datetime | None, daily_before: date | None
) -> CleanupResult:
    """Remove what is older than each limit, of every account; None keeps that kind for ever.

    Raw rows go a whole partition (a UTC day) at a time, and only when all of it is older.
    """
    params = {"hourly_before": hourly_before, "daily_before": daily_before}
    hourly_rows = execute(conn, "DELETE FROM device_usage_hourly WHERE slot_start < %(hourly_before)s", params)
    daily_rows = execute(conn, "DELETE FROM device_usage_history WHERE end_date < %(daily_before)s", params)
    execute(conn, "DELETE FROM device_usage_protocols WHERE day < %(daily_before)s", params)
    execute(conn, "DELETE FROM accounting_periods WHERE end_date < %(daily_before)s", params)
    # What says how far days and hours are to be trusted stays as long as either; a limit that is NULL removes nothing.
    is_over = "end_at < %(daily_before)s AND end_at < %(hourly_before)s"
    execute(conn, f"DELETE FROM events WHERE {is_over}", params)
    execute(conn, f"DELETE FROM coverage WHERE {is_over}", params)
    # Last, as dropping locks the table for everybody until the commit.
    raw_partitions = 0
    if raw_before is not None:
        snapshot_days_db.delete_snapshot_days_before(conn, raw_before.date())
        raw_partitions = partitions_db.drop_partitions_before(conn, raw_before.date())
    return CleanupResult(raw_partitions=raw_partitions, hourly_rows=hourly_rows, daily_rows=daily_rows)


def delete_usage(conn: Connection, session_id: str, router_id: str) -> None:
    """Erase every usage row of one router: what a deleted router leaves behind."""
    params = {"session_id": session_id, "router_id": router_id}
    for table in (
        "device_usage_monitoring",
        "snapshot_days",
        "device_usage_hourly",
        "device_usage_history",
        "device_usage_protocols",
    ):
        execute(
            conn,
            f"DELETE FROM {table} WHERE session_id = %(session_id)s AND router_id = %(router_id)s",
            params,
        )
