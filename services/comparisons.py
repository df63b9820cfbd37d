"""Periods of a router's usage beside each other: what is stored of both, and what period_comparison.py says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from db_operations.database import Database
from db_operations.statements import Connection
from services.buckets import Span
from services.chosen_days import Days, check_days, span_of, up_to_same_point
from services.context import RouterContext
from services.device_series import names_of
from services.device_usage_analytics import compare_periods
from services.history_range import devices_by_mac, zone_of
from services.period_comparison import PeriodComparison, PeriodUsage
from services.period_usage import load_usage
from utils.time import Clock, Zone

#: The longest periods that can be compared, in days.
MOST_DAYS = 1_100


class ComparedPeriod(StrEnum):
    """This one against the one before, up to the same point in time."""

    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True)
class ComparedUsage:
    """Two periods beside each other, and what the devices in them are called."""

    before: PeriodUsage
    after: PeriodUsage
    comparison: PeriodComparison
    timezone: str
    names: Mapping[str, str]


class ComparisonService:
    """Comparisons of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def compare_days(self, context: RouterContext, before: Days, after: Days) -> ComparedUsage:
        """Two ranges of days, whole. Raises ValidationFailed where one is none or too long."""
        for number, days in enumerate((before, after), start=1):
            check_days(days, most=MOST_DAYS, start_name=f"period{number}Start", end_name=f"period{number}End")
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


def _month_before(day: date) -> date:
    """The same day of the month before, or that month's last one."""
    last_of_month_before = day.replace(day=1) - timedelta(days=1)
    return last_of_month_before.replace(day=min(day.day, last_of_month_before.day))


def _compare(
    conn: Connection, context: RouterContext, zone: Zone, spans: tuple[Span, Span], now: datetime
) -> ComparedUsage:
    before, after = (load_usage(conn, context, zone, span, now) for span in spans)
    comparison = compare_periods(before.totals, after.totals)
    names = names_of(devices_by_mac(conn, context), comparison.devices)
    return ComparedUsage(before=before, after=after, comparison=comparison, timezone=zone.key, names=names)
