"""A range of time as a history reads it: its buckets, how much of each was observed, and which rollup serves it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from db_operations import devices_db, events_db, readings_db, routers_db
from db_operations.device_usage_db import DeviceBucketRow
from db_operations.devices_db import DeviceRecord
from db_operations.events_db import QualitySpan
from db_operations.rollups_db import DAILY, HOURLY, BucketTotal, DeviceTotal, Rollup, largest_first
from db_operations.statements import Connection
from services.accounting.notes import NoteKind, Quality
from services.buckets import Bucket, Granularity, Span, covered_share
from services.context import RouterContext
from services.usage_quality import Doubt, Trust, judge
from utils.errors import RouterNotFound
from utils.time import Zone, parse_zone


class BucketUsage(NamedTuple):
    """Usage in one bucket, in bytes. None where nothing of it was observed."""

    bytes_down: int | None
    bytes_up: int | None


#: People are not punctual: a shorter time without a reading still tells of its hours, or of its days, if roughly.
LONGEST_TOLD_BY_HOURS, LONGEST_TOLD_BY_DAYS = timedelta(hours=4), timedelta(hours=36)
#: A day is still told where no more of it than this lies in a longer time. An hour that touches one is not.
_MOST_OF_A_DAY = 0.5

NOT_OBSERVED = BucketUsage(bytes_down=None, bytes_up=None)

#: Of a pair: half the time of calling the class, and the hours of many devices are tens of thousands.
_as_usage = partial(tuple.__new__, BucketUsage)

Row = tuple[date | datetime, int, int]


@dataclass(frozen=True, kw_only=True)
class HistoryRange:
    """A range of buckets and what is needed to read and fold its rollup."""

    zone: Zone
    rollup: Rollup
    start: date | datetime
    end: date | datetime
    span: Span
    buckets: Sequence[Bucket]
    coverages: Sequence[float]
    #: The same, but 0 where usage is an even share of that of a long time: how much it was just then nobody saw.
    told_coverages: Sequence[float]
    coverage: float
    #: How far each bucket's usage is to be trusted.
    trusts: Sequence[Trust]
    #: Where each bucket begins, in the rollup's own terms.
    firsts: Sequence[Any]

    def position_of(self, bucket: date | datetime) -> int:
        """Which bucket shows a rollup row: by its place in time, as the zone may have changed since."""
        return max(0, bisect_right(self.firsts, bucket) - 1)


def load_range(
    conn: Connection,
    context: RouterContext,
    zone: Zone,
    buckets: Sequence[Bucket],
    granularity: Granularity,
    now: datetime,
) -> HistoryRange:
    """``buckets`` with what is stored of how well they were observed."""
    owner = (context.session_id, context.router_id)
    span = Span(buckets[0].span.start, buckets[-1].span.end)
    stretches = [Span(*each) for each in readings_db.list_coverage(conn, *owner, start=span.start, end=span.end)]
    is_hourly = granularity is Granularity.HOUR
    qualities = events_db.list_qualities(conn, *owner, start=span.start, end=span.end)
    doubts = [
        Doubt(span=Span(doubt.start_at, doubt.end_at), quality=Quality(doubt.quality), reason=doubt.type)
        for doubt in qualities
        if not (is_hourly and doubt.type == NoteKind.BACKFILLED)  # an archive fills days, never hours
    ]
    coverages = [covered_share(bucket.span, stretches, now) for bucket in buckets]
    return HistoryRange(
        zone=zone,
        rollup=HOURLY if is_hourly else DAILY,
        start=span.start if is_hourly else buckets[0].first_day,
        end=span.end if is_hourly else buckets[-1].last_day + timedelta(days=1),
        span=span,
        buckets=buckets,
        coverages=coverages,
        told_coverages=_told_coverages(buckets, coverages, qualities, now, is_hourly=is_hourly),
        coverage=covered_share(span, stretches, now),
        trusts=judge([bucket.span for bucket in buckets], coverages, doubts),
        firsts=[bucket.span.start if is_hourly else bucket.first_day for bucket in buckets],
    )


def _told_coverages(
    buckets: Sequence[Bucket],
    coverages: Sequence[float],
    qualities: Iterable[QualitySpan],
    now: datetime,
    *,
    is_hourly: bool,
) -> Sequence[float]:
    longest = LONGEST_TOLD_BY_HOURS if is_hourly else LONGEST_TOLD_BY_DAYS
    untold = [
        Span(event.start_at, event.end_at)
        for event in qualities
        if event.type == NoteKind.LONG_INTERVAL and event.end_at - event.start_at > event.times * longest
    ]
    most = 0.0 if is_hourly else _MOST_OF_A_DAY
    return [
        0.0 if covered_share(bucket.span, untold, now) > most else coverage
        for bucket, coverage in zip(buckets, coverages, strict=True)
    ]


def zone_of(conn: Connection, context: RouterContext) -> Zone:
    """The zone of the router's days, UTC until it is known. Raises RouterNotFound."""
    router = routers_db.get_router(conn, context.session_id, context.router_id)
    if router is None:
        raise RouterNotFound
    return parse_zone(router.timezone or "UTC")


def devices_by_mac(conn: Connection, context: RouterContext) -> dict[str, DeviceRecord]:
    """Every known device of the router."""
    devices = devices_db.list_all_devices(conn, context.session_id, context.router_id)
    return {device.mac: device for device in devices}


def fold(wanted: HistoryRange, rows: Iterable[Row]) -> list[BucketUsage]:
    """Rollup rows added up into the range's buckets: 0 where one was observed, None where it was not."""
    downs: list[int | None] = [0 if share > 0 else None for share in wanted.coverages]
    ups = downs.copy()
    for bucket, down, up in rows:
        position = wanted.position_of(bucket)
        downs[position] = (downs[position] or 0) + down
        ups[position] = (ups[position] or 0) + up
    return list(map(_as_usage, zip(downs, ups, strict=True)))


def total_of(usage: Iterable[BucketUsage]) -> BucketUsage:
    """All buckets together; nothing where nothing of any was observed."""
    known = [bucket for bucket in usage if bucket != NOT_OBSERVED]
    if not known:
        return NOT_OBSERVED
    return BucketUsage(sum(bucket.bytes_down or 0 for bucket in known), sum(bucket.bytes_up or 0 for bucket in known))


def totals_of(rows: Sequence[DeviceBucketRow]) -> tuple[list[BucketTotal], list[DeviceTotal]]:
    """What `rollups_db.list_totals` answers, from rows that are here already."""
    buckets: dict[Any, list[int]] = {}
    devices: dict[str, list[int]] = {}
    for mac, bucket, down, up in rows:
        for cell in (buckets.setdefault(bucket, [0, 0]), devices.setdefault(mac, [0, 0])):
            cell[0] += down
            cell[1] += up
    return (
        [BucketTotal(bucket, *cell) for bucket, cell in sorted(buckets.items())],
        sorted((DeviceTotal(mac, *cell) for mac, cell in devices.items()), key=largest_first),
    )
