"""Where a router's usage goes: gathers the days that usage_trends.py judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from db_operations.database import Database
from db_operations.device_usage_db import get_device_usage_history
from db_operations.rollups_db import DAILY
from services.buckets import Bucket, Granularity, buckets_between
from services.context import RouterContext
from services.device_series import both_of, names_of, rows_by_mac, series_of, unranked
from services.device_usage_analytics import calculate_usage_trends
from services.history_range import devices_by_mac, load_range, zone_of
from services.usage_trends import UsageTrends, relative_change
from utils.time import Clock

#: A share of a day observed from which a device's value in it may speak for a trend.
TREND_COVERAGE = 0.5


class TrendPeriod(StrEnum):
    """The days, today the last of them, whose direction is asked for."""

    LAST_7_DAYS = "7days"
    LAST_30_DAYS = "30days"


_DAYS_OF = {TrendPeriod.LAST_7_DAYS: 7, TrendPeriod.LAST_30_DAYS: 30}


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


class TrendService:
    """Trends of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

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
        by_mac = rows_by_mac(rows)
        macs = sorted(by_mac.keys() - unranked(records), key=lambda mac: (-sum(map(both_of, by_mac[mac])), mac))
        values = {mac: series_of(wanted, by_mac[mac], both_of, TREND_COVERAGE)[:finished] for mac in macs}
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
            names=names_of(records, macs),
        )
