"""Usage by layer-7 protocol: a row per device, local day and protocol. Written with every reading, beside the rollups.

Added up over its protocols, a device's day is its row in the daily rollup, to the byte.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from db_operations import shown_devices_db
from db_operations.arrays import int_array, text_array
from db_operations.statements import Connection, execute, fetch_all

#: Longer names don't fit the column.
MAX_NAME_LENGTH = 64

#: What traffic on no known port is called, and that of names beyond the most that are kept.
OTHER = "other"

#: Names of one device and day, `OTHER` not counted. nlbwmon's own list has some forty; a router that makes up new ones
#: with every reading must not fill the disk.
MOST_NAMES_A_DAY = 64


class ProtocolRow(NamedTuple):
    """Bytes to add to one device's day."""

    mac: str
    day: date
    protocol: str
    ipv4_down: int
    ipv4_up: int
    ipv6_down: int
    ipv6_up: int


_USED = """
    unnest(%(macs)s::text[], %(days)s::date[], %(protocols)s::text[], %(ipv4_downs)s::bigint[], %(ipv4_ups)s::bigint[],
           %(ipv6_downs)s::bigint[], %(ipv6_ups)s::bigint[])
    AS used (mac, day, protocol, ipv4_down, ipv4_up, ipv6_down, ipv6_up)
"""


def add_to_protocols(conn: Connection, session_id: str, router_id: str, rows: Sequence[ProtocolRow]) -> None:
    """Add usage to its days. No device, day and protocol twice among ``rows``.

    Where a device's day has 64 names, the bytes of any further one are added to `OTHER`.
    As `rollups_db.add_to_daily`: nearly always the rows are there already, and an UPDATE is quicker than ON CONFLICT.
    That the days are named as a range as well has them joined at once and not row by row, in half the time.
    """
    if not rows:
        return
    macs, days, protocols, ipv4_downs, ipv4_ups, ipv6_downs, ipv6_ups = zip(*rows, strict=True)
    params = {
        "session_id": session_id,
        "router_id": router_id,
        "first": min(days),
        "last": max(days),
        "macs": "{" + ",".join(macs) + "}",
        "days": "{" + ",".join(map(str, days)) + "}",
        "protocols": text_array(protocols),
        "ipv4_downs": int_array(ipv4_downs),
        "ipv4_ups": int_array(ipv4_ups),
        "ipv6_downs": int_array(ipv6_downs),
        "ipv6_ups": int_array(ipv6_ups),
        "other": OTHER,
        "most": MOST_NAMES_A_DAY,
    }
    updated = execute(
        conn,
        f"""
        UPDATE device_usage_protocols AS daily SET
            ipv4_download = ipv4_download + ipv4_down, ipv4_upload = ipv4_upload + ipv4_up,
            ipv6_download = ipv6_download + ipv6_down, ipv6_upload = ipv6_upload + ipv6_up
        FROM {_USED}
        WHERE daily.session_id = %(session_id)s AND daily.router_id = %(router_id)s
          AND daily.day BETWEEN %(first)s AND %(last)s AND daily.day = used.day
          AND daily.device_mac = used.mac AND daily.protocol = used.protocol
        """,
        params,
    )
    if updated < len(rows):
        execute(
            conn,
            f"""
            WITH added AS (
                SELECT used.*,
                       used.protocol = %(other)s
                       OR (SELECT count(*) FROM device_usage_protocols AS daily
                           WHERE daily.session_id = %(session_id)s AND daily.router_id = %(router_id)s
                             AND daily.day = used.day AND daily.device_mac = used.mac AND daily.protocol <> %(other)s)
                          + row_number() OVER (
                                PARTITION BY used.mac, used.day ORDER BY used.protocol = %(other)s, used.protocol
                            ) <= %(most)s AS has_its_name
                FROM {_USED}
                WHERE NOT EXISTS (
                    SELECT FROM device_usage_protocols AS daily
                    WHERE daily.session_id = %(session_id)s AND daily.router_id = %(router_id)s
                      AND daily.day = used.day AND daily.device_mac = used.mac AND daily.protocol = used.protocol
                )
            )
            INSERT INTO device_usage_protocols AS daily (session_id, router_id, day, device_mac, protocol,
                                                         ipv4_download, ipv4_upload, ipv6_download, ipv6_upload)
            SELECT %(session_id)s, %(router_id)s, day, mac,
                   CASE WHEN has_its_name THEN protocol ELSE %(other)s END AS name,
                   sum(ipv4_down)::bigint, sum(ipv4_up)::bigint, sum(ipv6_down)::bigint, sum(ipv6_up)::bigint
            FROM added
            GROUP BY day, mac, name
            ON CONFLICT (router_id, day, device_mac, protocol) DO UPDATE SET
                ipv4_download = daily.ipv4_download + excluded.ipv4_download,
                ipv4_upload = daily.ipv4_upload + excluded.ipv4_upload,
                ipv6_download = daily.ipv6_download + excluded.ipv6_download,
                ipv6_upload = daily.ipv6_upload + excluded.ipv6_upload
            WHERE daily.session_id = excluded.session_id
            """,
            params,
        )


class ProtocolTotal(NamedTuple):
    """One protocol over a range of days, in bytes."""

    protocol: str
    ipv4_down: int
    ipv4_up: int
    ipv6_down: int
    ipv6_up: int
    #: How many devices used it, the router itself and unresolved hosts left out.
    devices: int


def list_protocol_totals(
    conn: Connection, session_id: str, router_id: str, *, start: date, end: date, macs: Sequence[str] | None = None
) -> list[ProtocolTotal]:
    """Totals of ``start`` <= day < ``end``, of all devices or of ``macs``, in no order.

    Merged devices are one; those out of monitoring are left out.
    """
    rows = fetch_all(
        conn,
        """
        SELECT protocol, sum(ipv4_down), sum(ipv4_up), sum(ipv6_down), sum(ipv6_up),
               count(DISTINCT coalesce(device.merged_into, device.device_mac)) FILTER (WHERE NOT device.is_router)
        FROM (
            SELECT device_mac, protocol, sum(ipv4_download), sum(ipv4_upload), sum(ipv6_download), sum(ipv6_upload)
            FROM device_usage_protocols
            WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND day >= %(start)s AND day < %(end)s
              AND (%(macs)s::text[] IS NULL OR device_mac = ANY (%(macs)s::text[]))
            GROUP BY device_mac, protocol
        ) AS used (device_mac, protocol, ipv4_down, ipv4_up, ipv6_down, ipv6_up)
        LEFT JOIN devices AS device
          ON device.session_id = %(session_id)s AND device.router_id = %(router_id)s
         AND device.device_mac = used.device_mac
        WHERE device.is_monitored IS NOT FALSE
        GROUP BY protocol
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "start": start,
            "end": end,
            "macs": None if macs is None else text_array(macs),
        },
    )
    return [ProtocolTotal(name, *map(int, numbers)) for name, *numbers in rows]  # sums are numerics, exact


class DeviceProtocolTotal(NamedTuple):
    """What one device used of one protocol over a range of days, in bytes, both address families together."""

    mac: str
    protocol: str
    bytes_down: int
    bytes_up: int


def list_device_protocol_totals(
    conn: Connection, session_id: str, router_id: str, *, start: date, end: date
) -> list[DeviceProtocolTotal]:
    """Totals of ``start`` <= day < ``end`` of every device, in no order.

    Merged devices are one; those out of monitoring are left out.
    """
    shown = shown_devices_db.get_shown_devices(conn, session_id, router_id)
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, protocol, sum(ipv4_download) + sum(ipv6_download), sum(ipv4_upload) + sum(ipv6_upload)
        FROM device_usage_protocols
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND day >= %(start)s AND day < %(end)s
          AND (%(hidden)s::text[] IS NULL OR device_mac <> ALL (%(hidden)s::text[]))
        GROUP BY device_mac, protocol
        """,
        {
            "session_id": session_id,
            "router_id": router_id,
            "start": start,
            "end": end,
            "hidden": text_array(shown.hidden) if shown.hidden else None,
        },
    )
    if not shown.merged:
        return [DeviceProtocolTotal(mac, protocol, int(down), int(up)) for mac, protocol, down, up in rows]
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for mac, protocol, down, up in rows:
        key = (shown.shown_as(mac), protocol)
        old_down, old_up = sums.get(key, (0, 0))
        sums[key] = (old_down + int(down), old_up + int(up))
    return [DeviceProtocolTotal(*key, *used) for key, used in sums.items()]
