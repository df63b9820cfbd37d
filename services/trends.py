"""Where a router's usage goes, when it happens and what its month will come to: gathers what the pure rooms judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from db_operations import hourly_profile_db
from db_operations.database import Database
from db_operations.statements import Connection
from services.analytics.usage_profiles import HourPart, Profile, hour_profile, observed_parts, weekday_profile
from services.analytics.usage_trends import UsageTrend, UsageTrends, by_direction
from services.buckets import Bucket, Granularity, buckets_between
from services.context import RouterContext
from services.device_series import names_of
from services.history_range import HistoryRange, load_range, zone_of
from services.month_outlook import MonthOutlook, MonthSoFar
from services.trend_days import TrendDays, load_trend_days
from utils.time import Clock


class TrendPeriod(StrEnum):
    """The days, today the last of them, whose direction is asked for."""

    LAST_7_DAYS = "7days"
    LAST_30_DAYS = "30days"


DAYS_OF = {TrendPeriod.LAST_7_DAYS: 7, TrendPeriod.LAST_30_DAYS: 30}


@dataclass(frozen=True, kw_only=True)
class Tendency:
    """What the days of one device, or of all, say."""

    #: Bytes in each finished day; None where less than half of it was observed, where only the sum of several days is
    #: known, or before the device was first seen.
    values: Sequence[int | None]
    trend: UsageTrend
    hours: Profile
    weekdays: Profile
    month: MonthOutlook


@dataclass(frozen=True, kw_only=True)
class PeriodTrends:
    """The directions of all devices over the finished days of a period."""

    period: TrendPeriod
    timezone: str
    days: Sequence[Bucket]
    coverages: Sequence[float]
    #: Of the finished days together.
    coverage: float
    month: MonthSoFar
    trends: UsageTrends
    #: All devices together, the router's own and unresolved traffic included.
    total: Tendency
    #: One page of them by MAC, those that used most first.
    devices: Mapping[str, Tendency]
    names: Mapping[str, str]
    #: How many devices there are on all pages.
    device_count: int


class TrendService:
    """Trends of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get_trends(
        self, context: RouterContext, period: TrendPeriod, *, page: int = 1, page_size: int = 50
    ) -> PeriodTrends:
        """Where all devices' usage goes, and one page of them in detail. Raises RouterNotFound."""
        with self._database.reading() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            first_day = zone.day_of(now) - timedelta(days=DAYS_OF[period] - 1)
            days = load_trend_days(conn, context, zone, first_day, now)
            shown = days.macs[(page - 1) * page_size : page * page_size]
            hours = _load_hours(conn, context, days, now)
        trends = {mac: days.trend(days.series(days.sums[mac], days.first_day_of(mac))) for mac in days.macs}
        month = MonthSoFar.of(days.wanted, days.total, now)
        return PeriodTrends(
            period=period,
            timezone=zone.key,
            days=days.days,
            coverages=days.coverages,
            coverage=_share_of(days),
            month=month,
            trends=by_direction(trends),
            total=_tendency(days, days.total, None, days.trend(days.series(days.total)), hours, month),
            devices={mac: _tendency(days, days.sums[mac], mac, trends[mac], hours, month) for mac in shown},
            names=names_of(days.records, shown),
            device_count=len(days.macs),
        )


@dataclass(frozen=True, kw_only=True)
class _Hours:
    """The observed hours of the period, and the bytes by hour of the day of each device, and under None of all."""

    parts: Sequence[HourPart]
    used: Mapping[str | None, Mapping[int, float]]


def _tendency(
    days: TrendDays, sums: Sequence[int], mac: str | None, trend: UsageTrend, hours: _Hours, month: MonthSoFar
) -> Tendency:
    """Of one device; of all where ``mac`` is None."""
    first_day = 0 if mac is None else days.first_day_of(mac)
    series = days.series(sums, first_day)
    values = series[days.first :]
    record = None if mac is None else days.records.get(mac)
    return Tendency(
        values=values,
        trend=trend,
        hours=hour_profile(hours.used.get(mac, {}), hours.parts, record.first_seen if record else None),
        weekdays=weekday_profile(values, days.days, days.coverages),
        month=month.outlook(sums, days.rates(series), first_day),
    )


def _share_of(days: TrendDays) -> float:
    lengths = [bucket.span.end - bucket.span.start for bucket in days.days]
    observed = sum((length * share for length, share in zip(lengths, days.coverages, strict=True)), timedelta())
    return observed / sum(lengths, timedelta())


def _load_hours(conn: Connection, context: RouterContext, days: TrendDays, now: datetime) -> _Hours:
    """Of the period's days that are over and of today's hours that are."""
    owner = (context.session_id, context.router_id)
    oldest = hourly_profile_db.get_oldest_slot(conn, *owner)
    if oldest is None:
        return _Hours(parts=[], used={})
    wanted = _hours_of(conn, context, days, now)
    parts = observed_parts(
        [bucket.span for bucket in wanted.buckets], wanted.told_coverages, wanted.zone, since=oldest, until=now
    )
    groups = sorted({(part.hour, part.share) for part in parts})
    numbers = {group: number for number, group in enumerate(groups)}
    slots = [(part.slot, numbers[part.hour, part.share]) for part in parts]
    used: dict[str | None, dict[int, float]] = {None: {}}
    for mac, number, total in hourly_profile_db.list_profile_rows(conn, *owner, slots):
        hour, share = groups[number]
        for key in (mac, None):
            sums = used.setdefault(key, {})
            sums[hour] = sums.get(hour, 0) + total * share
    return _Hours(parts=parts, used=used)


def _hours_of(conn: Connection, context: RouterContext, days: TrendDays, now: datetime) -> HistoryRange:
    period = days.wanted.buckets[days.first :]
    slots = buckets_between(period[0].first_day, period[-1].last_day, Granularity.HOUR, days.wanted.zone)
    return load_range(conn, context, days.wanted.zone, slots, Granularity.HOUR, now)
