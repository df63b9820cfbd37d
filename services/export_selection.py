"""What an export is of: which rows a request means, what the devices in them are called, and how the file is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from db_operations import routers_db
from db_operations.devices_db import DeviceRecord
from db_operations.export_db import ExportedRows, RowKind, get_stored_buckets
from db_operations.rollups_db import DAILY, HOURLY, Rollup
from db_operations.shown_devices_db import get_shown_devices
from db_operations.statements import Connection
from services.buckets import Granularity, buckets_between
from services.chosen_days import Days, chosen_days
from services.context import RouterContext
from services.device_usage_service import check_is_shown, display_name
from services.devices.merged_devices import shown_as
from services.history_range import devices_by_mac
from utils.errors import RouterNotFound
from utils.file_names import file_name_part
from utils.mac import ZERO_MAC
from utils.time import Zone, parse_zone

#: Any range of days that a request can name.
_ANY = 1_000_000


class ExportedGranularity(StrEnum):
    """What a row of an export is: a device in one reading, or in one of these."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


#: Years before and after what is stored cost nothing: bounds of buckets are sent along only for what is there, and for
#: so much around it that a week or month that is cut short by that has nothing in it.
_AROUND = timedelta(days=62)

#: The rows of each, the rollup that tells which of them are stored, and the buckets whose bounds they need.
_KINDS: Mapping[ExportedGranularity, tuple[RowKind, Rollup | None, Granularity]] = {
    ExportedGranularity.RAW: (RowKind.READING, None, Granularity.DAY),
    ExportedGranularity.HOUR: (RowKind.HOUR, HOURLY, Granularity.DAY),
    ExportedGranularity.DAY: (RowKind.DAY, DAILY, Granularity.DAY),
    ExportedGranularity.WEEK: (RowKind.DAYS, DAILY, Granularity.WEEK),
    ExportedGranularity.MONTH: (RowKind.DAYS, DAILY, Granularity.MONTH),
}


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What somebody wants to download: local days, both included; the last 7 by default."""

    start_date: date | None = None
    end_date: date | None = None
    granularity: ExportedGranularity = ExportedGranularity.DAY
    #: None: all devices.
    mac: str | None = None


@dataclass(frozen=True, kw_only=True)
class UsageSelection:
    """Which usage is exported, and what the devices in it are called, by MAC."""

    days: Days
    granularity: ExportedGranularity
    timezone: str
    router_name: str
    rows: ExportedRows
    #: The one device, if it is one.
    mac: str | None
    names: Mapping[str, str]

    @property
    def file_stem(self) -> str:
        """Such as netpilot_Home_Annas-iPhone_2026-11-01_2026-11-07_day."""
        device = self.names[self.mac] if self.mac else ""
        words = ("netpilot", file_name_part(self.router_name), file_name_part(device))
        span = (self.days.first.isoformat(), self.days.last.isoformat(), self.granularity)
        return "_".join(word for word in (*words, *span) if word)


def select(conn: Connection, context: RouterContext, request: ExportRequest, now: datetime) -> UsageSelection:
    """What ``request`` means. Raises ValidationFailed, RouterNotFound, DeviceNotFound."""
    router = routers_db.get_router(conn, context.session_id, context.router_id)
    if router is None:
        raise RouterNotFound
    zone = parse_zone(router.timezone or "UTC")
    days = chosen_days(request.start_date, request.end_date, today=zone.day_of(now), most=_ANY)
    records = devices_by_mac(conn, context)
    mac = request.mac and shown_as(request.mac, records)
    if mac is not None and mac != ZERO_MAC:
        check_is_shown(records.get(mac))
    return UsageSelection(
        days=days,
        granularity=request.granularity,
        timezone=zone.key,
        router_name=router.name,
        rows=_rows(conn, context, request.granularity, zone, days, mac),
        mac=mac,
        names={one: _name(one, records) for one in (*records, ZERO_MAC)},
    )


def _name(mac: str, records: Mapping[str, DeviceRecord]) -> str:
    """What is shown for a MAC: of one that is merged into another, that one's name."""
    shown = shown_as(mac, records)
    return display_name(shown, records.get(shown))


def _rows(
    conn: Connection,
    context: RouterContext,
    wanted: ExportedGranularity,
    zone: Zone,
    days: Days,
    mac: str | None,
) -> ExportedRows:
    owner = (context.session_id, context.router_id)
    kind, rollup, granularity = _KINDS[wanted]
    shown = get_shown_devices(conn, *owner)
    first, last = days.first, days.last
    buckets = []
    if rollup is not None:
        stored = get_stored_buckets(conn, *owner, rollup)
        oldest, newest = (_day_of(bucket, zone) for bucket in stored) if stored else (first, first)
        first, last = max(first, oldest - _AROUND), min(last, newest + _AROUND)
        buckets = buckets_between(first, last, granularity, zone)
    is_daily = rollup is DAILY
    return ExportedRows(
        kind=kind,
        start=first if is_daily else zone.midnight(first),
        end=last + timedelta(days=1) if is_daily else zone.midnight(last + timedelta(days=1)),
        macs=shown.behind([mac]) if mac else None,
        shown=shown,
        first_days=[bucket.first_day for bucket in buckets],
        starts=[bucket.span.start for bucket in buckets],
        ends=[bucket.span.end for bucket in buckets],
    )


def _day_of(bucket: date | datetime, zone: Zone) -> date:
    return zone.day_of(bucket) if isinstance(bucket, datetime) else bucket
