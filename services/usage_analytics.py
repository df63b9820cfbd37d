"""Analytics of a router's usage: gathers what the pure functions of device_usage_analytics.py judge."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import attrgetter

from db_operations.database import Database
from db_operations.device_usage_db import DeviceBucketRow, get_device_usage_history
from db_operations.devices_db import DeviceRecord
from db_operations.rollups_db import DAILY, HOURLY
from db_operations.statements import Connection
from services.buckets import Bucket, Granularity, Span, buckets_between
from services.chosen_days import Days, check_days, chosen_days, span_of, up_to_same_point
from services.context import RouterContext
from services.device_usage_analytics import (
    WELL_OBSERVED,
    PeriodComparison,
    PeriodUsage,
    UsageTrends,
    calculate_usage_trends,
    compare_periods,
    detect_anomalies,
    relative_change,
)
from services.device_usage_service import display_name
from services.history_range import HistoryRange, devices_by_mac, load_range, zone_of
from services.period_usage import load_usage
from services.unusual_usage import LEAST_HOUR, Anomaly, Direction, Sensitivity
from services.usual_usage import BASELINE_WEEKS
from utils.mac import ZERO_MAC
from utils.time import Clock, Zone

#: The longest periods that can be compared, and the longest range that is searched for anomalies, in days.
MOST_DAYS_COMPARED = 1_100
MOST_DAYS_SEARCHED = 31

#: A share of a day observed from which a device's value in it may speak for a trend.
TREND_COVERAGE = 0.5


class ComparedPeriod(StrEnum):
    """This one against the one before, up to the same point in time."""

    WEEK = "week"
    MONTH = "month"


class TrendPeriod(StrEnum):
    """The days, today the last of them, whose direction is asked for."""

    LAST_7_DAYS = "7days"
    LAST_30_DAYS = "30days"


_DAYS_OF = {TrendPeriod.LAST_7_DAYS: 7, TrendPeriod.LAST_30_DAYS: 30}


@dataclass(frozen=True, kw_only=True)
class ComparedUsage:
    """Two periods beside each other, and what the devices in them are called."""

    before: PeriodUsage
    after: PeriodUsage
    comparison: PeriodComparison
    timezone: str
    names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FoundAnomalies:
    """What was unusual in a range of days, with the MAC whose it was, the latest first."""

    days: Days
    timezone: str
    coverage: float
    anomalies: Sequence[tuple[str, Anomaly]]
    names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DeviceTrend:
    """Where one device's usage goes; bytes a day, None where less than half of it was observed."""

    mac: str
    values: Sequence[int | None]
    #: From the first to the last day along the fitted line, relative to the median day; None with too few days.
    change_percent: float | None


@dataclass(frozen=True, kw_only=True)
class PeriodTrends:
    """The directions of all devices over the finished days of a period."""

    period: TrendPeriod
    timezone: str
    days: Sequence[Bucket]
    coverages: Sequence[float]
    trends: UsageTrends
    #: Those that used most first.
    devices: Sequence[DeviceTrend]
    names: Mapping[str, str]


class UsageAnalyticsService:
    """Analytics of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def compare_days(self, context: RouterContext, before: Days, after: Days) -> ComparedUsage:
        """Two ranges of days, whole. Raises ValidationFailed where one is none or too long."""
        for number, days in enumerate((before, after), start=1):
            check_days(days, most=MOST_DAYS_COMPARED, start_name=f"period{number}Start", end_name=f"period{number}End")
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            return _compare(conn, context, zone, (span_of(before, zone), span_of(after, zone)), self._clock())

    def compare_to_previous(self, context: RouterContext, period: ComparedPeriod) -> ComparedUsage:
        """This week (from Monday) or month so far, and the one before up to the same point in time."""
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            today = zone.day_of(now)
            if period is ComparedPeriod.WEEK:
                first = today - timedelta(days=today.weekday())
                before = first - timedelta(days=7)
            else:
                first = today.replace(day=1)
                before = _month_before(first)
            return _compare(conn, context, zone, up_to_same_point(zone, before, Days(first, today), now), now)

    def find_anomalies(
        self, context: RouterContext, start_date: date | None, end_date: date | None, sensitivity: Sensitivity
    ) -> FoundAnomalies:
        """Hours and days with far more traffic than usual. Default range: the last 7 days."""
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            days = chosen_days(start_date, end_date, today=zone.day_of(now), most=MOST_DAYS_SEARCHED)
            asked_days = buckets_between(days.first, days.last, Granularity.DAY, zone)
            asked = load_range(conn, context, zone, asked_days, Granularity.DAY, now)
            records = devices_by_mac(conn, context)
            wanted, rows = _load_hours(conn, context, zone, days, now)
        anomalies = _search(wanted, rows, records, asked.span.start, sensitivity)
        return FoundAnomalies(
            days=days,
            timezone=zone.key,
            coverage=asked.coverage,
            anomalies=sorted(anomalies, key=lambda found: found[1].at, reverse=True),
            names=_names(records, (mac for mac, _ in anomalies)),
        )

    def get_trends(self, context: RouterContext, period: TrendPeriod) -> PeriodTrends:
        """The direction of each device over the finished days of ``period``."""
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            today = zone.day_of(now)
            days = buckets_between(today - timedelta(days=_DAYS_OF[period] - 1), today, Granularity.DAY, zone)
            wanted = load_range(conn, context, zone, days, Granularity.DAY, now)
            records = devices_by_mac(conn, context)
            rows = get_device_usage_history(
                conn, context.session_id, context.router_id, DAILY, start=wanted.start, end=wanted.end
            )
        finished = sum(1 for bucket in days if bucket.span.end <= now)
        by_mac = _by_mac(rows)
        macs = sorted(by_mac.keys() - _unranked(records), key=lambda mac: (-sum(map(_both, by_mac[mac])), mac))
        values = {mac: _series(wanted, by_mac[mac], _both, TREND_COVERAGE)[:finished] for mac in macs}
        changes = {mac: relative_change(series) for mac, series in values.items()}
        return PeriodTrends(
            period=period,
            timezone=zone.key,
            days=days[:finished],
            coverages=wanted.coverages[:finished],
            trends=calculate_usage_trends(values),
            devices=[
                DeviceTrend(mac=mac, values=values[mac], change_percent=None if change is None else 100 * change)
                for mac, change in changes.items()
            ],
            names=_names(records, macs),
        )


# --- which days ------------------------------------------------------------------------------------------


def _month_before(day: date) -> date:
    """The same day of the month before, or that month's last one."""
    last_of_month_before = day.replace(day=1) - timedelta(days=1)
    return last_of_month_before.replace(day=min(day.day, last_of_month_before.day))


# --- reading ---------------------------------------------------------------------------------------------


def _compare(
    conn: Connection, context: RouterContext, zone: Zone, spans: tuple[Span, Span], now: datetime
) -> ComparedUsage:
    before, after = (load_usage(conn, context, zone, span, now) for span in spans)
    comparison = compare_periods(before.totals, after.totals)
    names = _names(devices_by_mac(conn, context), comparison.devices)
    return ComparedUsage(before=before, after=after, comparison=comparison, timezone=zone.key, names=names)


def _load_hours(
    conn: Connection, context: RouterContext, zone: Zone, days: Days, now: datetime
) -> tuple[HistoryRange, list[DeviceBucketRow]]:
    """The hours of ``days`` and of those that tell what is usual, of the devices with an hour worth a look."""
    owner = (context.session_id, context.router_id)
    buckets = buckets_between(days.first - timedelta(weeks=BASELINE_WEEKS), days.last, Granularity.HOUR, zone)
    wanted = load_range(conn, context, zone, buckets, Granularity.HOUR, now)
    asked = get_device_usage_history(conn, *owner, HOURLY, start=zone.midnight(days.first), end=wanted.end)
    macs = {row.mac for row in asked if max(row.bytes_down, row.bytes_up) >= LEAST_HOUR}
    rows = get_device_usage_history(conn, *owner, HOURLY, start=wanted.start, end=wanted.end, macs=sorted(macs))
    return wanted, rows


# --- folding ---------------------------------------------------------------------------------------------


def _search(
    wanted: HistoryRange,
    rows: Iterable[DeviceBucketRow],
    records: Mapping[str, DeviceRecord],
    since: datetime,
    sensitivity: Sensitivity,
) -> list[tuple[str, Anomaly]]:
    """What was unusual for each monitored device. What was before its first sighting says nothing of it."""
    hours = [bucket.span.start.astimezone(wanted.zone.tz) for bucket in wanted.buckets]
    found = []
    for mac, own_rows in _by_mac(rows).items():
        record = records.get(mac)
        if record is not None and not record.is_monitored:
            continue
        for direction in Direction:
            values = _series(wanted, own_rows, attrgetter(f"bytes_{direction}"), WELL_OBSERVED)
            known = [
                (at, value) for at, value in zip(hours, values, strict=True) if not record or at >= record.first_seen
            ]
            anomalies = detect_anomalies(known, sensitivity=sensitivity, direction=direction, since=since)
            found += [(mac, anomaly) for anomaly in anomalies]
    return found


def _series(
    wanted: HistoryRange,
    rows: Iterable[DeviceBucketRow],
    value_of: Callable[[DeviceBucketRow], int],
    least_coverage: float,
) -> list[int | None]:
    """One device's bytes in each bucket; None where less than ``least_coverage`` of it was observed."""
    values: list[int | None] = [0 if share >= least_coverage else None for share in wanted.coverages]
    for row in rows:
        position = wanted.position_of(row.bucket)
        if (value := values[position]) is not None:
            values[position] = value + value_of(row)
    return values


def _both(row: DeviceBucketRow) -> int:
    return row.bytes_down + row.bytes_up


def _by_mac(rows: Iterable[DeviceBucketRow]) -> dict[str, list[DeviceBucketRow]]:
    groups: dict[str, list[DeviceBucketRow]] = {}
    for row in rows:
        groups.setdefault(row.mac, []).append(row)
    return groups


def _names(records: Mapping[str, DeviceRecord], macs: Iterable[str]) -> dict[str, str]:
    return {mac: display_name(mac, records.get(mac)) for mac in macs}


def _unranked(records: Mapping[str, DeviceRecord]) -> set[str]:
    return {ZERO_MAC, *(mac for mac, record in records.items() if record.is_router or not record.is_monitored)}
