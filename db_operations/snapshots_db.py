"""Reading back snapshot rows: the newest reading, and what is stored in all."""

from dataclasses import dataclass
from datetime import datetime

from db_operations.device_usage_db import SnapshotRow
from db_operations.statements import Connection, fetch_all, fetch_one


def list_snapshot(conn: Connection, session_id: str, router_id: str, *, at: datetime) -> list[SnapshotRow]:
    """The rows of the reading taken at ``at``: one partition, one stretch of its key."""
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, device_name, bytes_downloaded, bytes_uploaded, usage_down, usage_up
        FROM device_usage_monitoring
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND timestamp = %(at)s
        ORDER BY device_mac
        """,
        {"session_id": session_id, "router_id": router_id, "at": at},
    )
    return [SnapshotRow._make(row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class StoredSnapshots:
    """How many rows (a device in a reading) of one router are stored, and of when; None where there are none."""

    snapshots: int
    oldest: datetime | None
    newest: datetime | None


def count_snapshots(conn: Connection, session_id: str, router_id: str) -> StoredSnapshots:
    """Exact, and as quick with millions of rows as with none: a row a day is read (`snapshot_days_db`)."""
    row = fetch_one(
        conn,
        """
        SELECT coalesce(sum(snapshots), 0)::bigint, min(oldest), max(newest) FROM snapshot_days
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    assert row is not None
    return StoredSnapshots(snapshots=row[0], oldest=row[1], newest=row[2])


def get_last_snapshot_at(conn: Connection, session_id: str, router_id: str, *, until: datetime) -> datetime | None:
    """When the last reading up to ``until`` was taken; None without one. Looks through all of the router's rows."""
    row = fetch_one(
        conn,
        """
        SELECT max(timestamp) FROM device_usage_monitoring
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND timestamp <= %(until)s
        """,
        {"session_id": session_id, "router_id": router_id, "until": until},
    )
    return row[0] if row else None
