"""Usage as the rollup by protocol takes it: by device, local day, layer-7 protocol and address family. Pure.

A device's day is what `usage_rollups` makes of it; here it is told apart. Whatever the time that usage lies in, and
however few its bytes: the protocols of a day add up to the day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import NamedTuple

from db_operations.protocols_db import MAX_NAME_LENGTH, OTHER, ProtocolRow
from services.accounting.counters import RowKey
from services.accounting.usage import UsagePart
from services.buckets import MICROSECOND, Bucket, Granularity, buckets_between, spread
from utils.nlbwmon_parser import CounterRow
from utils.time import Zone

#: Names of one reading; traffic of further ones is `OTHER`. nlbwmon's own list has some forty.
MOST_NAMES = 256

#: Transport protocol and port -> layer-7 protocol, as nlbwmon names it.
ProtocolNames = Mapping[tuple[str, int], str]

#: So many rows are written at once, or a few more: a device is never cut.
_ROWS_AT_ONCE = 20_000

#: Bytes down and up over IPv4, then over IPv6.
_FamilyBytes = list[int]


class _CutPart(NamedTuple):
    """A part with the local days it lies in, and what each device used in it by protocol."""

    part: UsagePart
    days: Sequence[Bucket]
    used: dict[str, dict[str, _FamilyBytes]]


def protocol_names(tables: Iterable[Iterable[CounterRow]]) -> dict[tuple[str, int], str]:
    """What a router's tables call each protocol and port: the first 256 names. It is the same in each row of both."""
    names = {(row.proto, row.port): row.layer7[:MAX_NAME_LENGTH] for rows in tables for row in rows if row.layer7}
    kept = set(islice(dict.fromkeys(names.values()), MOST_NAMES))
    return {known: name for known, name in names.items() if name in kept}


def protocol_batches(
    parts: Sequence[UsagePart], ignored: set[str], zone: Zone, names: ProtocolNames
) -> Iterator[list[ProtocolRow]]:
    """The usage of all parts by local day and protocol; no device is in two batches. Nearly always it is one part that
    lies in one day."""
    cuts = [cut for part in parts if (cut := _cut(part, ignored, zone, names)).used]
    if len(cuts) == 1 and len(cuts[0].days) == 1:
        day, used = cuts[0].days[0].first_day, cuts[0].used
        yield [ProtocolRow(mac, day, name, *cell) for mac, cells in used.items() for name, cell in cells.items()]
        return
    batch: list[ProtocolRow] = []
    for mac in sorted({mac for cut in cuts for mac in cut.used}):
        batch += _rows_of(mac, [cut for cut in cuts if mac in cut.used])
        if len(batch) >= _ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _cut(part: UsagePart, ignored: set[str], zone: Zone, names: ProtocolNames) -> _CutPart:
    first, last = zone.day_of(part.span.start), zone.day_of(part.span.end - MICROSECOND)
    days = buckets_between(first, last, Granularity.DAY, zone)
    return _CutPart(part, days, _by_protocol(part.rows, ignored, names))


def _by_protocol(
    rows: Mapping[RowKey, tuple[int, int]], ignored: set[str], names: ProtocolNames
) -> dict[str, dict[str, _FamilyBytes]]:
    sums: dict[str, dict[str, _FamilyBytes]] = {}
    for (family, proto, port, mac, _), (down, up) in rows.items():
        if mac in ignored:
            continue
        cell = sums.setdefault(mac, {}).setdefault(names.get((proto, port), OTHER), [0, 0, 0, 0])
        first = 2 if family == 6 else 0
        cell[first] += down
        cell[first + 1] += up
    return sums


def _rows_of(mac: str, cuts: Sequence[_CutPart]) -> list[ProtocolRow]:
    """One device's rows."""
    sums: dict[tuple[date, str], _FamilyBytes] = {}
    for cut in cuts:
        for day, name, shares in _spread_over_days(cut, cut.used[mac]):
            if any(shares):
                cell = sums.setdefault((day, name), [0, 0, 0, 0])
                cell[:] = map(sum, zip(cell, shares, strict=True))
    return [ProtocolRow(mac, day, name, *cell) for (day, name), cell in sums.items()]


def _spread_over_days(
    cut: _CutPart, used: Mapping[str, _FamilyBytes]
) -> Iterator[tuple[date, str, tuple[int, int, int, int]]]:
    """What the device used on each day, as the daily rollup has it, in proportion to what is left of each counter."""
    spans = [day.span for day in cut.days]
    # Four counters a protocol: down and up are spread each by itself, as the device's are.
    left_down = [cell[family] for cell in used.values() for family in (0, 2)]
    left_up = [cell[family] for cell in used.values() for family in (1, 3)]
    downs, ups = spread(sum(left_down), cut.part.span, spans), spread(sum(left_up), cut.part.span, spans)
    for day, down, up in zip(cut.days, downs, ups, strict=True):
        of_down, of_up = apportion(down, left_down), apportion(up, left_up)
        left_down = [left - share for left, share in zip(left_down, of_down, strict=True)]
        left_up = [left - share for left, share in zip(left_up, of_up, strict=True)]
        for position, name in enumerate(used):
            ipv4, ipv6 = 2 * position, 2 * position + 1
            yield day.first_day, name, (of_down[ipv4], of_up[ipv4], of_down[ipv6], of_up[ipv6])


def apportion(amount: int, among: Sequence[int]) -> list[int]:
    """``amount`` bytes among some that have so many: whole bytes, none more than it has, and they add up to it exactly.

    ``amount`` is no more than all of them have together. Each gets the difference of two floors of the running total,
    as in `buckets.spread`.
    """
    total = sum(among)
    if amount == total:
        return list(among)
    shares = []
    reached = given = 0
    for one in among:
        reached += one
        up_to = amount * reached // total
        shares.append(up_to - given)
        given = up_to
    return shares
