"""What a router's devices use now, and reading the router at a person's word.

Who the devices are is services/devices/devices.py's, histories and summaries are services/usage_history.py's, storing
is the collector's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db_operations import devices_db, readings_db, routers_db, snapshots_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.routers_db import RouterRecord
from services.context import RouterContext
from services.device_usage_collector import Collection, DeviceUsageCollector
from services.devices.merged_devices import shown_totals
from services.readings.router_readings import ReadingTaker, TakenReading
from services.routers.freshness import has_failed
from services.single_flight import SingleFlight
from utils.errors import DeviceNotFound, RouterError, RouterNotFound, RowsFrozen
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import CounterRow, DeviceTotals, parse_nlbw_json
from utils.time import Clock

#: A live reading serves everybody who asks within this many seconds of it.
SHARE_LIVE_S = 5.0

#: Nobody waits longer than this, in seconds, for a live reading that somebody else has begun: there is a stored one.
WAIT_LIVE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class ProtocolUsage:
    """nlbwmon's totals of one layer-7 protocol in the running accounting period."""

    name: str
    bytes_down: int
    bytes_up: int
    connections: int


@dataclass(frozen=True, kw_only=True)
class CurrentDevice:
    """One MAC now. Totals are nlbwmon's of its accounting period, in bytes; rates in bit/s over the last interval."""

    mac: str
    #: Every MAC that is this device, its own first.
    macs: tuple[str, ...]
    name: str
    bytes_down: int
    bytes_up: int
    #: None where there is no interval to speak of yet.
    rate_down: int | None
    rate_up: int | None
    is_router: bool
    #: Hosts whose MAC nlbwmon could not look up, together.
    is_unresolved: bool


@dataclass(frozen=True, kw_only=True)
class CurrentUsage:
    """What is going on at a router, read now or, where it can't be read, at its last reading."""

    timestamp: datetime
    is_live: bool
    period_start: date
    period_end: date
    devices: Sequence[CurrentDevice]
    total: DeviceTotals
    #: The rows behind it, for what is asked of one device.
    rows: Sequence[CounterRow]
    #: Why it isn't what is going on now: it could not be read, or nobody counts.
    warning: RouterError | None = None


class DeviceUsageService:
    """Answers for one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, collector: DeviceUsageCollector, taker: ReadingTaker, clock: Clock) -> None:
        self._database = database
        self._collector = collector
        self._taker = taker
        self._clock = clock
        self._live: SingleFlight[RouterContext, TakenReading] = SingleFlight(keep_s=SHARE_LIVE_S, wait_s=WAIT_LIVE_S)

    def refresh(self, context: RouterContext) -> Collection:
        """Collect now; callers at the same time share one reading."""
        collection = self._collector.collect(context)
        self._live.publish(context, collection.taken)
        return collection

    # --- now ---------------------------------------------------------------------------------------------

    def get_current(self, context: RouterContext) -> CurrentUsage:
        """Read now, or shared with a reading at most 5 s old; the last stored one where the router can't be read.

        A reading from before the router's last failure is not shared any more. Raises what kept it from being read
        where nothing is stored yet.
        """
        with self._database.reading() as conn:
            router = routers_db.get_router(conn, context.session_id, context.router_id)
        if router is None:
            raise RouterNotFound
        try:
            taken = self._live.run(context, lambda: self._taker.take(router))
            if _has_failed_since(router, taken):
                self._live.forget(context, taken)
                taken = self._live.run(context, lambda: self._taker.take(router))
        except RouterError as error:
            return self._stored_current(context, error)
        return self._live_current(context, taken)

    def get_device_current(self, context: RouterContext, mac: str) -> tuple[CurrentUsage, CurrentDevice]:
        """What is going on, and the one device in it. Raises DeviceNotFound, also for one out of monitoring."""
        current = self.get_current(context)
        for device in current.devices:
            if mac in device.macs:
                return current, device
        with self._database.reading() as conn:
            record = devices_db.get_device_by_mac(conn, context.session_id, context.router_id, mac)
        record = check_is_shown(record)
        return current, _current_device(record.mac, record, DeviceTotals(0, 0), usage=(0, 0), seconds=None)

    def _live_current(self, context: RouterContext, taken: TakenReading) -> CurrentUsage:
        known = self._known_devices(context)
        totals = shown_totals(taken.totals, known)
        usage = shown_totals(taken.usage_by_device, known)
        is_frozen = taken.usage.is_frozen
        since = None if is_frozen else taken.usage_since
        seconds = (taken.reading.read_at - since).total_seconds() if since else None
        hostnames = {device.mac: device for device in taken.devices}
        devices = [
            _current_device(
                mac,
                known.get(mac),
                total,
                usage=usage.get(mac, (0, 0)),
                seconds=seconds or None,
                hostname=hostnames[mac].hostname if mac in hostnames else None,
            )
            for mac, total in totals.items()
        ]
        return CurrentUsage(
            timestamp=taken.reading.read_at,
            is_live=True,
            period_start=taken.period.start,
            period_end=taken.period.end,
            devices=_largest_first(devices),
            total=_sum(totals.values()),
            rows=taken.reading.rows,
            warning=RowsFrozen() if is_frozen else None,
        )

    def _stored_current(self, context: RouterContext, error: RouterError) -> CurrentUsage:
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            last = readings_db.get_last_reading(conn, *owner)
            if last is None:
                raise error
            snapshot = snapshots_db.list_snapshot(conn, *owner, at=last.read_at)
        known = self._known_devices(context)
        table = parse_nlbw_json(last.usage_json, most_rows=len(last.usage_json))
        seconds = (last.read_at - last.usage_since).total_seconds() if last.usage_since and snapshot else None
        totals = shown_totals(table.totals, known)
        usage = shown_totals({row.mac: (row.usage_down or 0, row.usage_up or 0) for row in snapshot}, known)
        devices = [
            _current_device(mac, known.get(mac), total, usage=usage.get(mac, (0, 0)), seconds=seconds)
            for mac, total in totals.items()
        ]
        return CurrentUsage(
            timestamp=last.read_at,
            is_live=False,
            period_start=last.period_start,
            period_end=last.period_end,
            devices=_largest_first(devices),
            total=_sum(totals.values()),
            rows=table.rows,
            warning=error,
        )

    def _known_devices(self, context: RouterContext) -> dict[str, DeviceRecord]:
        with self._database.reading() as conn:
            devices = devices_db.list_all_devices(conn, context.session_id, context.router_id)
        return {device.mac: device for device in devices}


def _has_failed_since(router: RouterRecord, taken: TakenReading) -> bool:
    failed_at = router.last_error_at if has_failed(router) else None
    return failed_at is not None and taken.reading.read_at < failed_at


def protocols_of(rows: Iterable[CounterRow], *macs: str) -> list[ProtocolUsage]:
    """A device's rows, of all its MACs, by layer-7 protocol, largest first; traffic on no known port is "other"."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        if row.mac in macs:
            cell = sums.setdefault(row.layer7 or "other", [0, 0, 0])
            cell[0] += row.rx_bytes
            cell[1] += row.tx_bytes
            cell[2] += row.conns
    usages = [ProtocolUsage(name=name, bytes_down=d, bytes_up=u, connections=c) for name, (d, u, c) in sums.items()]
    return sorted(usages, key=lambda usage: (-(usage.bytes_down + usage.bytes_up), usage.name))


def check_is_shown(record: DeviceRecord | None) -> DeviceRecord:
    """The device, if there is one and it is not out of monitoring. Raises DeviceNotFound."""
    if record is None:
        raise DeviceNotFound
    if not record.is_monitored:
        raise DeviceNotFound("This device is out of monitoring. PUT with isMonitored true brings it back.")
    return record


def display_name(mac: str, record: DeviceRecord | None, hostname: str | None = None) -> str:
    """What people are shown for a MAC."""
    if mac == ZERO_MAC:
        return "Unresolved hosts"
    return record.display_name if record else hostname or mac


def _current_device(
    mac: str,
    record: DeviceRecord | None,
    total: DeviceTotals,
    *,
    usage: tuple[int, int],
    seconds: float | None,
    hostname: str | None = None,
) -> CurrentDevice:
    return CurrentDevice(
        mac=mac,
        macs=record.macs if record else (mac,),
        name=display_name(mac, record, hostname),
        bytes_down=total.bytes_down,
        bytes_up=total.bytes_up,
        rate_down=int(usage[0] * 8 / seconds) if seconds else None,
        rate_up=int(usage[1] * 8 / seconds) if seconds else None,
        is_router=record is not None and record.is_router,
        is_unresolved=mac == ZERO_MAC,
    )


def _largest_first(devices: Iterable[CurrentDevice]) -> list[CurrentDevice]:
    return sorted(devices, key=lambda device: (-(device.bytes_down + device.bytes_up), device.mac))


def _sum(totals: Iterable[DeviceTotals]) -> DeviceTotals:
    down = up = 0
    for total in totals:
        down += total.bytes_down
        up += total.bytes_up
    return DeviceTotals(down, up)
