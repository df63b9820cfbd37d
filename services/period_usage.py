"""What each device used in a span that may begin and end at any moment, and how much of it was observed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from db_operations.device_usage_db import get_device_usage_history
from db_operations.events_db import list_qualities
from db_operations.protocols_db import list_device_protocol_totals
from db_operations.readings_db import list_coverage
from db_operations.rollups_db import DAILY, HOURLY, list_totals
from db_operations.statements import Connection
from services.accounting.counters import NOTHING, plus
from services.accounting.notes import Quality
from services.analytics.period_comparison import Extent, PeriodUsage
from services.buckets import Span, covered_share, slot_of, spread
from services.context import RouterContext
from services.usage_quality import Doubt, judge
from utils.nlbwmon_parser import DeviceTotals
from utils.time import Zone


def load_both(
    conn: Connection, context: RouterContext, zone: Zone, spans: tuple[Span, Span], now: datetime, patience: timedelta
) -> tuple[PeriodUsage, PeriodUsage]:
    """Usage by device and protocol in two spans that are to be compared.

    Protocols are kept by day. Where a span ends in a day that went on, how much of a protocol was used by then is not
    known; the protocols of both are then told of whole days alone, so that like is held against like.
    ``patience``: so long without a reading is no gap. In a transaction that reads one moment, for all of it to agree.
    """
    is_cut = any(_begin_of_last_day(zone, span) < span.end < now for span in spans)
    before, after = (
        load_usage(conn, context, zone, span, now, patience=patience, has_whole_days_alone=is_cut) for span in spans
    )
    return before, after


def load_usage(
    conn: Connection,
    context: RouterContext,
    zone: Zone,
    span: Span,
    now: datetime,
    *,
    patience: timedelta = timedelta(0),
    has_whole_days_alone: bool = False,
) -> PeriodUsage:
    """Usage by device in ``span``, which begins with a local day; of an hour that it cuts, its share of the time.

    By protocol too, but for a last day that went on after the span; with ``has_whole_days_alone`` also but for today.
    """
    owner = (context.session_id, context.router_id)
    stretches = [Span(*stretch) for stretch in list_coverage(conn, *owner, start=span.start, end=span.end)]
    coverage = covered_share(span, stretches, now)
    doubts = [
        Doubt(span=Span(doubt.start_at, doubt.end_at), quality=Quality(doubt.quality), reason=doubt.type)
        for doubt in list_qualities(conn, *owner, start=span.start, end=span.end)
    ]
    (trust,) = judge([span], [coverage], doubts)
    begin_of_last_day = _begin_of_last_day(zone, span)
    is_part_of_day = begin_of_last_day < span.end and (span.end < now or has_whole_days_alone)
    first, end = zone.day_of(span.start), zone.day_of(span.end)
    if begin_of_last_day < span.end and not is_part_of_day:
        end += timedelta(days=1)  # of today there is no more than up to now
    _, days = list_totals(conn, *owner, DAILY, start=first, end=end)
    protocols: dict[str, dict[str, DeviceTotals]] = {}
    for mac, name, down, up in list_device_protocol_totals(conn, *owner, start=first, end=end):
        protocols.setdefault(mac, {})[name] = DeviceTotals(down, up)
    part_of_day = _part_of_day(conn, context, zone, span, now) if is_part_of_day else {}
    totals = {mac: DeviceTotals(down, up) for mac, down, up in days}
    for mac, part in part_of_day.items():
        totals[mac] = DeviceTotals(*plus(totals.get(mac, NOTHING), part))
    return PeriodUsage(
        start=span.start,
        end=span.end,
        totals=totals if totals or coverage else None,
        coverage=coverage,
        extent=_extent(begin_of_last_day, span, now),
        trust=trust,
        protocols=protocols,
        protocols_end=begin_of_last_day if is_part_of_day else span.end,
        part_of_day=part_of_day,
        patience=patience,
    )


def _begin_of_last_day(zone: Zone, span: Span) -> datetime:
    """The last midnight in ``span``; its end, if that is one."""
    return zone.midnight(zone.day_of(span.end))


def _extent(begin_of_last_day: datetime, span: Span, now: datetime) -> Extent:
    if begin_of_last_day == span.end:
        return Extent.WHOLE
    return Extent.SAME_POINT if span.end < now else Extent.RUNNING


def gaps_in(span: Span, stretches: Sequence[Span]) -> list[Span]:
    """What of ``span`` lies in no stretch, in order. ``stretches`` are in order and don't overlap. Pure."""
    gaps = []
    seen_to = span.start
    for start, end in stretches:
        if start > seen_to:
            gaps.append(Span(seen_to, min(start, span.end)))
        seen_to = max(seen_to, end)
    if seen_to < span.end:
        gaps.append(Span(seen_to, span.end))
    return gaps


def _part_of_day(
    conn: Connection, context: RouterContext, zone: Zone, span: Span, now: datetime
) -> dict[str, DeviceTotals]:
    """What was used in the day that ``span`` ends in, up to its end."""
    owner = (context.session_id, context.router_id)
    today = zone.day_of(span.end)
    if span.end >= now:  # all there is of it
        rows = get_device_usage_history(conn, *owner, DAILY, start=today, end=today + timedelta(days=1))
        return {mac: DeviceTotals(down, up) for mac, _, down, up in rows}
    cut = slot_of(span.end, zone)
    _, hours = list_totals(conn, *owner, HOURLY, start=zone.midnight(today), end=cut.start)
    usage = {mac: DeviceTotals(down, up) for mac, down, up in hours}
    for mac, _, down, up in get_device_usage_history(conn, *owner, HOURLY, start=cut.start, end=cut.end):
        part = [Span(cut.start, span.end)]
        (down,), (up,) = spread(down, cut, part), spread(up, cut, part)
        usage[mac] = DeviceTotals(*plus(usage.get(mac, NOTHING), (down, up)))
    return usage
