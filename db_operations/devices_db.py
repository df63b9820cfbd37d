"""Devices: who they are and when they were seen. Usage is not here; what people change is in device_changes_db."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from db_operations.arrays import text_array
from db_operations.statements import Connection, Row, execute, fetch_all, fetch_one

#: Every device with what is merged into it: together they are seen, active, found and have addresses as one. What
#: people say of it is its own. While a device is active its last_seen is the router's last reading; only one that is
#: not has it stored.
_SHOWN = """
    SELECT device.device_mac, device.name, coalesce(device.hostname, merged.hostname) AS hostname,
           device.ips || string_to_array(coalesce(merged.ips, ''), ' ') AS ips, device.current_ip,
           device.category, device.notes, device.person, device.is_monitored, device.is_router,
           device.is_active OR coalesce(merged.is_active, false) AS is_active,
           least(device.first_seen, merged.first_seen) AS first_seen,
           CASE WHEN device.is_active OR coalesce(merged.is_active, false)
                THEN (SELECT read_at FROM last_readings AS reading
                      WHERE reading.session_id = %(session_id)s AND reading.router_id = %(router_id)s)
                ELSE greatest(device.last_seen, merged.last_seen) END AS last_seen,
           device.merged_into, coalesce(merged.macs, '{}') AS merged_macs,
           lower(concat_ws(' ', device.name, device.hostname, device.person, device.device_mac,
                           array_to_string(device.ips, ' '), merged.words)) AS words
    FROM devices AS device
    LEFT JOIN (
        SELECT merged_into, array_agg(device_mac::text ORDER BY device_mac) AS macs, max(hostname) AS hostname,
               string_agg(nullif(array_to_string(ips, ' '), ''), ' ' ORDER BY device_mac) AS ips,
               bool_or(is_active) AS is_active, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
               string_agg(concat_ws(' ', hostname, device_mac, array_to_string(ips, ' ')), ' ') AS words
        FROM devices
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND merged_into IS NOT NULL
        GROUP BY merged_into
    ) AS merged ON merged.merged_into = device.device_mac
    WHERE device.session_id = %(session_id)s AND device.router_id = %(router_id)s
"""

_COLUMNS = """
    device_mac, name, hostname, ips, current_ip, category, notes, person, is_monitored, is_router, is_active,
    first_seen, last_seen, merged_into, merged_macs
"""

#: What a list may be sorted by -> the order it means. Fixed text: nothing of a request is ever put into SQL.
SORT_ORDERS = {
    "name": "lower(coalesce(name, hostname, device_mac)), device_mac",
    "mac": "device_mac",
    "lastSeen": "last_seen DESC NULLS LAST, device_mac",
    "firstSeen": "first_seen DESC, device_mac",
}

_FILTER = """
    merged_into IS NULL AND is_monitored = %(monitored)s
    AND (%(active)s::boolean IS NULL OR is_active = %(active)s)
    AND (%(search)s::text IS NULL OR strpos(words, %(search)s) > 0)
"""


@dataclass(frozen=True, kw_only=True)
class DeviceRecord:
    """One device of one router, with what is merged into it."""

    mac: str
    #: The user's own name for it.
    name: str | None
    #: What its DHCP lease says.
    hostname: str | None
    #: IPv4 first.
    ips: tuple[str, ...]
    #: The IPv4 address that it has now, or had when it was seen last; None where no lease or neighbour told one.
    current_ip: str | None
    #: The user's own word; None: it is guessed.
    category: str | None
    notes: str | None
    #: Whose it is; None: nobody's.
    person: str | None
    is_monitored: bool
    is_router: bool
    #: As of the last reading.
    is_active: bool
    first_seen: datetime
    #: None: not active since monitoring began.
    last_seen: datetime | None
    #: The MAC of the device that it is shown as; None: as itself.
    merged_into: str | None
    #: The other MACs that are shown as this device.
    merged_macs: tuple[str, ...]

    @property
    def display_name(self) -> str:
        """What people are shown: their own name for it, else the one it calls itself, else its MAC."""
        return self.name or self.hostname or self.mac

    @property
    def macs(self) -> tuple[str, ...]:
        """Every MAC that is this device, its own first."""
        return (self.mac, *self.merged_macs)

    @classmethod
    def from_row(cls, row: Row) -> "DeviceRecord":
        return cls(
            mac=row[0],
            name=row[1],
            hostname=row[2],
            ips=_in_order(row[3]) if row[14] else tuple(row[3]),
            current_ip=row[4],
            category=row[5],
            notes=row[6],
            person=row[7],
            is_monitored=row[8],
            is_router=row[9],
            is_active=row[10],
            first_seen=row[11],
            last_seen=row[12],
            merged_into=row[13],
            merged_macs=tuple(row[14]),
        )


def _in_order(ips: Sequence[str]) -> tuple[str, ...]:
    """Addresses of several MACs as of one: each once, IPv4 first."""
    return tuple(sorted(dict.fromkeys(ips), key=lambda ip: ":" in ip))


def list_devices(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    monitored: bool = True,
    active: bool | None = None,
    search: str | None = None,
    sort: str = "name",
    limit: int | None = None,
    offset: int = 0,
) -> list[DeviceRecord]:
    """Devices as they are shown: merged ones once. ``monitored`` False: those out of monitoring instead.

    ``search`` (lower case) is looked for in name, hostname, person, MACs and addresses.
    """
    rows = fetch_all(
        conn,
        f"SELECT {_COLUMNS} FROM ({_SHOWN}) AS shown WHERE {_FILTER} ORDER BY {SORT_ORDERS[sort]} "
        "LIMIT %(limit)s OFFSET %(offset)s",
        {
            "session_id": session_id,
            "router_id": router_id,
            "monitored": monitored,
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
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    monitored: bool = True,
    active: bool | None = None,
    search: str | None = None,
) -> DeviceCounts:
    """Merged devices count once. The totals are of monitored devices, whatever the filter."""
    row = fetch_one(
        conn,
        f"""
        SELECT count(*) FILTER (WHERE {_FILTER}),
               count(*) FILTER (WHERE is_monitored AND NOT is_router),
               count(*) FILTER (WHERE is_monitored AND NOT is_router AND is_active)
        FROM ({_SHOWN}) AS shown WHERE merged_into IS NULL
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "monitored": monitored,
            "active": active,
            "search": search,
        },
    )
    assert row is not None
    return DeviceCounts(matching=row[0], total=row[1], active=row[2])


def get_device_by_mac(conn: Connection, session_id: str, router_id: str, mac: str) -> DeviceRecord | None:
    """The device that ``mac`` belongs to: where it is merged, the one it is merged into."""
    row = fetch_one(
        conn,
        f"""
        SELECT {_COLUMNS} FROM ({_SHOWN}) AS shown
        WHERE device_mac = (
            SELECT coalesce(merged_into, device_mac) FROM devices
            WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = %(mac)s
        )
        """,
        {"session_id": session_id, "router_id": router_id, "mac": mac},
    )
    return DeviceRecord.from_row(row) if row else None


def list_all_devices(conn: Connection, session_id: str, router_id: str) -> list[DeviceRecord]:
    """Every known MAC: those out of monitoring and those that are merged into another device among them."""
    rows = fetch_all(
        conn, f"SELECT {_COLUMNS} FROM ({_SHOWN}) AS shown", {"session_id": session_id, "router_id": router_id}
    )
    return [DeviceRecord.from_row(row) for row in rows]


class Lifetime(NamedTuple):
    """When a MAC was seen first, and when it was active last."""

    first_seen: datetime
    last_seen: datetime


def list_lifetimes(conn: Connection, session_id: str, router_id: str) -> dict[str, Lifetime]:
    """Of every MAC by itself, merged or not; those that never were active are left out."""
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, first_seen, last_seen FROM (
            SELECT device_mac, first_seen, CASE WHEN is_active THEN (
                SELECT read_at FROM last_readings AS reading
                WHERE reading.session_id = %(session_id)s AND reading.router_id = %(router_id)s
            ) ELSE last_seen END AS last_seen
            FROM devices WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        ) AS life WHERE last_seen IS NOT NULL
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return {mac: Lifetime(first_seen, last_seen) for mac, first_seen, last_seen in rows}


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
    current_ip: str | None = None
    #: The MAC of the device that it is shown as.
    merged_into: str | None = None
    #: Usage counts from the first reading at or after this moment on.
    counts_from: datetime | None = None
    #: The first reading that did not find it active any more.
    absent_since: datetime | None = None
    #: When it was said that it has vanished.
    vanished_at: datetime | None = None


def list_known_devices(conn: Connection, session_id: str, router_id: str) -> list[KnownDevice]:
    """Every known device, those taken out of monitoring among them; no more of each than a reading is compared with."""
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, name, hostname, array_to_string(ips, ' '), is_monitored, is_router, is_active,
               current_ip, merged_into, counts_from, absent_since, vanished_at
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


def set_vanished(
    conn: Connection, session_id: str, router_id: str, macs: Sequence[str], *, vanished_at: datetime | None
) -> None:
    """Remember that it was said of devices that they have vanished; None: that they are back."""
    execute(
        conn,
        """
        UPDATE devices SET vanished_at = %(vanished_at)s
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND device_mac = ANY (%(macs)s::text[])
        """,
        {"session_id": session_id, "router_id": router_id, "macs": text_array(macs), "vanished_at": vanished_at},
    )
