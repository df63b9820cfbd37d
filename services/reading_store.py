"""Storing a reading: snapshot rows, rollups, coverage, devices and the new base, in one transaction.

Locked per router and guarded by the reading that the usage starts from: killed anywhere, run twice or in two
processes at once, the totals are the same. Called by the collector alone.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from db_operations import device_usage_db, devices_db, partitions_db, readings_db, rollups_db, routers_db
from db_operations.database import Database
from db_operations.device_usage_db import MAX_BIGINT, DeviceSighting, SnapshotRow
from db_operations.devices_db import KnownDevice
from db_operations.readings_db import Finding, ReadingRecord
from db_operations.rollups_db import RollupRow
from db_operations.routers_db import RouterRecord
from db_operations.statements import Connection
from services.accounting import Counters
from services.buckets import Span, slots_between, spread
from services.router_readings import TakenReading
from services.schedule import next_collect_at
from utils.errors import RouterNotFound
from utils.nlbwmon_parser import identify_device_changes
from utils.time import Zone

logger = logging.getLogger(__name__)


class StaleBase(Exception):
    """The stored reading is another than this one's base, or not older than it: usage would be counted twice."""


@dataclass(frozen=True, kw_only=True)
class StoredReading:
    """What storing a reading brought."""

    #: Devices in the reading, the router itself and those out of monitoring left out.
    devices: int
    #: MACs never seen before.
    new_devices: tuple[str, ...]
    #: Usage stored, in bytes; 0 at a first reading.
    bytes_down: int
    bytes_up: int


class ReadingStore:
    """Puts readings into the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partition_days: set[date] = set()

    def store(self, router: RouterRecord, taken: TakenReading) -> StoredReading:
        """Store ``taken``, all of it or nothing.

        Raises StaleBase where it has to be taken again, RouterNotFound where the router was deleted meanwhile.
        """
        at = taken.reading.read_at
        previous_at = taken.previous.read_at if taken.previous else None
        if previous_at is not None and previous_at >= at:
            raise StaleBase
        self._ensure_partition(at.date())
        with self._database.transaction() as conn:
            is_next = routers_db.record_success(
                conn,
                router.session_id,
                router.id,
                previous_at=previous_at,
                at=at,
                timezone=taken.zone.key,
                next_collect_at=next_collect_at(router.id, router.collect_interval_minutes, at),
            )
            if not is_next:
                if routers_db.get_router(conn, router.session_id, router.id) is None:
                    raise RouterNotFound
                raise StaleBase
            return _store(conn, router, taken)

    def _ensure_partition(self, day: date) -> None:
        if day not in self._partition_days:
            with self._database.transaction() as conn:
                partitions_db.ensure_partition(conn, day)
            self._partition_days.add(day)


def _store(conn: Connection, router: RouterRecord, taken: TakenReading) -> StoredReading:
    owner = (router.session_id, router.id)
    at = taken.reading.read_at
    known = {device.mac: device for device in devices_db.list_known_devices(conn, *owner)}
    ignored = {mac for mac, device in known.items() if not device.is_monitored}
    usage = {mac: used for mac, used in taken.usage_by_device.items() if mac not in ignored}
    sightings = _sightings(taken, usage, known)

    rows = _snapshot_rows(taken, usage, known, ignored)
    device_usage_db.store_device_usage_snapshot(conn, *owner, rows, at=at)
    if taken.previous is None:
        totals = [
            RollupRow(row.mac, taken.period.start, row.bytes_down, row.bytes_up)
            for row in rows
            if row.bytes_down + row.bytes_up <= MAX_BIGINT
        ]
        rollups_db.insert_period_totals(conn, *owner, totals, end_date=taken.period.end)
    elif usage:
        hourly, daily = _rollup_rows(usage, Span(taken.usage.start, taken.usage.end), taken.zone)
        rollups_db.add_to_hourly(conn, *owner, hourly)
        rollups_db.add_to_daily(conn, *owner, daily)
    if taken.previous and taken.usage.covered_from > taken.previous.read_at:
        since, until = taken.previous.covered_since, taken.previous.read_at
        readings_db.insert_coverage(conn, *owner, start=since, end=until)
    if changed := [sighting for sighting in sightings if _says_something_new(sighting, known)]:
        previous_at = taken.previous.read_at if taken.previous else None
        device_usage_db.update_device_metadata(conn, *owner, changed, at=at, previous_at=previous_at)
    readings_db.upsert_last_reading(conn, *owner, _record_of(taken))
    changes = identify_device_changes(
        {mac: device.is_active for mac, device in known.items()},
        seen=[sighting.mac for sighting in sightings],
        active=[sighting.mac for sighting in sightings if sighting.is_active],
    )
    return StoredReading(
        devices=sum(1 for sighting in sightings if not sighting.is_router and sighting.mac not in ignored),
        new_devices=changes.new,
        bytes_down=sum(down for down, _ in usage.values()),
        bytes_up=sum(up for _, up in usage.values()),
    )


def _sightings(
    taken: TakenReading, usage: Mapping[str, Counters], known: Mapping[str, KnownDevice]
) -> list[DeviceSighting]:
    """What the reading says of every device: those in it, and those known as active that are not in it any more."""
    sightings = [
        DeviceSighting(
            mac=device.mac,
            hostname=device.hostname,
            ips=" ".join(device.ips),
            is_router=device.is_router,
            is_active=device.is_reachable or device.mac in usage,
        )
        for device in taken.devices
    ]
    present = {sighting.mac for sighting in sightings}
    return sightings + [
        DeviceSighting(mac=mac, hostname=None, ips=device.ips, is_router=device.is_router, is_active=False)
        for mac, device in known.items()
        if device.is_active and mac not in present
    ]


def _says_something_new(sighting: DeviceSighting, known: Mapping[str, KnownDevice]) -> bool:
    """Whether the stored device has to change; an idle one that stays as it was does not."""
    device = known.get(sighting.mac)
    return (
        device is None
        or sighting.is_active != device.is_active
        or sighting.ips != device.ips
        or sighting.is_router != device.is_router
        or sighting.hostname not in (None, device.hostname)
    )


def _snapshot_rows(
    taken: TakenReading, usage: Mapping[str, Counters], known: Mapping[str, KnownDevice], ignored: set[str]
) -> list[SnapshotRow]:
    names: dict[str, str | None] = {device.mac: device.hostname for device in taken.devices}
    names |= {mac: device.name or device.hostname for mac, device in known.items() if device.name or device.hostname}
    nothing = (0, 0) if taken.previous else (None, None)
    return [
        SnapshotRow(mac, names.get(mac), totals.bytes_down, totals.bytes_up, *usage.get(mac, nothing))
        for mac, totals in sorted(taken.totals.items())
        if mac not in ignored
    ]


def _rollup_rows(
    usage: Mapping[str, Counters], span: Span, zone: Zone
) -> tuple[Sequence[RollupRow], Sequence[RollupRow]]:
    """Usage over ``span``, by slot and by local day. Nearly always the span lies in one slot."""
    slots = list(slots_between(span.start, span.end, zone))
    days = [zone.day_of(slot.start) for slot in slots]
    if len(slots) == 1:
        return (
            [RollupRow(mac, slots[0].start, down, up) for mac, (down, up) in usage.items()],
            [RollupRow(mac, days[0], down, up) for mac, (down, up) in usage.items()],
        )
    hourly: list[RollupRow] = []
    daily: dict[tuple[str, date], Counters] = {}
    for mac, (down, up) in usage.items():
        shares = zip(slots, days, spread(down, span, slots), spread(up, span, slots), strict=True)
        for slot, day, slot_down, slot_up in shares:
            if slot_down or slot_up:
                hourly.append(RollupRow(mac, slot.start, slot_down, slot_up))
                day_down, day_up = daily.get((mac, day), (0, 0))
                daily[mac, day] = (day_down + slot_down, day_up + slot_up)
    return hourly, [RollupRow(mac, day, down, up) for (mac, day), (down, up) in daily.items()]


def _record_of(taken: TakenReading) -> ReadingRecord:
    previous = taken.previous
    is_unbroken = previous is not None and taken.usage.covered_from <= previous.read_at
    return ReadingRecord(
        read_at=taken.reading.read_at,
        usage_since=taken.usage.start if previous else None,
        covered_since=previous.covered_since if previous and is_unbroken else taken.usage.covered_from,
        period_start=taken.period.start,
        period_end=taken.period.end,
        uptime_s=taken.reading.uptime_s,
        boot_id=taken.reading.boot_id,
        clock_skew_s=taken.clock_skew_s,
        database_interval=taken.database_interval,
        findings=[Finding(code=check.check, message=check.message, fix=check.fix) for check in taken.findings],
        usage_json=taken.usage_json,
    )
