"""Usage between two readings as the accounting gives it: parts, each with its span and how far it is to be trusted.

Pure. Made by `account`, stored by services/readings/reading_store.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.accounting.counters import NOTHING, Counters, RowKey, Table, plus
from services.accounting.notes import RANK, Note, NoteKind, Quality
from services.buckets import Span


@dataclass(frozen=True, kw_only=True)
class PassedPeriod:
    """An accounting period that ended between two readings, and when it was in between them, by server time."""

    start: date
    span: Span
    #: When the period itself began, where that is told.
    began: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class UsagePart:
    """Usage of one span of time."""

    #: Usage of each row that has any, in bytes.
    rows: Mapping[RowKey, Counters]
    span: Span
    quality: Quality = Quality.MEASURED
    #: Why it is not simply measured.
    reason: NoteKind | None = None

    def tagged(self, noted: Iterable[Note]) -> "UsagePart":
        """The part with the worst that any note says of its time, and why."""
        part = self
        for note in noted:
            is_touched = note.start < part.span.end and note.end > part.span.start
            if note.quality is not None and is_touched and RANK[note.quality] > RANK[part.quality]:
                part = replace(part, quality=note.quality, reason=note.kind)
        return part


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What was used between two readings."""

    #: In order of time. None at a first reading: nothing is known of any hour before it.
    parts: Sequence[UsagePart]
    #: Spans of which a part was not seen; in order, apart from each other.
    gaps: Sequence[Span] = ()
    notes: Sequence[Note] = ()
    #: The period that the reading's counters belong to. Just after midnight it can be the one before: the daemon
    #: rolls over up to one refresh interval late.
    period_start: date
    #: What the next step needs to know of this one; see `Reading`.
    unchanged_since: datetime
    unchanged_readings: int = 0
    #: So many that nobody counts any more.
    is_frozen: bool = False
    doubted: frozenset[date] = frozenset()
    #: Periods that ended, by their first day, whose files are their archives.
    archived: frozenset[date] = frozenset()
    quarantined: Mapping[RowKey, Counters] = field(default_factory=dict)

    @property
    def rows(self) -> dict[RowKey, Counters]:
        """Usage of each row over all parts, in bytes."""
        return added(part.rows for part in self.parts)

    def by_device(self) -> dict[str, Counters]:
        """Bytes down and up per MAC, over all parts."""
        return by_device(part.rows for part in self.parts)


def by_device(tables: Iterable[Table]) -> dict[str, Counters]:
    """Bytes down and up per MAC."""
    sums: dict[str, Counters] = {}
    for table in tables:
        for key, (down, up) in table.items():
            old_down, old_up = sums.get(key[3], NOTHING)
            sums[key[3]] = (old_down + down, old_up + up)
    return sums


def added(tables: Iterable[Table]) -> dict[RowKey, Counters]:
    """Each row over all of ``tables``."""
    sums: dict[RowKey, Counters] = {}
    for table in tables:
        for key, counters in table.items():
            sums[key] = plus(sums[key], counters) if key in sums else counters
    return sums


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans in order, those that touch each other as one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)
