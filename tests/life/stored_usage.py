"""What the database has of a router, as far as the oracle asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from db_operations import events_db, readings_db
from db_operations.database import Database
from db_operations.statements import fetch_all
from services.buckets import slot_of
from services.context import RouterContext
from utils.time import parse_zone

#: Routers tell the age of a process in hundredths of a second.
TOLERANCE = timedelta(milliseconds=25)


@dataclass(frozen=True)
class Shown:
    """Where it is shown that not all was seen: between stretches of coverage, and in events of quality 'unknown'."""

    covered: list[tuple[datetime, datetime]]
    unknown: list[tuple[datetime, datetime, str]]

    def at(self, moment: datetime) -> bool:
        if any(start - TOLERANCE <= moment <= end + TOLERANCE for start, end, _ in self.unknown):
            return True
        return not any(start + TOLERANCE < moment < end - TOLERANCE for start, end in self.covered)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Everything of one router."""

    zone: str
    #: (mac, bucket, down, up)
    hourly: list[tuple[str, datetime, int, int]]
    totals: dict[str, tuple[int, int]]
    daily: dict[tuple[str, object], tuple[int, int]]
    #: The days again, added up over their protocols.
    protocols: dict[tuple[str, object], tuple[int, int]]
    snapshots: dict[str, tuple[int, int]]
    shown: Shown

    def check_sums(self) -> None:
        """Hours, days, protocols and snapshots say the same; stretches of coverage lie apart."""
        zone = parse_zone(self.zone)
        days: dict[tuple[str, object], tuple[int, int]] = {}
        for mac, slot, down, up in self.hourly:
            key = (mac, zone.day_of(slot))
            old = days.get(key, (0, 0))
            days[key] = old[0] + down, old[1] + up
        assert days == self.daily, "hours and days differ"
        assert self.protocols == self.daily, "protocols and days differ"
        assert {mac: both for mac, both in self.snapshots.items() if any(both)} == self.totals, "snapshots differ"
        for (_, end), (start, _) in zip(self.shown.covered, self.shown.covered[1:], strict=False):
            assert end <= start, f"stretches of coverage overlap: {self.shown.covered}"

    def check_times(self, first: datetime, last: datetime) -> None:
        """No bucket has bytes outside the time that was watched."""
        zone = parse_zone(self.zone)
        for mac, slot, _, _ in self.hourly:
            assert slot_of(first, zone).start <= slot <= last, f"{mac} has bytes at {slot}, watched {first} to {last}"


def last_read_at(database: Database, context: RouterContext) -> datetime | None:
    with database.transaction() as conn:
        record = readings_db.get_last_reading(conn, context.session_id, context.router_id)
    return record.read_at if record else None


def look(database: Database, context: RouterContext, *, since: datetime) -> Stored:
    """``since``: from when on gaps and events are wanted."""
    params = {"router": context.router_id}
    owner = (context.session_id, context.router_id)
    with database.transaction() as conn:
        zone = fetch_all(conn, "SELECT timezone FROM routers WHERE id = %(router)s", params)[0][0]
        hourly = fetch_all(
            conn,
            "SELECT device_mac, slot_start, total_download, total_upload FROM device_usage_hourly "
            "WHERE router_id = %(router)s",
            params,
        )
        daily = fetch_all(
            conn,
            "SELECT device_mac, start_date, total_download, total_upload, total_usage FROM device_usage_history "
            "WHERE router_id = %(router)s AND span = 'day'",
            params,
        )
        protocols = fetch_all(
            conn,
            "SELECT device_mac, day, sum(ipv4_download + ipv6_download)::bigint, sum(ipv4_upload + ipv6_upload)::bigint"
            " FROM device_usage_protocols WHERE router_id = %(router)s GROUP BY 1, 2",
            params,
        )
        snapshots = fetch_all(
            conn,
            "SELECT device_mac, sum(usage_down)::bigint, sum(usage_up)::bigint FROM device_usage_monitoring "
            "WHERE router_id = %(router)s AND usage_down IS NOT NULL GROUP BY 1",
            params,
        )
        ever = since + timedelta(days=36_500)
        covered = readings_db.list_coverage(conn, *owner, start=since, end=ever)
        events = events_db.list_qualities(conn, *owner, start=since - TOLERANCE, end=ever)
    totals: dict[str, tuple[int, int]] = {}
    for mac, _, down, up in hourly:
        old = totals.get(mac, (0, 0))
        totals[mac] = old[0] + down, old[1] + up
    assert all(down + up == both for _, _, down, up, both in daily)
    return Stored(
        zone=zone or "UTC",
        hourly=[(row[0], row[1], row[2], row[3]) for row in hourly],
        totals=totals,
        daily={(mac, day): (down, up) for mac, day, down, up, _ in daily},
        protocols={(mac, day): (down, up) for mac, day, down, up in protocols},
        snapshots={mac: (down, up) for mac, down, up in snapshots},
        shown=Shown(covered, [(e.start_at, e.end_at, e.type) for e in events if e.quality == "unknown"]),
    )
