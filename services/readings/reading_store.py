"""Storing a reading: snapshot rows, rollups, coverage, devices and the new base, in one transaction.

Locked per router and guarded by the reading that the usage starts from: killed anywhere, run twice or in two
processes at once, the totals are the same. Called by the collector alone.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from db_operations import (
    device_usage_db,
    devices_db,
    events_db,
    partitions_db,
    periods_db,
    protocols_db,
    readings_db,
    rollups_db,
    routers_db,
    snapshot_days_db,
)
from db_operations.database import Database
from db_operations.device_usage_db import MAX_BIGINT, DeviceSighting, SnapshotRow
from db_operations.devices_db import KnownDevice
from db_operations.events_db import EventRecord
from db_operations.readings_db import Finding, ReadingRecord
from db_operations.rollups_db import RollupRow
from db_operations.routers_db import RouterRecord
from db_operations.statements import Connection
from services.accounting.counters import Counters
from services.accounting.notes import EXTENDING, Note, NoteKind, raw_rows_left_out
from services.buckets import Span
from services.devices.device_events import VANISHED_AFTER, record_device_events
from services.devices.merged_devices import shown_as
from services.period_totals import record_finished_periods
from services.readings.protocol_rollups import protocol_batches
from services.readings.router_readings import TakenReading
from services.readings.usage_rollups import patience_s, rollup_batches
from services.schedule import next_collect_at
from utils.errors import RouterNotFound, TooManyDevices
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import ObservedDevice, identify_device_changes

logger = logging.getLogger(__name__)

#: What happens again within this time is happening again and again: from so many on it is one event that grows and
#: says how often. Else a router that says at each reading that it has restarted would have events without an end. As
#: a whole hour never lies between two of them, no hour of a history is worse trusted for it.
_AGAIN_WITHIN = timedelta(hours=1)
_BY_THEMSELVES = 3

#: What goes on where another of the same ends.
_ADJOINING = {NoteKind.RECOVERED, NoteKind.GAP}

#: Devices kept of one router, and its raw rows of a day, where nothing else is configured.
MOST_DEVICES, MOST_SNAPSHOTS_A_DAY = 200_000, 1_000_000

#: Addresses kept of one device, IPv4 first; what a router makes up besides fills no disk.
_MOST_IPS = 32


class StaleBase(Exception):
    """The reading has to be taken again: the stored one is another than its base, or not older than it, so that usage
    would be counted twice; or the router was changed meanwhile, and the answer may be another one's."""


@dataclass(frozen=True, kw_only=True)
class StoredReading:
    """What storing a reading brought."""

    #: Devices in the reading, merged ones once, the router itself and those out of monitoring left out.
    devices: int
    #: MACs never seen before.
    new_devices: tuple[str, ...]
    #: Usage stored, in bytes; 0 at a first reading.
    bytes_down: int
    bytes_up: int


class ReadingStore:
    """Puts readings into the database."""

    def __init__(
        self,
        database: Database,
        *,
        vanished_after: timedelta = VANISHED_AFTER,
        most_devices: int = MOST_DEVICES,
        most_snapshots_a_day: int = MOST_SNAPSHOTS_A_DAY,
    ) -> None:
        """``vanished_after``: absent for so long, a device has vanished; 0: it is never said.

        ``most_devices``: of one router, over all time. ``most_snapshots_a_day``: raw rows of one router and UTC day;
        of a reading that brings more, all is stored but those.
        """
        self._database = database
        self._vanished_after = vanished_after
        self._most_devices = most_devices
        self._most_snapshots_a_day = most_snapshots_a_day
        self._partition_days: set[date] = set()

    def store(self, router: RouterRecord, taken: TakenReading) -> StoredReading:
        """Store ``taken``, all of it or nothing.

        Raises StaleBase where it has to be taken again, RouterNotFound where the router was deleted meanwhile,
        TooManyDevices.
        """
        at = taken.reading.read_at
        previous_at = taken.previous.read_at if taken.previous else None
        if previous_at is not None and previous_at >= at:
            raise StaleBase
        self._ensure_partition(at.date())
        with self._database.transaction(timeout_s=patience_s(taken.usage.parts)) as conn:
            current = routers_db.lock_router(conn, router.session_id, router.id)
            if current is None:
                raise RouterNotFound
            # Of two readings that start from the same one the second finds another; and behind an address or a host
            # key that changed while the router was being read may be another router.
            if current.last_success_at != previous_at or current.updated_at != router.updated_at:
                raise StaleBase
            routers_db.record_success(
                conn,
                router.session_id,
                router.id,
                at=at,
                timezone=taken.zone.key,
                # The interval as it is now: it may be a new one since the reading began.
                next_collect_at=next_collect_at(router.id, current.collect_interval_minutes, at),
                is_frozen=taken.usage.is_frozen,
            )
            return _store(
                conn,
                router,
                taken,
                vanished_after=self._vanished_after,
                most_devices=self._most_devices,
                most_snapshots_a_day=self._most_snapshots_a_day,
            )

    def _ensure_partition(self, day: date) -> None:
        if day not in self._partition_days:
            with self._database.transaction() as conn:
                partitions_db.ensure_partition(conn, day)
            self._partition_days.add(day)


def _store(
    conn: Connection,
    router: RouterRecord,
    taken: TakenReading,
    *,
    vanished_after: timedelta,
    most_devices: int,
    most_snapshots_a_day: int,
) -> StoredReading:
    owner = (router.session_id, router.id)
    at = taken.reading.read_at
    # Read behind the router's lock: who was taken out while the router was being read is out of this reading, too.
    known = {device.mac: device for device in devices_db.list_known_devices(conn, *owner)}
    removed = {mac for mac, device in known.items() if not device.is_monitored}
    ignored = removed | {mac for mac, device in known.items() if not _counts_yet(device, taken)}
    usage = {mac: used for mac, used in taken.usage_by_device.items() if mac not in ignored}
    sightings = _sightings(taken, known, removed)
    _check_devices(known, sightings, most_devices)

    rows = _snapshot_rows(taken, usage, known, ignored=ignored, removed=removed)
    if snapshot_days_db.count_snapshots_of_day(conn, *owner, at=at) + len(rows) <= most_snapshots_a_day:
        device_usage_db.store_device_usage_snapshot(conn, *owner, rows, at=at)
    else:
        since = taken.previous.read_at if taken.previous else at
        _store_note(conn, owner, raw_rows_left_out(Span(since, at), most_snapshots_a_day))
    if taken.previous is None:
        totals = [
            RollupRow(row.mac, taken.period.start, row.bytes_down, row.bytes_up)
            for row in rows
            if row.bytes_down + row.bytes_up <= MAX_BIGINT
        ]
        rollups_db.insert_period_totals(conn, *owner, totals, end_date=taken.period.end)
        periods_db.insert_pending_periods(conn, *owner, taken.earlier_periods)
        # Where a base was given up (`given_up_bases`), nothing was seen from that gap's start up to this reading.
        events_db.prolong_latest_event(conn, *owner, NoteKind.GAP, until=at)
    elif usage:
        for batch in rollup_batches(taken.usage.parts, ignored, taken.zone):
            rollups_db.add_to_hourly(conn, *owner, batch.hourly)
            rollups_db.add_to_daily(conn, *owner, batch.daily)
        for protocols in protocol_batches(taken.usage.parts, ignored, taken.zone, taken.protocol_names):
            protocols_db.add_to_protocols(conn, *owner, protocols)
    record_finished_periods(conn, owner, taken.finished_periods)
    *ended, running = _covered_stretches(taken)
    for stretch in ended:
        readings_db.insert_coverage(conn, *owner, start=stretch.start, end=stretch.end)
    for note in taken.usage.notes:
        _store_note(conn, owner, note)
    if changed := [sighting for sighting in sightings if _says_something_new(sighting, known)]:
        previous_at = taken.previous.read_at if taken.previous else None
        device_usage_db.update_device_metadata(conn, *owner, changed, at=at, previous_at=previous_at)
    record_device_events(conn, owner, known, sightings, at=at, vanished_after=vanished_after)
    readings_db.upsert_last_reading(conn, *owner, _record_of(taken, covered_since=running.start))
    changes = identify_device_changes(
        {mac: device.is_active for mac, device in known.items()},
        seen=[sighting.mac for sighting in sightings],
        active=[sighting.mac for sighting in sightings if sighting.is_active],
    )
    return StoredReading(
        devices=len({shown_as(sighting.mac, known) for sighting in sightings if not sighting.is_router}),
        new_devices=changes.new,
        bytes_down=sum(down for down, _ in usage.values()),
        bytes_up=sum(up for _, up in usage.values()),
    )


def _check_devices(known: Mapping[str, KnownDevice], sightings: Sequence[DeviceSighting], most: int) -> None:
    """A router that makes up new devices with each reading would fill the disk. Raises TooManyDevices."""
    count = len(known) + sum(sighting.mac not in known for sighting in sightings)
    if count > max(most, len(known)):
        raise TooManyDevices(
            f"With this reading the router would have had {count} devices (MAC addresses) over time, more than the "
            f"{most} (ten times ROUTER_MAX_DEVICES) that are kept of one. Nothing of it was stored. If there are so "
            "many, raise ROUTER_MAX_DEVICES and start the server again; otherwise look on the router at what makes "
            "them up, and register it anew: nlbw -c json and cat /tmp/dhcp.leases"
        )


def _counts_yet(device: KnownDevice, taken: TakenReading) -> bool:
    """Whether the usage since the reading before is the device's: not where it came back into monitoring after that."""
    if device.counts_from is None or taken.previous is None:
        return True
    return taken.previous.read_at >= device.counts_from


def _sightings(taken: TakenReading, known: Mapping[str, KnownDevice], removed: set[str]) -> list[DeviceSighting]:
    """What the reading says of every device that is not ``removed``: those in it, and those that are not in it any more
    but were known as active, or have usage in the router's older files only.
    """
    used = taken.usage_by_device
    sightings = [
        DeviceSighting(
            mac=device.mac,
            hostname=device.hostname,
            ips=" ".join(device.ips[:_MOST_IPS]),
            is_router=device.is_router,
            is_active=device.is_reachable or device.mac in used,
            current_ip=_current_ip(device, known),
        )
        for device in taken.devices
        if device.mac not in removed
    ]
    present = {sighting.mac for sighting in sightings}
    gone = [
        DeviceSighting(mac=mac, hostname=None, ips=device.ips, is_router=device.is_router, is_active=False)
        for mac, device in known.items()
        if device.is_active and mac not in present and mac not in removed
    ]
    unseen = sorted(used.keys() - present - known.keys() - {ZERO_MAC})
    return [
        *sightings,
        *gone,
        *(DeviceSighting(mac=mac, hostname=None, ips="", is_router=False, is_active=False) for mac in unseen),
    ]


def _current_ip(device: ObservedDevice, known: Mapping[str, KnownDevice]) -> str | None:
    """Its address now; of several the one that it had before, so that two of them don't take turns."""
    before = known[device.mac].current_ip if device.mac in known else None
    return before if before in device.current_ips else next(iter(device.current_ips), None)


def _says_something_new(sighting: DeviceSighting, known: Mapping[str, KnownDevice]) -> bool:
    """Whether the stored device has to change; an idle one that stays as it was does not."""
    device = known.get(sighting.mac)
    return (
        device is None
        or sighting.is_active != device.is_active
        or sighting.ips != device.ips
        or sighting.is_router != device.is_router
        or sighting.hostname not in (None, device.hostname)
        or sighting.current_ip not in (None, device.current_ip)
    )


def _snapshot_rows(
    taken: TakenReading,
    usage: Mapping[str, Counters],
    known: Mapping[str, KnownDevice],
    *,
    ignored: set[str],
    removed: set[str],
) -> list[SnapshotRow]:
    names: dict[str, str | None] = {device.mac: device.hostname for device in taken.devices}
    names |= {mac: device.name or device.hostname for mac, device in known.items() if device.name or device.hostname}
    unknown = (None, None)
    nothing = (0, 0) if taken.previous else unknown
    rows = [
        SnapshotRow(
            mac,
            names.get(mac),
            totals.bytes_down,
            totals.bytes_up,
            *(unknown if mac in ignored else usage.get(mac, nothing)),
        )
        for mac, totals in taken.totals.items()
        if mac not in removed
    ]
    # In none of the table's rows any more: its usage was in the router's older files.
    rows += [SnapshotRow(mac, names.get(mac), 0, 0, *used) for mac, used in usage.items() if mac not in taken.totals]
    return sorted(rows, key=lambda row: row.mac)


def _covered_stretches(taken: TakenReading) -> list[Span]:
    """What was watched up to this reading, the gaps cut out; the last stretch, which may have no length, goes on."""
    read_at = taken.reading.read_at
    start = taken.previous.covered_since if taken.previous else read_at
    stretches = []
    for gap in taken.usage.gaps:
        if gap.start > start:
            stretches.append(Span(start, gap.start))
        start = max(start, gap.end)
    return [*stretches, Span(start, read_at)]


def _store_note(conn: Connection, owner: tuple[str, str], note: Note) -> None:
    event = EventRecord(
        type=note.kind, start_at=note.start, end_at=note.end, message=note.message, quality=note.quality
    )
    if note.kind in EXTENDING and events_db.extend_event(conn, *owner, event):
        return
    # Periods of a day, one after another: what was taken from their archives is one stretch.
    if note.kind in _ADJOINING and events_db.extend_event(conn, *owner, event, in_same_words=True):
        return
    if not events_db.repeat_event(conn, *owner, event, within=_AGAIN_WITHIN, own=_BY_THEMSELVES):
        events_db.insert_event(conn, *owner, event)


def _record_of(taken: TakenReading, *, covered_since: datetime) -> ReadingRecord:
    usage = taken.usage
    return ReadingRecord(
        read_at=taken.reading.read_at,
        usage_since=taken.usage_since,
        covered_since=covered_since,
        period_start=taken.period.start,
        period_end=taken.period.end,
        uptime_s=taken.reading.uptime_s,
        boot_id=taken.reading.boot_id,
        daemon_id=taken.reading.daemon_id,
        clock_skew_s=taken.clock_skew_s,
        router_zone=taken.router_zone.key,
        database_interval=taken.database_interval,
        database_directory=taken.database_directory,
        period_name=taken.period_name,
        last_commit_at=taken.last_commit_at,
        doubted=sorted(usage.doubted),
        unchanged_since=usage.unchanged_since,
        unchanged_readings=usage.unchanged_readings,
        quarantined=[[*key, *counters] for key, counters in usage.quarantined.items()] or None,
        findings=[Finding(code=check.check, message=check.message, fix=check.fix) for check in taken.findings],
        usage_json=taken.usage_json,
    )
