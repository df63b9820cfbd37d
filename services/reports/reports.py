"""Reports on a period for people: everything in them is gathered here, and nothing is stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from db_operations import routers_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.readings_db import list_coverage
from db_operations.rollups_db import HOURLY, BucketTotal, DeviceTotal, list_totals
from db_operations.statements import Connection, read_one_moment
from services.analytics.period_comparison import PeriodUsage
from services.analytics.unusual_usage import Anomaly, Sensitivity
from services.anomalies import MOST_DAYS_SEARCHED, AnomalyService
from services.buckets import Bucket, Granularity, Span, buckets_between
from services.context import RouterContext
from services.device_series import unranked
from services.device_usage_analytics import UsageReport, generate_usage_reports
from services.device_usage_service import display_name
from services.history_range import BucketUsage, HistoryRange, devices_by_mac, fold, load_range
from services.people import Person, group_by_person
from services.period_usage import gaps_in, load_both
from services.reports.report_period import ReportedDays, ReportPeriod, ReportRequest, reported_days
from services.usage_quality import Trust, overall
from utils.errors import RouterNotFound
from utils.time import Clock, Zone, parse_zone

#: A typical day is told from at least this many days, and hours are looked at for at most so many.
LEAST_TYPICAL_DAYS = 3
MOST_TYPICAL_DAYS = 62

#: An hour, observed less of the time than this, says nothing of a typical day.
_TELLING = 0.5


@dataclass(frozen=True, kw_only=True)
class ChartedUsage:
    """All devices together in one bucket of a report's chart."""

    bucket: Bucket
    #: None where nothing was observed.
    usage: BucketUsage
    coverage: float
    trust: Trust


@dataclass(frozen=True, kw_only=True)
class PeriodReport:
    """A period of one router, told for people."""

    period: ReportPeriod
    days: ReportedDays
    zone: Zone
    router_name: str
    made_at: datetime
    #: Totals, comparison, the devices that used most, unusual hours, the most important in sentences.
    told: UsageReport
    #: Those who used most first, nobody among them; empty where no device is anybody's.
    people: Sequence[Person]
    trust: Trust
    granularity: Granularity
    chart: Sequence[ChartedUsage]
    #: Bytes in each local hour of a day, as they are on average; None where that hour was never observed. Empty where
    #: there are too few days, or too many.
    typical_day: Sequence[int | None]
    #: What nobody observed, in order.
    gaps: Sequence[Span]
    #: What the devices in it are called, by MAC.
    names: Mapping[str, str]
    #: The router's own MACs.
    router_macs: Collection[str]


class UsageReportService:
    """Reports on one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, anomalies: AnomalyService, clock: Clock) -> None:
        self._database = database
        self._anomalies = anomalies
        self._clock = clock

    def make(self, context: RouterContext, request: ReportRequest) -> PeriodReport:
        """The report on the days that ``request`` means. Raises ValidationFailed, RouterNotFound."""
        owner = (context.session_id, context.router_id)
        now = self._clock()
        with self._database.transaction() as conn:
            read_one_moment(conn)
            router = routers_db.get_router(conn, *owner)
            if router is None:
                raise RouterNotFound
            zone = parse_zone(router.timezone or "UTC")
            days = reported_days(request, zone, now)
            records = devices_by_mac(conn, context)
            patience = 2 * timedelta(minutes=router.collect_interval_minutes)
            previous, usage = load_both(conn, context, zone, (days.previous, days.span), now, patience)
            charted, totals = _load_chart(conn, context, zone, days, now)
            typical_day = _load_typical_day(conn, context, zone, days, now)
            stretches = [Span(*each) for each in list_coverage(conn, *owner, start=days.span.start, end=days.span.end)]
        anomalies = self._find_anomalies(context, days) if usage.totals else []
        macs = {*(usage.totals or {}), *(previous.totals or {}), *(mac for mac, _ in anomalies)}
        names = {mac: display_name(mac, records.get(mac)) for mac in macs}
        return PeriodReport(
            period=request.period,
            days=days,
            zone=zone,
            router_name=router.name,
            made_at=now,
            told=generate_usage_reports(
                usage,
                previous,
                anomalies,
                names,
                first_seen={mac: record.first_seen for mac, record in records.items()},
                unranked=unranked(records),
            ),
            router_macs={mac for mac, record in records.items() if record.is_router},
            people=_people(usage, records),
            trust=overall(charted.trusts),
            granularity=days.granularity,
            chart=[
                ChartedUsage(bucket=bucket, usage=used, coverage=coverage, trust=trust)
                for bucket, used, coverage, trust in zip(
                    charted.buckets, fold(charted, totals), charted.coverages, charted.trusts, strict=True
                )
            ],
            typical_day=typical_day,
            # The next reading is no gap yet.
            gaps=[gap for gap in gaps_in(days.span, stretches) if gap.end < now or gap.end - gap.start > patience],
            names=names,
        )

    def _find_anomalies(self, context: RouterContext, days: ReportedDays) -> list[tuple[str, Anomaly]]:
        """Of as many days as can be searched at a time, until all are."""
        found: list[tuple[str, Anomaly]] = []
        first = days.days.first
        while first <= days.days.last:
            last = min(days.days.last, first + timedelta(days=MOST_DAYS_SEARCHED - 1))
            found += self._anomalies.find(context, first, last, Sensitivity.MEDIUM).anomalies
            first = last + timedelta(days=1)
        return found


def _people(usage: PeriodUsage, records: Mapping[str, DeviceRecord]) -> list[Person]:
    totals = [DeviceTotal(mac, *used) for mac, used in (usage.totals or {}).items()]
    people = [person for person in group_by_person(totals, records) if person.bytes_down or person.bytes_up]
    return people if any(not person.is_nobody for person in people) else []


def _load_chart(
    conn: Connection, context: RouterContext, zone: Zone, days: ReportedDays, now: datetime
) -> tuple[HistoryRange, list[BucketTotal]]:
    buckets = buckets_between(days.days.first, days.days.last, days.granularity, zone)
    charted = load_range(conn, context, zone, buckets, days.granularity, now)
    totals, _ = list_totals(
        conn, context.session_id, context.router_id, charted.rollup, start=charted.start, end=charted.end
    )
    return charted, totals


def _load_typical_day(
    conn: Connection, context: RouterContext, zone: Zone, days: ReportedDays, now: datetime
) -> list[int | None]:
    """24 averages, over the hours that are over and were observed."""
    if not LEAST_TYPICAL_DAYS <= days.count <= MOST_TYPICAL_DAYS:
        return []
    buckets = buckets_between(days.days.first, days.days.last, Granularity.HOUR, zone)
    hours = load_range(conn, context, zone, buckets, Granularity.HOUR, now)
    totals, _ = list_totals(conn, context.session_id, context.router_id, HOURLY, start=hours.start, end=hours.end)
    by_hour: list[dict[date, int]] = [{} for _ in range(24)]
    for bucket, used, share in zip(hours.buckets, fold(hours, totals), hours.told_coverages, strict=True):
        if used.bytes_down is not None and used.bytes_up is not None and share >= _TELLING and bucket.span.end <= now:
            cell = by_hour[bucket.span.start.astimezone(zone.tz).hour]  # may be cut in two, or come twice in autumn
            cell[bucket.first_day] = cell.get(bucket.first_day, 0) + used.bytes_down + used.bytes_up
    return [sum(cell.values()) // len(cell) if cell else None for cell in by_hour]
