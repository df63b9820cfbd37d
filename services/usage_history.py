"""Usage over time, in buckets. Read from the rollups, never from raw rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db_operations import devices_db, rollups_db
from db_operations.database import Database
from db_operations.device_usage_db import get_device_usage_history
from db_operations.devices_db import DeviceRecord
from db_operations.statements import Connection
from services.buckets import Bucket, Granularity, buckets_between
from services.chosen_days import chosen_days
from services.context import RouterContext
from services.device_usage_service import check_is_shown, display_name
from services.history_range import (
    BucketUsage,
    HistoryRange,
    Row,
    devices_by_mac,
    fold,
    load_range,
    total_of,
    totals_of,
    zone_of,
)
from services.usage_quality import Trust
from utils.mac import ZERO_MAC
from utils.time import Clock

#: The longest range of local days for each granularity.
MAX_DAYS = {Granularity.HOUR: 62, Granularity.DAY: 1_100, Granularity.WEEK: 3_700, Granularity.MONTH: 3_700}


@dataclass(frozen=True, kw_only=True)
class DeviceHistory:
    """One device over the range: its totals, and its usage in each of the history's buckets."""

    mac: str
    name: str
    bytes_down: int
    bytes_up: int
    is_router: bool
    is_unresolved: bool
    buckets: Sequence[BucketUsage]


@dataclass(frozen=True, kw_only=True)
class History:
    """A router's (or one device's) usage over a range of local days."""

    granularity: Granularity
    timezone: str
    start_date: date
    end_date: date
    totals: BucketUsage
    #: Which share of the range, as far as it has passed, lies between good readings: 0 to 1.
    coverage: float
    buckets: Sequence[Bucket]
    usage: Sequence[BucketUsage]
    coverages: Sequence[float]
    #: How far each bucket's usage is to be trusted.
    trusts: Sequence[Trust]
    devices: Sequence[DeviceHistory]
    #: How many devices there are on all pages.
    device_count: int


class UsageHistoryService:
    """Histories of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get_history(
        self,
        context: RouterContext,
        *,
        start_date: date | None,
        end_date: date | None,
        granularity: Granularity,
        page: int,
        page_size: int,
    ) -> History:
        """All devices together, and one page of them, largest first. Default range: the last 7 days."""
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            wanted = self._range(conn, context, start_date, end_date, granularity)
            names = devices_by_mac(conn, context)
            if page == 1 and len(names) <= page_size:
                # Every device is on this page: all rows are needed anyway, and they add up to the totals.
                rows = get_device_usage_history(conn, *owner, wanted.rollup, start=wanted.start, end=wanted.end)
                bucket_totals, device_totals = totals_of(rows)
            else:
                bucket_totals, device_totals = rollups_db.list_totals(
                    conn, *owner, wanted.rollup, start=wanted.start, end=wanted.end
                )
                macs = [total.mac for total in device_totals[(page - 1) * page_size : page * page_size]]
                rows = get_device_usage_history(
                    conn, *owner, wanted.rollup, start=wanted.start, end=wanted.end, macs=macs
                )
        shown = device_totals[(page - 1) * page_size : page * page_size]
        by_mac: dict[str, list[tuple[date | datetime, int, int]]] = {}
        for mac, bucket, down, up in rows:
            by_mac.setdefault(mac, []).append((bucket, down, up))
        devices = [
            _device_history(total.mac, names.get(total.mac), by_mac.get(total.mac, []), wanted) for total in shown
        ]
        return _history(wanted, granularity, bucket_totals, devices, len(device_totals))

    def get_device_history(
        self,
        context: RouterContext,
        mac: str,
        *,
        start_date: date | None,
        end_date: date | None,
        granularity: Granularity,
    ) -> tuple[History, str, str]:
        """One device's, its MAC and its name. Raises DeviceNotFound, also for one out of monitoring.

        Of one that is merged into another, the other's.
        """
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            wanted = self._range(conn, context, start_date, end_date, granularity)
            record = devices_db.get_device_by_mac(conn, *owner, mac)
            shown = mac if mac == ZERO_MAC else check_is_shown(record).mac
            rows = get_device_usage_history(
                conn, *owner, wanted.rollup, start=wanted.start, end=wanted.end, macs=[shown]
            )
        totals = [(row.bucket, row.bytes_down, row.bytes_up) for row in rows]
        return _history(wanted, granularity, totals, [], 0), shown, display_name(shown, record)

    # --- which buckets -----------------------------------------------------------------------------------

    def _range(
        self,
        conn: Connection,
        context: RouterContext,
        start_date: date | None,
        end_date: date | None,
        granularity: Granularity,
    ) -> HistoryRange:
        """The range that a request means. Raises ValidationFailed, RouterNotFound."""
        zone = zone_of(conn, context)
        now = self._clock()
        start, end = chosen_days(
            start_date,
            end_date,
            today=zone.day_of(now),
            most=MAX_DAYS[granularity],
            limits=f" with granularity={granularity}",
        )
        return load_range(conn, context, zone, buckets_between(start, end, granularity, zone), granularity, now)


# --- folding rows into buckets ---------------------------------------------------------------------------


def _history(
    wanted: HistoryRange,
    granularity: Granularity,
    totals: Iterable[Row],
    devices: Sequence[DeviceHistory],
    device_count: int,
) -> History:
    usage = fold(wanted, totals)
    return History(
        granularity=granularity,
        timezone=wanted.zone.key,
        start_date=wanted.buckets[0].first_day,
        end_date=wanted.buckets[-1].last_day,
        totals=total_of(usage),
        coverage=wanted.coverage,
        buckets=wanted.buckets,
        usage=usage,
        coverages=wanted.coverages,
        trusts=wanted.trusts,
        devices=devices,
        device_count=device_count,
    )


def _device_history(mac: str, record: DeviceRecord | None, rows: Iterable[Row], wanted: HistoryRange) -> DeviceHistory:
    usage = fold(wanted, rows)
    return DeviceHistory(
        mac=mac,
        name=display_name(mac, record),
        bytes_down=sum(bucket.bytes_down or 0 for bucket in usage),
        bytes_up=sum(bucket.bytes_up or 0 for bucket in usage),
        is_router=record is not None and record.is_router,
        is_unresolved=mac == ZERO_MAC,
        buckets=usage,
    )
