"""The summary of a period: totals, the devices that used most, and where usage goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from db_operations.database import Database
from db_operations.device_usage_db import get_device_usage_history
from db_operations.devices_db import DeviceRecord
from db_operations.statements import Connection
from services.analytics.usage_trends import UsageTrends
from services.buckets import Bucket, Granularity, buckets_between, slots_between
from services.context import RouterContext
from services.device_usage_service import display_name
from services.history_range import HistoryRange, load_range, totals_of, zone_of
from services.trend_days import load_trend_days
from services.usage_quality import Trust, overall
from utils.mac import ZERO_MAC
from utils.time import Clock, floor_hour


class Period(StrEnum):
    """What a summary sums up."""

    LAST_24_HOURS = "24hours"
    LAST_7_DAYS = "7days"
    LAST_30_DAYS = "30days"
    MONTH = "month"


_DAYS_OF = {Period.LAST_24_HOURS: 7, Period.LAST_7_DAYS: 7, Period.LAST_30_DAYS: 30}


@dataclass(frozen=True, kw_only=True)
class TopDevice:
    """One of the devices that used most."""

    mac: str
    name: str
    usage: int
    #: Of all usage of the period, 0 to 100.
    percentage: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A period in a few numbers, in bytes."""

    period: Period
    start: datetime
    end: datetime
    #: None where nothing of the period was observed.
    total_usage: int | None
    #: Per day that was observed at all; None where none was.
    average_daily: int | None
    top_devices: Sequence[TopDevice]
    trends: UsageTrends
    coverage: float
    trust: Trust


class UsageSummaryService:
    """Summaries of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get_summary(self, context: RouterContext, period: Period, *, top: int) -> Summary:
        """Totals, the ``top`` devices and trends. The router's own and unresolved traffic count in the total alone."""
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            now = self._clock()
            wanted = self._period(conn, context, period, now)
            today = wanted.zone.day_of(now)
            trend_days = load_trend_days(conn, context, wanted.zone, _first_day(period, today), now)
            if period is Period.LAST_24_HOURS:
                rows = get_device_usage_history(conn, *owner, wanted.rollup, start=wanted.start, end=wanted.end)
            else:
                rows = [row for row in trend_days.rows if row.bucket >= wanted.start]
        names = trend_days.records
        bucket_totals, device_totals = totals_of(rows)
        total = sum(bucket.bytes_down + bucket.bytes_up for bucket in bucket_totals)
        # Days taken from the router's archives have usage, but nobody observed them.
        of_observed = sum(
            bucket.bytes_down + bucket.bytes_up
            for bucket in bucket_totals
            if wanted.coverages[wanted.position_of(bucket.bucket)] > 0
        )
        ranked = [device for device in device_totals if _is_ranked(device.mac, names)]
        end = min(wanted.span.end, now)
        return Summary(
            period=period,
            start=wanted.span.start,
            end=end,
            total_usage=total if total or wanted.coverage > 0 else None,
            average_daily=_average_daily(of_observed, wanted.coverage, end - wanted.span.start),
            top_devices=[
                TopDevice(
                    mac=device.mac,
                    name=display_name(device.mac, names.get(device.mac)),
                    usage=device.bytes_down + device.bytes_up,
                    percentage=round(100 * (device.bytes_down + device.bytes_up) / total, 1) if total else 0.0,
                )
                for device in ranked[:top]
            ],
            trends=trend_days.usage_trends(),
            coverage=wanted.coverage,
            trust=overall(wanted.trusts),
        )

    def _period(self, conn: Connection, context: RouterContext, period: Period, now: datetime) -> HistoryRange:
        zone = zone_of(conn, context)
        if period is Period.LAST_24_HOURS:
            slots = slots_between(floor_hour(now) - timedelta(hours=23), now, zone)
            cut = ((slot, zone.day_of(slot.start)) for slot in slots)
            buckets = [Bucket(span=slot, first_day=day, last_day=day) for slot, day in cut]
            return load_range(conn, context, zone, buckets, Granularity.HOUR, now)
        today = zone.day_of(now)
        days = buckets_between(_first_day(period, today), today, Granularity.DAY, zone)
        return load_range(conn, context, zone, days, Granularity.DAY, now)


def _first_day(period: Period, today: date) -> date:
    """Of a period of days; of 24 hours the week they end, as a day's ups and downs are no trend."""
    return today.replace(day=1) if period is Period.MONTH else today - timedelta(days=_DAYS_OF[period] - 1)


def _average_daily(total: int, coverage: float, elapsed: timedelta) -> int | None:
    """Per observed day; what was seen in less than one day is not blown up to a whole one."""
    observed = coverage * elapsed
    return int(total / max(observed / timedelta(days=1), 1.0)) if observed else None


def _is_ranked(mac: str, known: Mapping[str, DeviceRecord]) -> bool:
    record = known.get(mac)
    return mac != ZERO_MAC and (record is None or (record.is_monitored and not record.is_router))
