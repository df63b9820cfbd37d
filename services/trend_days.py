"""The days that tell where usage goes: those of a period, and those before it that tell what is usual.

The trends and the summary read them here, so that both say the same of the same period.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from db_operations.device_usage_db import DeviceBucketRow, get_device_usage_history
from db_operations.devices_db import DeviceRecord
from db_operations.rollups_db import DAILY
from db_operations.statements import Connection
from services.analytics.usage_trends import UsageTrend, UsageTrends, judge_trend
from services.buckets import Bucket, Granularity, buckets_between
from services.context import RouterContext
from services.device_series import unranked
from services.device_usage_analytics import calculate_usage_trends
from services.history_range import HistoryRange, devices_by_mac, load_range
from utils.time import Zone

#: So many days before today tell what is usual: every weekday eight times.
USUAL_DAYS = 56

#: A share of a day observed from which a device's value in it may speak for a trend.
TREND_COVERAGE = 0.5

Series = list[int | None]


@dataclass(frozen=True, kw_only=True)
class TrendDays:
    """Daily usage of every device, up to today."""

    wanted: HistoryRange
    #: Where the period begins among the days, and the day after its last finished one: today.
    first: int
    today: int
    #: What is stored of them.
    rows: Sequence[DeviceBucketRow]
    #: Bytes by MAC and day, 0 where none are stored.
    sums: Mapping[str, Sequence[int]]
    records: Mapping[str, DeviceRecord]

    @property
    def days(self) -> Sequence[Bucket]:
        """The finished days of the period."""
        return self.wanted.buckets[self.first : self.today]

    @property
    def coverages(self) -> Sequence[float]:
        """Of the finished days of the period."""
        return self.wanted.coverages[self.first : self.today]

    @cached_property
    def macs(self) -> list[str]:
        """The devices that used anything in the period, today included: those that used most first."""
        left_out = unranked(self.records)
        used = {mac: sum(days[self.first :]) for mac, days in self.sums.items() if mac not in left_out}
        return sorted((mac for mac, total in used.items() if total), key=lambda mac: (-used[mac], mac))

    @cached_property
    def total(self) -> Sequence[int]:
        """Of all devices, the router's own and unresolved traffic included."""
        return [sum(day) for day in zip(*self.sums.values(), strict=True)] or [0] * len(self.wanted.buckets)

    def first_day_of(self, mac: str) -> int:
        """The first day that a device was there for at least half of; 0 if that was always so or is not known."""
        record = self.records.get(mac)
        if record is None:
            return 0
        return bisect_left(self._middles, record.first_seen)

    @cached_property
    def _middles(self) -> Sequence[datetime]:
        spans = (bucket.span for bucket in self.wanted.buckets)
        return [span.start + (span.end - span.start) / 2 for span in spans]

    def series(self, sums: Sequence[int], first_day: int = 0) -> Series:
        """The finished days; None where one was hardly observed, or only in a sum with others, or before the device
        was first seen."""
        return [
            value if place >= first_day and coverage >= TREND_COVERAGE else None
            for place, (value, coverage) in enumerate(
                zip(sums[: self.today], self.wanted.told_coverages[: self.today], strict=True)
            )
        ]

    def rates(self, series: Sequence[int | None]) -> list[float | None]:
        """What the whole of each day would have had: a day seen by half is no day of half the usage."""
        return [
            None if value is None else value / coverage
            for value, coverage in zip(series, self.wanted.coverages[: self.today], strict=True)
        ]

    def trend(self, series: Sequence[int | None]) -> UsageTrend:
        rates = self.rates(series)
        return judge_trend(rates[self.first :], rates[: self.first])

    def usage_trends(self) -> UsageTrends:
        """Where each device's usage goes."""
        rates = {mac: self.rates(self.series(self.sums[mac], self.first_day_of(mac))) for mac in self.macs}
        return calculate_usage_trends(
            {mac: days[self.first :] for mac, days in rates.items()},
            {mac: days[: self.first] for mac, days in rates.items()},
        )


def load_trend_days(conn: Connection, context: RouterContext, zone: Zone, first_day: date, now: datetime) -> TrendDays:
    """The days of the period from ``first_day``, a local day of the last USUAL_DAYS, up to today."""
    today = zone.day_of(now)
    days = buckets_between(today - timedelta(days=USUAL_DAYS), today, Granularity.DAY, zone)
    wanted = load_range(conn, context, zone, days, Granularity.DAY, now)
    rows = get_device_usage_history(
        conn, context.session_id, context.router_id, DAILY, start=wanted.start, end=wanted.end
    )
    places: dict[date | datetime, int] = {}
    sums: dict[str, list[int]] = {}
    for mac, bucket, down, up in rows:
        if bucket not in places:
            places[bucket] = wanted.position_of(bucket)
        if mac not in sums:
            sums[mac] = [0] * len(days)
        sums[mac][places[bucket]] += down + up
    return TrendDays(
        wanted=wanted,
        first=(first_day - days[0].first_day).days,
        today=len(days) - 1,
        rows=rows,
        sums=sums,
        records=devices_by_mac(conn, context),
    )
