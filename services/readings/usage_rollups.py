"""Usage as the rollups take it: by hour and by local day. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from db_operations.rollups_db import RollupRow
from services.accounting.counters import NOTHING, Counters, plus
from services.accounting.usage import UsagePart, by_device
from services.buckets import HOUR, Span, slots_between, spread
from utils.time import Zone

#: So many rows of the hourly rollup are written at once: a year away is millions of them.
_ROWS_AT_ONCE = 20_000

#: Usage over more than this is much to write: in seconds how long that may take in any case, and how many rows of the
#: hourly rollup even a slow machine writes in one, what belongs to them in others included.
_LONG = timedelta(days=7)
_LEAST_PATIENCE_S = 300.0
_ROWS_A_SECOND = 2_000


class RollupBatch(NamedTuple):
    """Some devices' usage; none of them is in another batch."""

    hourly: Sequence[RollupRow]
    daily: Sequence[RollupRow]


class _CutPart(NamedTuple):
    """A part with the slots it lies in, the local day of each, and what each device used in it."""

    span: Span
    slots: Sequence[Span]
    days: Sequence[date]
    used: dict[str, Counters]


def patience_s(parts: Sequence[UsagePart]) -> float | None:
    """Seconds that writing the usage may take where it is that of weeks, which is spread over each hour of each device;
    else None: no longer than anything.
    """
    lengths = [part.span.end - part.span.start for part in parts]
    if sum(lengths, timedelta()) <= _LONG:
        return None
    rows = sum(
        len({key[3] for key in part.rows}) * (length // HOUR) for part, length in zip(parts, lengths, strict=True)
    )
    return _LEAST_PATIENCE_S + rows / _ROWS_A_SECOND


def rollup_batches(parts: Sequence[UsagePart], ignored: set[str], zone: Zone) -> Iterator[RollupBatch]:
    """The usage of all parts by slot and by local day. Nearly always it is one part that lies in one slot."""
    cuts = [_cut(part, ignored, zone) for part in parts]
    if len(cuts) == 1 and len(cuts[0].slots) == 1:
        slot, day, used = cuts[0].slots[0], cuts[0].days[0], cuts[0].used
        yield RollupBatch(
            [RollupRow(mac, slot.start, down, up) for mac, (down, up) in used.items()],
            [RollupRow(mac, day, down, up) for mac, (down, up) in used.items()],
        )
        return
    macs = sorted({mac for cut in cuts for mac in cut.used})
    at_once = max(1, _ROWS_AT_ONCE // sum(len(cut.slots) for cut in cuts)) if cuts else 1
    for first in range(0, len(macs), at_once):
        yield _spread_over(cuts, macs[first : first + at_once])


def _cut(part: UsagePart, ignored: set[str], zone: Zone) -> _CutPart:
    slots = list(slots_between(part.span.start, part.span.end, zone))
    used = {mac: counters for mac, counters in by_device([part.rows]).items() if mac not in ignored}
    return _CutPart(part.span, slots, [zone.day_of(slot.start) for slot in slots], used)


def _spread_over(cuts: Sequence[_CutPart], macs: Sequence[str]) -> RollupBatch:
    hourly: dict[tuple[str, datetime], Counters] = {}
    daily: dict[tuple[str, date], Counters] = {}
    for cut in cuts:
        for mac in macs:
            down, up = cut.used.get(mac, NOTHING)
            shares = zip(spread(down, cut.span, cut.slots), spread(up, cut.span, cut.slots), strict=True)
            for slot, day, share in zip(cut.slots, cut.days, shares, strict=True):
                if any(share):
                    hourly[mac, slot.start] = plus(hourly.get((mac, slot.start), NOTHING), share)
                    daily[mac, day] = plus(daily.get((mac, day), NOTHING), share)
    return RollupBatch(
        [RollupRow(mac, start, down, up) for (mac, start), (down, up) in hourly.items()],
        [RollupRow(mac, day, down, up) for (mac, day), (down, up) in daily.items()],
    )
