"""Periods of a router's usage beside each other: what is stored of both, and what `period_comparison` says of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from db_operations import routers_db
from db_operations.database import Database
from db_operations.statements import read_one_moment
from services.analytics.change_words import ComparisonWarning, told_change, warnings_of
from services.analytics.period_comparison import PeriodComparison, PeriodUsage
from services.asked_periods import AskedPeriod, spans_to_compare
from services.context import RouterContext
from services.device_series import names_of, unranked
from services.device_usage_analytics import compare_periods
from services.history_range import devices_by_mac
from services.period_usage import load_both
from utils.errors import RouterNotFound
from utils.time import Clock, parse_zone


@dataclass(frozen=True, kw_only=True)
class ComparedUsage:
    """Two periods beside each other, in numbers and words, and what the devices in them are called."""

    before: PeriodUsage
    after: PeriodUsage
    comparison: PeriodComparison
    timezone: str
    names: Mapping[str, str]
    #: The router's own: in the totals, but it neither comes nor goes.
    router_macs: Collection[str]
    #: The change in a sentence.
    message: str
    warnings: Sequence[ComparisonWarning]


class ComparisonService:
    """Comparisons of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def compare(self, context: RouterContext, first: AskedPeriod, second: AskedPeriod) -> ComparedUsage:
        """``second`` held against ``first``. Raises RouterNotFound, ValidationFailed where one has not begun."""
        with self._database.transaction() as conn:
            read_one_moment(conn)
            router = routers_db.get_router(conn, context.session_id, context.router_id)
            if router is None:
                raise RouterNotFound
            zone, now = parse_zone(router.timezone or "UTC"), self._clock()
            compared = spans_to_compare((first, second), zone, now)
            patience = 2 * timedelta(minutes=router.collect_interval_minutes)
            before, after = load_both(conn, context, zone, compared.spans, now, patience)
            records = devices_by_mac(conn, context)
        first_seen = {mac: one.first_seen for mac, one in records.items()}
        comparison = compare_periods(before, after, first_seen=first_seen, unranked=unranked(records))
        names = names_of(records, comparison.devices)
        return ComparedUsage(
            before=before,
            after=after,
            comparison=comparison,
            timezone=zone.key,
            names=names,
            router_macs={mac for mac, one in records.items() if one.is_router},
            message=told_change(comparison, names, compared.base),
            warnings=list(warnings_of(before, after)),
        )
