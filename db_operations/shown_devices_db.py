"""Which MACs are not shown as themselves: those that belong to another device, and those out of monitoring.

Usage is stored by MAC and stays so. Whoever reads it looks through here, so that devices can be merged, parted, taken
out and brought back without a stored row being touched.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from db_operations.statements import Connection, fetch_all


@dataclass(frozen=True, kw_only=True)
class ShownDevices:
    """How the MACs of one router are shown; nearly always each as itself."""

    #: Out of monitoring: their usage is shown nowhere.
    hidden: Collection[str] = ()
    #: MAC -> the MAC of the device that it is merged into.
    merged: Mapping[str, str] = field(default_factory=dict)

    def shown_as(self, mac: str) -> str:
        return self.merged.get(mac, mac)

    def behind(self, macs: Sequence[str]) -> list[str]:
        """Every MAC that is shown as one of ``macs``."""
        wanted = set(macs)
        return [*macs, *(mac for mac, into in self.merged.items() if into in wanted)]


def get_shown_devices(conn: Connection, session_id: str, router_id: str) -> ShownDevices:
    rows = fetch_all(
        conn,
        """
        SELECT device_mac, merged_into, is_monitored FROM devices
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND (merged_into IS NOT NULL OR NOT is_monitored)
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    return ShownDevices(
        hidden=[mac for mac, _, is_monitored in rows if not is_monitored],
        merged={mac: into for mac, into, _ in rows if into is not None},
    )
