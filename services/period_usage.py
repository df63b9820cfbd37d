"""What each device used in a span that may begin and end at any moment, and how much of it was observed."""

from collections.abc import Sequence
from datetime import datetime

from db_operations.device_usage_db import get_device_usage_history
from db_operations.readings_db import list_coverage
from db_operations.rollups_db import DAILY, HOURLY, list_totals
from db_operations.statements import Connection
from services.buckets import Span, covered_share, slot_of, spread
from services.context import RouterContext
from services.period_comparison import PeriodUsage
from utils.nlbwmon_parser import DeviceTotals
from utils.time import Zone


def load_usage(conn: Connection, context: RouterContext, zone: Zone, span: Span, now: datetime) -> PeriodUsage:
    """Usage by device in ``span``, which begins with a local day; of an hour that it cuts, its share of the time."""
    owner = (context.session_id, context.router_id)
    stretches = [Span(*stretch) for stretch in list_coverage(conn, *owner, start=span.start, end=span.end)]
    coverage = covered_share(span, stretches, now)
    last_day = zone.day_of(span.end)
    if zone.midnight(last_day) == span.end:
        _, totals = list_totals(conn, *owner, DAILY, start=zone.day_of(span.start), end=last_day)
        usage = {mac: DeviceTotals(down, up) for mac, down, up in totals}
    else:
        usage = _up_to_cut_hour(conn, context, zone, span, is_over=span.end < now)
    return PeriodUsage(start=span.start, end=span.end, totals=usage if usage or coverage else None, coverage=coverage)


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


def _up_to_cut_hour(
    conn: Connection, context: RouterContext, zone: Zone, span: Span, *, is_over: bool
) -> dict[str, DeviceTotals]:
    owner = (context.session_id, context.router_id)
    cut = slot_of(span.end, zone)
    # Whole days from the daily rollup, which is kept longer than the hours, then the last day's hours.
    today = zone.day_of(span.end)
    _, whole_days = list_totals(conn, *owner, DAILY, start=zone.day_of(span.start), end=today)
    _, hours = list_totals(conn, *owner, HOURLY, start=max(span.start, zone.midnight(today)), end=cut.start)
    usage = {mac: DeviceTotals(down, up) for mac, down, up in whole_days}
    rows = [(mac, down, up) for mac, down, up in hours]
    for mac, _, down, up in get_device_usage_history(conn, *owner, HOURLY, start=cut.start, end=cut.end):
        if is_over:
            part = [Span(cut.start, span.end)]
            (down,), (up,) = spread(down, cut, part), spread(up, cut, part)
        rows.append((mac, down, up))
    for mac, down, up in rows:
        whole = usage.get(mac, DeviceTotals(0, 0))
        usage[mac] = DeviceTotals(whole.bytes_down + down, whole.bytes_up + up)
    return usage
