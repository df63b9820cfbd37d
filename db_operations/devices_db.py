"""Devices: who they are and when they were seen. Usage is not here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from db_operations.arrays import text_array
from db_operations.statements import Connection, Row, execute, fetch_all, fetch_one

#: While a device is active its last_seen is the router's last reading; only one that is not has it stored.
_COLUMNS = """
    device_mac, name, hostname, ips, category, notes, is_monitored, is_router, is_active, first_seen,
    CASE WHEN is_active THEN (SELECT read_at FROM last_readings AS reading WHERE reading.router_id = %(router_id)s)
         ELSE last_seen END AS last_seen
"""

#: What a list may be sorted by -> the order it means. Fixed text: nothing of a request is ever put into SQL.
SORT_ORDERS = {
    "name": "lower(coalesce(name, hostname, device_mac)), device_mac",
    "mac": "device_mac",
    "lastSeen": "last_seen DESC NULLS LAST, device_mac",
    "firstSeen": "first_seen DESC, device_mac",
}

_FILTER = """
    session_id = %(session_id)s AND router_id = %(router_id)s AND is_monitored
    AND (%(active)s::boolean IS NULL OR is_active = %(active)s)
    AND (%(search)s::text IS NULL
         OR strpos(lower(concat_ws(' ', name, hostname, device_mac, array_to_string(ips, ' '))), %(search)s) > 0)
"""


@dataclass(frozen=True, kw_only=True)
class DeviceRecord:
    """One device of one router."""

    mac: str
    #: The user's own name for it.
    name: str | None
    #: What its DHCP lease says.
    hostname: str | None
    ips: tuple[str, ...]
    category: str | None
    notes: str | None
    is_monitored: bool
    is_router: bool
    #: As of the last reading.
    is_active: bool
    first_seen: datetime
    #: None: not active since monitoring began.
    last_seen: datetime | None

    @property
    def display_name(self) -> str:
        """What people are shown: their own name for it, else the one it calls itself, else its MAC."""
        return self.name or self.hostname or self.mac

    @classmethod
    def from_row(cls, row: Row) -> "DeviceRecord":
        return cls(
            mac=row[0],
            name=row[1],
            hostname=row[2],
            ips=tuple(row[3]),
            category=row[4],
            notes=row[5],
            is_monitored=row[6],
            is_router=row[7],
            is_active=row[8],
            first_seen=row[9],
            last_seen=row[10],
        )


def list_devices(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    active: bool | None = None,
    search: str | None = None,
    sort: str = "name",
    limit: int | None = None,
    offset: int = 0,
) -> list[DeviceRecord]:
    """Monitored devices. ``search`` (lower case) is looked for in name, hostname, MAC and addresses."""
    rows = fetch_all(
        conn,
        f"SELECT {_COLUMNS} FROM devices WHERE {_FILTER} ORDER BY {SORT_ORDERS[sort]} "
        "LIMIT %(limit)s OFFSET %(offset)s",
        {
            "session_id": session_id,
            "router_id": router_id,
            "active": active,
            "search": search,
            "limit": limit,
            "offset": offset,
        },
    )
    return [DeviceRecord.from_row(row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class DeviceCounts:
    """How many devices a filter finds, and how many a router has; the router itself counts in neither total."""

    matching: int
    total: int
    active: int


def count_devices(
    conn: Connection, session_id: str, router_id: str, *, active: bool | None = None, search: str | None = None
) -> DeviceCounts:
    row = fetch_one(
        conn,
        f"""
        SELECT count(*) FILTER (WHERE {_FILTER}), count(*) FILTER (WHERE NOT is_router),
               count(*) FILTER (WHERE NOT is_router AND is_active)
        FROM devices WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND is_monitored
        """,
        {"session_id": session_id, "router_id": router_id, "active": active, "search": search},
    )
    assert row is not None
    return DeviceCounts(matching=row[0], total=row[1], active=row[2])


def get_device_by_mac(conn: Connection, session_id: str, router_id: str, mac: str) -> DeviceRecord | None:
    row = fetch_one(
        conn,
        f"""
        SELECT {_COLUMNS} FROM devices
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = %(mac)s
        """,
        {"session_id": session_id, "router_id": router_id, "mac": mac},
    )
    return DeviceRecord.from_row(row) if row else None


def list_all_devices(conn: Connection, session_id: str, router_id: str) -> list[DeviceRecord]:
    """Every known device, those taken out of monitoring among them."""
    rows = fetch_all(
        conn,
        f"SELECT {_COLUMNS} FROM devices WHERE session_id = %(session_id)s AND router_id = %(router_id)s",
        {"session_id": session_id, "router_id": router_id},
    )
    return [DeviceRecord.from_row(row) for row in rows]


class KnownDevice(NamedTuple):
    """What the store compares a reading with."""

    mac: str
    name: str | None
    hostname: str | None
    #: Its addresses, separated by blanks.
    ips: str
    is_monitored: bool
    is_router: bool
    is_active: bool


def list_known_devices(conn: Connection, session_id: str, router_id: str) -> list[KnownDevice]:
    """Every known device, those taken out of monitoring among them; no more of each than a reading is compared with."""
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, name, hostname, array_to_string(ips, ' '), is_monitored, is_router, is_active
        FROM devices WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return [KnownDevice._make(row) for row in rows]


def insert_devices_unless_there(
    conn: Connection, session_id: str, router_id: str, macs: Sequence[str], *, first_seen: datetime
) -> None:
    """Make inactive devices of MACs that no reading has shown; those that are known stay as they are."""
    execute(
        conn,
        """
        INSERT INTO devices (router_id, session_id, device_mac, is_active, first_seen)
        SELECT %(router_id)s, %(session_id)s, mac, false, %(first_seen)s FROM unnest(%(macs)s::text[]) AS archived (mac)
        ON CONFLICT (router_id, device_mac) DO NOTHING
        """,
        {"session_id": session_id, "router_id": router_id, "macs": text_array(macs), "first_seen": first_seen},
    )
