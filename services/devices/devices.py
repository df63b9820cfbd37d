"""A router's devices as people see and manage them: the list, one device, what is said of it, monitoring or not.

Each change holds the router (`routers_db.lock_router`), as storing a reading does: of two at once one comes first and
the other after it, whole, and no reading brings back what was removed while it was under way.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from db_operations import device_changes_db, devices_db, readings_db, rollups_db, routers_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.routers_db import RouterRecord
from db_operations.statements import Connection
from services.audit import THE_SERVER, AuditAction, Doer, write_down
from services.context import RouterContext
from services.device_usage_collector import DeviceUsageCollector
from services.devices.device_identity import Device, as_device
from services.routers.freshness import has_failed
from utils.errors import DeviceNotFound, NetPilotError, RouterNotFound
from utils.mac import parse_mac
from utils.nlbwmon_parser import DeviceTotals, parse_nlbw_json
from utils.time import Clock, parse_zone

logger = logging.getLogger(__name__)

#: Erasing years of a device's usage looks through years of its router's.
_PURGE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class DevicePage:
    """One page of a router's devices."""

    devices: Sequence[Device]
    #: How many the filter finds, on all pages.
    matching: int
    #: How many the router has, itself left out.
    total: int
    active: int


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """One device and what it used lately, in bytes down and up."""

    device: Device
    #: None where nothing of these days was observed.
    today: DeviceTotals | None
    last_7_days: DeviceTotals | None
    last_30_days: DeviceTotals | None
    #: nlbwmon's own total of its running accounting period; None before the first reading.
    current_period: DeviceTotals | None


class DeviceService:
    """Devices of one router at a time; every statement is bound to its account."""

    def __init__(self, database: Database, collector: DeviceUsageCollector, clock: Clock) -> None:
        self._database = database
        self._collector = collector
        self._clock = clock

    # --- looking -----------------------------------------------------------------------------------------

    def list_devices(
        self,
        context: RouterContext,
        *,
        active: bool | None,
        search: str | None,
        sort: str,
        page: int,
        page_size: int,
        monitored: bool = True,
    ) -> DevicePage:
        """One page of the monitored devices, or of the others; ``search`` is looked for in names, MACs, addresses."""
        needle = _needle(search) if search else None
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            counts = devices_db.count_devices(conn, *owner, monitored=monitored, active=active, search=needle)
            records = devices_db.list_devices(
                conn,
                *owner,
                monitored=monitored,
                active=active,
                search=needle,
                sort=sort,
                limit=page_size,
                offset=(page - 1) * page_size,
            )
        return DevicePage(
            devices=[as_device(record) for record in records],
            matching=counts.matching,
            total=counts.total,
            active=counts.active,
        )

    def get_device_info(self, context: RouterContext, mac: str) -> DeviceInfo:
        """One device; of one that is merged, what it is merged into. Raises DeviceNotFound."""
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            record = devices_db.get_device_by_mac(conn, *owner, mac)
            router = routers_db.get_router(conn, *owner)
            if record is None or router is None:
                raise DeviceNotFound
            now, zone = self._clock(), parse_zone(router.timezone or "UTC")
            today = zone.day_of(now)
            starts = [today, today - timedelta(days=6), today - timedelta(days=29)]
            sums = rollups_db.list_device_totals(
                conn, *owner, record.macs, starts=starts, end=today + timedelta(days=1)
            )
            observed = readings_db.list_coverage(conn, *owner, start=zone.midnight(starts[-1]), end=now)
            last = readings_db.get_last_reading(conn, *owner)
        seen_to = max((end for _, end in observed), default=None)
        totals = [
            DeviceTotals(*used) if any(used) or (seen_to is not None and seen_to > zone.midnight(start)) else None
            for start, used in zip(starts, sums, strict=True)
        ]
        counted = parse_nlbw_json(last.usage_json).totals if last else {}
        period = [counted[one] for one in record.macs if one in counted]
        return DeviceInfo(
            device=as_device(record),
            today=totals[0],
            last_7_days=totals[1],
            last_30_days=totals[2],
            current_period=DeviceTotals(
                sum(total.bytes_down for total in period), sum(total.bytes_up for total in period)
            )
            if last
            else None,
        )

    # --- changing ----------------------------------------------------------------------------------------

    def update(
        self, context: RouterContext, mac: str, words: Mapping[str, object], *, is_monitored: bool | None = None
    ) -> Device:
        """Set what ``words`` names (`device_changes_db.WORDS`), and take the device out of monitoring or back.

        One that comes back counts from a reading on that is taken now; where the router can't be read, from the next.
        Raises DeviceNotFound, RouterNotFound.
        """
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            router, record = _hold_device(conn, owner, mac)
            device_changes_db.update_words(conn, *owner, record.mac, words)
            now = self._clock()
            is_back = bool(is_monitored) and not record.is_monitored
            if is_monitored is not None:
                device_changes_db.set_monitored(conn, *owner, record.macs, is_monitored=is_monitored, at=now)
            changed = _get_device(conn, owner, mac)
        if is_back and not has_failed(router):
            self._read_since(context, now)
            with self._database.reading() as conn:
                return _get_device(conn, owner, mac)
        return changed

    def _read_since(self, context: RouterContext, moment: datetime) -> None:
        """Have a reading stored that was taken after ``moment``; where that can't be, the next one will be."""
        with suppress(NetPilotError):
            for _ in range(2):  # one that was under way already may have been taken before
                if self._collector.collect(context).taken.reading.read_at >= moment:
                    return

    def remove(self, context: RouterContext, mac: str, *, purge: bool, by: Doer = THE_SERVER) -> Device:
        """Take the device out of monitoring; ``purge`` erases its stored usage as well. Twice is as good as once.

        Raises DeviceNotFound, RouterNotFound.
        """
        owner = (context.session_id, context.router_id)
        with self._database.transaction(timeout_s=_PURGE_TIMEOUT_S if purge else None) as conn:
            _, record = _hold_device(conn, owner, mac)
            device_changes_db.set_monitored(conn, *owner, record.macs, is_monitored=False, at=self._clock())
            if purge:
                device_changes_db.delete_device_usage(conn, *owner, record.macs)
                subject = f"{context.router_id} {record.mac}"
                write_down(conn, owner[0], AuditAction.DEVICE_PURGED, subject, by=by, at=self._clock())
            removed = _get_device(conn, owner, mac)
        logger.debug("router %s: %s %s", context.router_id, record.mac, "erased" if purge else "out of monitoring")
        return removed


def _needle(search: str) -> str:
    """What is looked for, as it is stored: a whole MAC in any of its spellings, all else in lower case."""
    try:
        return parse_mac(search)
    except ValueError:
        return search.lower()


def _get_device(conn: Connection, owner: tuple[str, str], mac: str) -> Device:
    """What ``mac`` is now; within a change, what this change made of it and no later one."""
    record = devices_db.get_device_by_mac(conn, *owner, mac)
    if record is None:
        raise DeviceNotFound
    return as_device(record)


def _hold_device(conn: Connection, owner: tuple[str, str], mac: str) -> tuple[RouterRecord, DeviceRecord]:
    """The device that ``mac`` belongs to, and its router, which is held until the transaction ends."""
    router = routers_db.lock_router(conn, *owner)
    if router is None:
        raise RouterNotFound
    record = devices_db.get_device_by_mac(conn, *owner, mac)
    if record is None:
        raise DeviceNotFound
    return router, record
