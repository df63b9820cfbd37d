"""Hourly usage by the hour of the day, added up in the database: hours of many devices are many rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from db_operations import shown_devices_db
from db_operations.arrays import int_array, text_array
from db_operations.statements import Connection, fetch_all, fetch_one


class ProfileRow(NamedTuple):
    """What one device used in one group of slots, in bytes."""

    mac: str
    group: int
    total_bytes: int


def get_oldest_slot(conn: Connection, session_id: str, router_id: str) -> datetime | None:
    """Where the hourly rollup of a router begins: what was before is not kept, or was not yet watched."""
    row = fetch_one(
        conn,
        """
        SELECT slot_start FROM device_usage_hourly
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s ORDER BY slot_start LIMIT 1
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return row[0] if row else None


def list_profile_rows(
    conn: Connection, session_id: str, router_id: str, slots: Sequence[tuple[datetime, int]]
) -> list[ProfileRow]:
    """Bytes down and up of each device in ``slots``, each of which has the number of its group.

    Those out of monitoring are left out; of merged devices there may be several rows a group, under one MAC.
    """
    if not slots:
        return []
    shown = shown_devices_db.get_shown_devices(conn, session_id, router_id)
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, number, sum(total_download) + sum(total_upload)
        FROM device_usage_hourly
        JOIN unnest(%(slots)s::timestamptz[], %(groups)s::bigint[]) AS wanted (slot, number) ON slot_start = slot
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND slot_start >= %(first)s AND slot_start <= %(last)s
          AND (%(hidden)s::text[] IS NULL OR device_mac <> ALL (%(hidden)s::text[]))
        GROUP BY device_mac, number
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "slots": text_array(slot.isoformat() for slot, _ in slots),
            "groups": int_array([group for _, group in slots]),
            "first": min(slot for slot, _ in slots),
            "last": max(slot for slot, _ in slots),
            "hidden": text_array(shown.hidden) if shown.hidden else None,
        },
    )
    return [ProfileRow(shown.shown_as(mac), group, int(total)) for mac, group, total in rows]
