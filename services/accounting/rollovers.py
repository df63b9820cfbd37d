"""Usage over the end of one or more accounting periods: (final value of the old period - last reading) + whole periods
in between + the new period so far. Pure.

nlbwmon looks at the date once a refresh interval. Where it or its router stopped before it had looked, the old period's
table was saved by the new period's name, and counts on: a table that was carried over so counts only above the old one.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from services.accounting import notes, old_copies
from services.accounting.counters import (
    NOTHING,
    Counters,
    RowKey,
    Table,
    gain,
    goes_on_from,
    has_unmoved,
    is_at_least,
    may_go_on_from,
    most_of,
)
from services.accounting.doubted_names import is_written_before, rolled_over_at, was_archived
from services.accounting.notes import Note
from services.accounting.reading_step import GatheredUsage, ReadingStep
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, Restart, is_taken_up, may_have_forgotten_rows
from services.accounting.usage import PassedPeriod
from services.buckets import Span


class RolledOver(NamedTuple):
    """What is told of the periods that ended, by their first days."""

    #: Those whose files are their archives, and those whose archives were written where they ended.
    archived: frozenset[date]
    in_good_order: frozenset[date]


class _Carried(StrEnum):
    """Whether a table is the one of the period before, counting on."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


def account_rollover(step: ReadingStep, gathered: GatheredUsage) -> RolledOver:
    """Put together what was used from the last reading to this one, over all periods that ended in between."""
    passed = rolled_over_at(step)
    first = step.previous.period_start
    if all(period.start != first for period in passed):  # its end can't be told
        passed.insert(0, PassedPeriod(start=first, span=Span(step.since, step.now)))
    rollover = _Rollover(step, gathered)
    for period in passed:
        rollover.end(period)
    rollover.begin()
    if step.restart is Restart.ROUTER:
        gathered.notes.append(notes.booted_with_doubtful_clock(_until_clock_was_right(step, passed)))
    return RolledOver(frozenset(rollover.archived), frozenset(rollover.in_good_order))


class _Rollover:
    """Period by period."""

    def __init__(self, step: ReadingStep, gathered: GatheredUsage) -> None:
        self._step = step
        self._gathered = gathered
        #: The table that may be carried over, as it was seen last; what was counted of it, and up to when.
        self._table: Table = step.old
        self._counted: Table = step.old
        self._since = step.since
        self._ended = step.since
        self._last = step.previous.period_start
        #: Whether the last period ended in good order, or the router doesn't tell when it wrote that archive: then only
        #: a commit by the new period's name may have carried the table over.
        self._is_cut = False
        #: What is unknown unless the next table is the same one.
        self._pending: list[Note] = []
        #: The same of periods without an archive, which are told in one: there may be hundreds. By their first days.
        self._missing: dict[date, Span] = {}
        self.archived: set[date] = set()
        self.in_good_order: set[date] = set()

    def end(self, period: PassedPeriod) -> None:
        """Count what the archive of a period that ended holds."""
        step = self._step
        ended = span = self._gathered.clipped(period.span)
        looked = self._gathered.clipped(Span(span.start, span.end + timedelta(seconds=step.files.refresh_interval_s)))
        archive = step.tables.get(period.start)
        is_in_order = was_archived(step, period)
        self._gathered.notes.append(notes.rollover(span.end, period.start))
        if archive is None:
            ended = looked
            self._missing[period.start] = looked
        elif is_written_before(step, period):
            if step.restarted_at < span.end:  # else nothing ran in it, and the gap before the restart says so
                self._pending.append(notes.archive_overwritten(span, period.start))
        else:
            self._count_archive(period, archive, span, is_in_order=is_in_order)
            if is_in_order is False and step.restarted_at < span.end:
                ended = looked
                self._pending.append(notes.archive_overwritten(Span(self._since, looked.end), period.start))
        self._ended = max(self._ended, ended.end)
        self._last = period.start
        self._is_cut = is_in_order is not False and archive is not None
        if is_in_order:
            self.in_good_order |= {period.start}

    def begin(self) -> None:
        """Count what the running period has."""
        rows = self._rows_of(self._step.new, self._is_carried_into_running())
        self._gathered.add(rows, Span(self._since, self._step.now))
        if self._step.current.is_full:
            self._gathered.notes.append(notes.rows_evicted(Span(self._since, self._step.now), 0))

    def _count_archive(self, period: PassedPeriod, archive: Table, span: Span, *, is_in_order: bool | None) -> None:
        start = period.start
        if start == self._step.previous.period_start:
            self._counted = self._counted_of(archive, span, period.began)
            rows = self._tail(archive, span)
        else:
            is_old_copy = old_copies.is_taken_up(self._step, self._last, archive, archive)
            rows = self._rows_of(archive, _Carried.PERHAPS if is_old_copy else self._is_carried(archive))
        end, written = span.end, self._step.written_at(start)
        if not is_in_order and written is not None:
            end = min(max(self._since, written), end)
        self._gathered.add(rows, Span(self._since, end), partial(notes.archive_recovered, period_start=start))
        if self._step.would_be_full(archive):
            self._gathered.notes.append(notes.rows_evicted(span, 0))
        self._since = end
        self._table, self._counted = archive, most_of([self._counted, archive])
        self.archived |= {start}

    def _rows_of(self, table: Table, carried: _Carried) -> dict[RowKey, Counters]:
        """What of a table wasn't counted yet."""
        if carried is not _Carried.YES:
            for note in self._pending:
                self._gathered.add_gap(note)
            if spans := list(self._missing.values()):
                gap = Span(spans[0].start, max(span.end for span in spans))
                self._gathered.add_gap(notes.archives_missing(gap, list(self._missing)))
            self._since = max(self._since, self._ended)
        self._pending.clear()
        self._missing.clear()
        if carried is _Carried.NO:
            self._counted = {}
            return dict(table)
        if self._has_lost_rows(table):
            self._counted = most_of([self._counted, self._step.old])
        if self._last not in self.in_good_order:
            self.archived -= {self._last}  # it is only a commit
        if carried is _Carried.PERHAPS or self._step.restart is Restart.NONE:
            self._gathered.notes.append(notes.carried_over(Span(self._since, self._step.now)))
        # A row that a full table had forgotten can be back with what it was counted for.
        has_forgotten = self._step.would_be_full(table, self._counted)
        return {
            key: gain(counters, self._counted.get(key, NOTHING))
            for key, counters in table.items()
            if key in self._counted or not has_forgotten
        }

    def _is_carried(self, table: Table, *, unless_cut: bool = True) -> _Carried:
        before = self._table
        is_running_on = self._step.restart is Restart.NONE
        if is_running_on and self._last in self.in_good_order:
            return _Carried.NO
        if goes_on_from(table, before):
            return _Carried.YES
        if self._has_lost_rows(table):
            return _Carried.PERHAPS
        if not before or is_running_on or (unless_cut and self._is_cut):
            return _Carried.NO
        if may_go_on_from(table, before):
            return _Carried.PERHAPS
        # Of a full one, rows were overwritten since.
        is_full = self._step.would_be_full(table, before)
        return _Carried.PERHAPS if is_full and has_unmoved(table, before) else _Carried.NO

    def _has_lost_rows(self, table: Table) -> bool:
        """Whether the table has a row that was read and that the archive of that reading's period lacks: by a clock
        that was wrong meanwhile, it was saved elsewhere.
        """
        step = self._step
        archive = step.tables.get(step.previous.period_start, {})
        lost = {key: read for key, read in step.old.items() if not is_at_least(archive.get(key, NOTHING), read)}
        return step.has_restarted and has_unmoved(table, lost)

    def _is_carried_into_running(self) -> _Carried:
        """The running period's own file tells, unless it was written since. After a boot, there is no other way."""
        step, start = self._step, self._step.current.period_start
        tolerance = timedelta(seconds=FILE_TIME_TOLERANCE_S)
        file, written = step.tables.get(start), step.written_at(start)
        saved = file if file is not None and may_go_on_from(step.new, file) else step.new
        if any(old_copies.is_taken_up(step, self._last, table, table) for table in (step.new, saved)):
            return _Carried.PERHAPS
        if file is None or not is_taken_up(step.current, file):
            if step.is_first_daemon and not self._has_lost_rows(step.new):
                return _Carried.NO
            return self._is_carried(step.new)
        if written is not None and written > step.restarted_at + tolerance:
            return self._is_carried(step.new, unless_cut=False)
        if self._is_cut:
            is_of_old_table = written is not None and written < self._ended - tolerance
            return _Carried.YES if is_of_old_table else _Carried.NO
        return self._is_carried(file)

    def _counted_of(self, archive: Table, span: Span, began: datetime | None) -> Table:
        """What was counted of the archive's table. A restart since the last reading may have brought the rows of the
        period before into it: `old_copies`.
        """
        step = self._step
        if step.previous.period_start in step.previous.doubted:  # rows of a file may have been added to it
            self._gathered.notes.append(notes.clock_was_set(span))
            return archive
        if old_copies.is_lost(step, began):
            self._gathered.notes.append(notes.restored_from_unknown(span))
            return archive
        start = max((start for start in step.tables if start < step.previous.period_start), default=None)
        if start is None or step.restart is Restart.NONE:
            return step.old
        before = step.tables[start]
        is_brought_back = goes_on_from(archive, before) and not goes_on_from(step.old, before)
        growth = {key: gain(counters, step.old.get(key, NOTHING)) for key, counters in archive.items()}
        if not is_brought_back and not old_copies.is_taken_up(step, start, archive, growth):
            return step.old
        self._gathered.notes.append(notes.carried_over(span))
        return most_of([step.old, before])

    def _tail(self, archive: Table, span: Span) -> dict[RowKey, Counters]:
        """What the old period's archive holds above the last reading."""
        step, noted = self._step, self._gathered.notes
        tail: dict[RowKey, Counters] = {}
        if step.has_restarted and may_have_forgotten_rows(step.compared, archive):
            noted.append(notes.restored_from_unknown(span))
            return tail
        shrunk = 0
        for key, counters in archive.items():
            before = self._counted.get(key, NOTHING)
            if is_at_least(counters, before):
                tail[key] = gain(counters, before)
            else:
                shrunk += 1
                if step.restart is Restart.NONE:
                    tail[key] = counters  # evicted, and back from zero
        vanished = len(step.old.keys() - archive.keys())
        if step.restart is Restart.NONE and (shrunk or vanished):
            noted.append(notes.rows_evicted(span, shrunk + vanished))
        elif step.restart is Restart.UNKNOWN and shrunk:
            noted.append(notes.went_back(span, shrunk))
        elif step.has_restarted and step.restarted_at < span.end:
            noted.append(notes.restored_from_unknown(Span(step.restarted_at, span.end)))
        return tail


def _until_clock_was_right(step: ReadingStep, passed: Sequence[PassedPeriod]) -> Span:
    """From the boot on to the first end of a period at which the daemon wrote its archive."""
    booted: datetime = step.restarted_at
    ends = [period.span.end for period in passed if period.span.end > booted and was_archived(step, period)]
    return Span(booted, min(ends, default=step.now))
