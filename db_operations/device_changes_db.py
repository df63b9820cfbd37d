"""What people change of devices: their words, whether they are monitored, what is one device; and what is erased.

All of it in transactions that hold the router (`routers_db.lock_router`): no reading is stored, and nothing else is
changed, between looking and writing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from db_operations.arrays import text_array
from db_operations.statements import Connection, execute

#: What people say of a device.
WORDS = ("name", "category", "notes", "person")


def update_words(conn: Connection, session_id: str, router_id: str, mac: str, words: Mapping[str, object]) -> None:
    """Set those of `WORDS` that are in ``words``, None among them; the others stay."""
    execute(
        conn,
        """
        UPDATE devices SET
            name = CASE WHEN 'name' = ANY (%(given)s::text[]) THEN %(name)s ELSE name END,
            category = CASE WHEN 'category' = ANY (%(given)s::text[]) THEN %(category)s ELSE category END,
            notes = CASE WHEN 'notes' = ANY (%(given)s::text[]) THEN %(notes)s ELSE notes END,
            person = CASE WHEN 'person' = ANY (%(given)s::text[]) THEN %(person)s ELSE person END
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = %(mac)s
        """,
        {
            **dict.fromkeys(WORDS),
            **words,
            "session_id": session_id,
            "router_id": router_id,
            "mac": mac,
            "given": text_array(words),
        },
    )


def set_monitored(
    conn: Connection, session_id: str, router_id: str, macs: Sequence[str], *, is_monitored: bool, at: datetime
) -> int:
    """Take devices out of monitoring, or back into it; of how many MACs that changed anything.

    One that is back counts from the first reading at or after ``at`` on.
    """
    return execute(
        conn,
        """
        UPDATE devices SET
            is_monitored = %(is_monitored)s,
            counts_from = CASE WHEN %(is_monitored)s THEN %(at)s::timestamptz ELSE counts_from END,
            last_seen = CASE WHEN is_active THEN (
                SELECT read_at FROM last_readings AS reading
                WHERE reading.session_id = %(session_id)s AND reading.router_id = %(router_id)s
            ) ELSE last_seen END,
            is_active = false,
            absent_since = CASE WHEN %(is_monitored)s THEN %(at)s::timestamptz END,
            vanished_at = NULL
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND device_mac = ANY (%(macs)s::text[]) AND is_monitored <> %(is_monitored)s
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "macs": text_array(macs),
            "is_monitored": is_monitored,
            "at": at,
        },
    )


def set_merged_into(conn: Connection, session_id: str, router_id: str, mac: str, into: str | None) -> None:
    """Show a device as another one; None: as itself again."""
    execute(
        conn,
        """
        UPDATE devices SET merged_into = %(into)s
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = %(mac)s
        """,
        {"session_id": session_id, "router_id": router_id, "mac": mac, "into": into},
    )


def delete_device_usage(conn: Connection, session_id: str, router_id: str, macs: Sequence[str]) -> None:
    """Erase every stored row of usage of devices, and their events.

    What the devices are called stays, and so do the router's counters in its last reading: they are the base that the
    next one is compared with.
    """
    params = {"session_id": session_id, "router_id": router_id, "macs": text_array(macs)}
    owned = "session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = ANY (%(macs)s::text[])"
    for table in ("device_usage_hourly", "device_usage_history", "device_usage_protocols", "events"):
        execute(conn, f"DELETE FROM {table} WHERE {owned}", params)
    days = execute(
        conn,
        f"""
        WITH erased AS (DELETE FROM device_usage_monitoring WHERE {owned} RETURNING timestamp)
        UPDATE snapshot_days AS known SET snapshots = known.snapshots - counted.rows
        FROM (SELECT (timestamp AT TIME ZONE 'UTC')::date AS day, count(*) AS rows FROM erased GROUP BY 1) AS counted
        WHERE known.session_id = %(session_id)s AND known.router_id = %(router_id)s AND known.day = counted.day
        """,
        params,
    )
    if days:
        _trim_snapshot_days(conn, session_id, router_id)


def _trim_snapshot_days(conn: Connection, session_id: str, router_id: str) -> None:
    """After rows were erased: the first and last reading of each day that has any; days without are forgotten."""
    params = {"session_id": session_id, "router_id": router_id}
    execute(
        conn,
        """
        DELETE FROM snapshot_days
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND snapshots = 0
        """,
        params,
    )
    of_day = """
        FROM device_usage_monitoring
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND timestamp >= day::timestamp AT TIME ZONE 'UTC' AND timestamp < (day + 1)::timestamp AT TIME ZONE 'UTC'
    """
    execute(
        conn,
        f"""
        UPDATE snapshot_days SET oldest = (SELECT min(timestamp) {of_day}), newest = (SELECT max(timestamp) {of_day})
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        params,
    )
