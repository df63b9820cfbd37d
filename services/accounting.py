"""What a byte of usage is: nlbwmon's running totals, turned into usage between two readings.

Pure: `(previous reading, this reading, what was fetched besides) -> usage per row, gaps, notes`. No I/O, no clock, so
that property tests can drive it through anything a router may do. services/router_readings.py calls it;
docs/accounting.md explains it to users, with the same numbers as the tests.

Some cases need the router's older files. services/wanted_files.py names them; they are fetched, only then `account` is
called.
Where one can't be fetched for a reason that may pass, the reading is given up as a whole and the previous one stays the
base: nothing is guessed that can still be known.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from services import accounting_notes as notes
from services.accounted_usage import PassedPeriod, Usage, UsagePart, merged
from services.accounting_notes import Note
from services.buckets import Span
from services.counted_periods import find_period_start
from services.counters import (
    NOTHING,
    Comparison,
    Counters,
    Reading,
    RowKey,
    Table,
    gain,
    goes_on_from,
    index_rows,
    is_at_least,
    may_go_on_from,
    without_zeros,
)
from services.doubted_names import are_doubtful, is_written_before, rolled_over_at, was_archived
from services.proven_usage import prove
from services.quarantine import quarantine
from services.restored_tables import (
    NO_FILES,
    Origin,
    Restart,
    RouterFiles,
    above_commit,
    find_origin,
    find_restart,
    is_partly_gone,
    is_saved_since,
    may_have_forgotten_rows,
    usage_since_restore,
)

#: Usage over a longer time than this is exact in sum, but nobody knows in which of its hours it was.
LONGEST_MEASURED = timedelta(hours=2)

#: So many readings in a row without one byte of change, while devices are active, are no silence: nobody counts.
FROZEN_AFTER = 6

#: Readings that follow each other faster than this don't count: nlbwmon itself looks only twice a minute, and a quiet
#: home may be silent for a while.
FROZEN_EVERY = timedelta(minutes=10)


def compare(previous: Reading | None, current: Reading) -> Comparison | None:
    """The two side by side; None at a first reading."""
    return Comparison(previous, current) if previous else None


def account(
    compared: Comparison | None,
    current: Reading,
    files: RouterFiles = NO_FILES,
    passed: Sequence[PassedPeriod] = (),
) -> Usage:
    """Usage between the two readings. ``files``: what `wanted_files` named, as far as the router has it.

    Raises RolloverInProgress in the first minutes of a period where it can't be told whether it has begun.
    """
    if compared is None:
        note = notes.first_reading(current.read_at, current.period_start)
        return Usage(parts=(), notes=(note,), period_start=current.period_start, unchanged_since=current.read_at)
    return _Step(compared, files, passed).usage()


class _Step:
    """One step from a reading to the next, while its parts are put together."""

    def __init__(self, compared: Comparison, files: RouterFiles, passed: Sequence[PassedPeriod]) -> None:
        self._compared = compared
        self._old, self._new = compared.old, compared.new
        self._files = files
        self._tables = {start: index_rows(rows) for start, rows in files.tables.items()}
        self._passed = passed
        self._since = compared.previous.read_at
        self._now = compared.current.read_at
        self._restart = find_restart(compared.previous, compared.current)
        self._parts: list[UsagePart] = []
        self._gaps: list[Span] = []
        self._notes: list[Note] = []
        self._doubted = compared.previous.doubted
        self._archived: frozenset[date] = frozenset()

    def usage(self) -> Usage:
        previous, current = self._compared.previous, self._compared.current
        if self._has_restarted:
            self._note_restart()
        is_doubtful = are_doubtful(self._compared, self._restart, self._files, self._tables, self._passed)
        period_start = self._without_names() if is_doubtful else self._by_names()
        is_unchanged = self._compared.is_unchanged and not self._gaps and period_start == previous.period_start
        unchanged_since = (previous.unchanged_since or self._since) if is_unchanged else self._now
        readings = 0
        if is_unchanged and current.has_active_neighbours:
            readings = min(previous.unchanged_readings + 1, (self._now - unchanged_since) // FROZEN_EVERY)
        if readings >= FROZEN_AFTER:
            self._add_gap(notes.frozen(Span(unchanged_since, self._now), readings))
        self._parts, quarantined, taken_out = quarantine(self._compared, self._parts)
        if taken_out:
            self._notes.append(notes.implausible(Span(self._since, self._now), taken_out))
        self._note_long_intervals()
        return Usage(
            parts=tuple(part.tagged(self._notes) for part in self._parts if part.rows),
            gaps=merged(self._gaps),
            notes=tuple(self._notes),
            period_start=period_start,
            unchanged_since=unchanged_since,
            unchanged_readings=readings,
            # Only a clock that goes back finds an older one, and that is noticed.
            doubted=frozenset(start for start in self._doubted if start >= min(previous.period_start, period_start)),
            archived=self._archived,
            quarantined=quarantined,
        )

    # --- the cases ------------------------------------------------------------------------------------------

    def _by_names(self) -> date:
        """The router's files are what their names say. Returns the period that the counters belong to."""
        previous = self._compared.previous
        period_start = find_period_start(self._compared, self._restart, self._tables, self._passed)
        if period_start > previous.period_start:
            self._over_rollover()
        elif period_start < previous.period_start:
            self._into_earlier_period(period_start)
        else:
            self._within_period()
        return period_start

    def _without_names(self) -> date:
        """The router's clock or zone was set: only contents tell. Returns the period that the counters belong to."""
        previous, current = self._compared.previous, self._compared.current
        proven = prove(self._compared, self._restart, self._tables)
        started = self._restarted_at()
        self._add(proven.left_over, Span(self._since, started), notes.saved_recovered)
        self._add(proven.rows, Span(started, self._now))
        if not proven.is_whole:
            self._doubted |= {previous.period_start, current.period_start, proven.period_start}
            self._doubted -= {proven.taken_up}  # the table goes on from it
            self._notes.append(notes.clock_was_set(Span(self._since, self._now)))
        self._note_evictions(Span(started, self._now), 0)
        return proven.period_start

    def _within_period(self) -> None:
        saved = self._tables.get(self._compared.previous.period_start)
        origin = find_origin(self._compared, self._restart, saved or {}, self._files)
        if origin in (Origin.DISK, Origin.ZERO):
            self._since_restore(saved or {}, origin)
            return
        rows = self._compared.gained
        whole = Span(self._since, self._now)
        if origin is Origin.LAST_READING:
            rows = rows | self._returned(saved)
            self._note_evictions(whole, self._compared.vanished)
        else:
            # Those that lie below the last reading were counted already.
            current, on = self._compared.current, Span(self._restarted_at(), self._now)
            if (on.start - self._since).total_seconds() <= self._files.refresh_interval_s + 5:
                self._notes.append(notes.restored_from_copy(on))
                if current.would_be_full(
                    self._old
                ):  # one that isn't in the last reading may have been in an earlier one
                    rows = {key: used for key, used in rows.items() if key in self._old}
            self._doubt_file_ahead(saved or {})
            if current.would_be_full(self._old):
                rows = rows | above_commit(self._compared, rows, saved or {})
            self._note_evictions(on, 0)
        self._add(rows, whole)

    def _returned(self, saved: Table | None) -> dict[RowKey, Counters]:
        """Rows that went back while the others counted on: evicted, and back from zero.

        Where the daemon may have restarted unseen, only those are believed that can't have been put back to where they
        are now, neither by a commit (``saved``; None: not to be had) nor by a copy in RAM.
        """
        shrunk = self._compared.shrunk
        rows = {}
        for key in shrunk:
            counters = self._new[key]
            if self._restart is Restart.NONE or (saved is not None and self._began_again(counters, key, saved)):
                rows[key] = counters
        span = Span(self._since, self._now)
        if rows:
            self._notes.append(notes.rows_evicted(span, len(rows)))
        if len(rows) < len(shrunk):
            self._notes.append(notes.went_back(span, len(shrunk) - len(rows)))
        return rows

    def _began_again(self, counters: Counters, key: RowKey, saved: Table) -> bool:
        if not self._compared.current.may_be_full:
            return False  # nothing was evicted
        if key in saved:
            return not is_at_least(counters, saved[key])
        return sum(gain(self._old[key], counters)) > sum(counters)

    def _since_restore(self, saved: Table, origin: Origin) -> None:
        started = self._restarted_at()
        up_to, on = Span(self._since, started), Span(started, self._now)
        if self._restart is Restart.UNKNOWN:
            self._notes.append(notes.restored_unseen(on, len(self._compared.shrunk)))
        rows = usage_since_restore(self._compared, saved, self._files, is_taken_up=origin is Origin.DISK)
        self._add(rows.before, up_to, notes.saved_recovered)
        self._add(rows.after, on)
        age_s = (self._now - started).total_seconds()
        is_rewritten = is_saved_since(self._compared, self._files, age_s)
        is_doubtful = is_rewritten or rows.is_behind or is_partly_gone(self._compared.current, saved)
        if origin is Origin.ZERO:
            self._doubt_file_ahead(saved)
            self._notes.append(notes.started_from_zero(on))
        elif is_doubtful:
            self._notes.append(notes.restored_from_unknown(on))
        elif self._restart is Restart.ROUTER and not goes_on_from(self._new, saved):
            self._notes.append(notes.booted_with_doubtful_clock(on))
        self._note_evictions(on, 0)

    def _doubt_file_ahead(self, saved: Table) -> None:
        """A file that has more than the table: it was counted, and the next power loss may bring it back."""
        if not may_go_on_from(self._new, saved) and not may_have_forgotten_rows(self._compared, saved):
            self._doubted |= {self._compared.previous.period_start}

    def _into_earlier_period(self, period_start: date) -> None:
        """The clock was set back while the router was down: the daemon took up the file of an earlier period."""
        started = self._restarted_at()
        left_over = {
            key: gain(counters, self._old.get(key, NOTHING))
            for key, counters in self._tables.get(self._compared.previous.period_start, {}).items()
        }
        self._add(left_over, Span(self._since, started), notes.saved_recovered)
        base = self._tables.get(period_start, {})
        rows = {}
        for key, counters in self._new.items():
            start = base.get(key, NOTHING)
            rows[key] = gain(counters, start) if is_at_least(counters, start) else counters
        self._add(rows, Span(started, self._now))
        self._notes.append(notes.clock_went_back(Span(started, self._now), period_start))

    def _over_rollover(self) -> None:
        """(final value of the old period - last reading) + whole periods in between + the new period so far."""
        first = self._compared.previous.period_start
        passed = rolled_over_at(self._compared, self._files, self._passed)
        if all(period.start != first for period in passed):  # its end can't be told
            passed.insert(0, PassedPeriod(start=first, span=Span(self._since, self._now)))
        began = self._since
        for period in passed:
            span = self._clipped(period.span)
            archive = self._tables.get(period.start)
            self._notes.append(notes.rollover(span.end, period.start))
            if was_archived(self._compared, self._files, period):
                self._doubted -= {period.start}
            if archive is None:
                self._add_gap(notes.archive_missing(span, period.start))
            elif goes_on_from(self._new, archive) and not was_archived(self._compared, self._files, period):
                # Under a clock set back the running table was saved by that name.
                self._add_gap(notes.archive_overwritten(span, period.start))
            elif is_written_before(self._compared, self._files, period):
                if self._restarted_at() < span.end:  # else nothing ran in it, and the gap before the restart says so
                    self._add_gap(notes.archive_overwritten(span, period.start))
            else:
                self._archived |= {period.start}
                is_first = period.start == first or goes_on_from(archive, self._old)
                rows = self._tail(archive, span) if is_first else archive
                self._add(rows, span, partial(notes.archive_recovered, period_start=period.start))
                if self._compared.current.would_be_full(archive):
                    self._notes.append(notes.rows_evicted(span, 0))
            began = max(began, span.end)
        current = Span(began, self._now)
        if self._restart is Restart.ROUTER:
            self._notes.append(notes.booted_with_doubtful_clock(self._until_clock_was_right(passed)))
        self._add(self._new, current)
        self._note_evictions(current, 0)

    def _until_clock_was_right(self, passed: Sequence[PassedPeriod]) -> Span:
        """From the boot on to the first end of a period at which the daemon wrote its archive."""
        booted = self._restarted_at()
        ends = [
            period.span.end
            for period in passed
            if period.span.end > booted and was_archived(self._compared, self._files, period)
        ]
        return Span(booted, min(ends, default=self._now))

    def _tail(self, archive: Table, span: Span) -> dict[RowKey, Counters]:
        """What the old period's archive holds above the last reading."""
        tail: dict[RowKey, Counters] = {}
        if self._has_restarted and may_have_forgotten_rows(self._compared, archive):
            self._notes.append(notes.restored_from_unknown(span))
            return tail
        shrunk = 0
        for key, counters in archive.items():
            before = self._old.get(key, NOTHING)
            if is_at_least(counters, before):
                tail[key] = gain(counters, before)
            else:
                shrunk += 1
                if self._restart is Restart.NONE:
                    tail[key] = counters  # evicted, and back from zero
        vanished = len(self._old.keys() - archive.keys())
        if self._restart is Restart.NONE and (shrunk or vanished):
            self._notes.append(notes.rows_evicted(span, shrunk + vanished))
        elif self._restart is Restart.UNKNOWN and shrunk:
            self._notes.append(notes.went_back(span, shrunk))
        elif self._has_restarted and self._restarted_at() < span.end:
            self._notes.append(notes.restored_from_unknown(Span(self._restarted_at(), span.end)))
        return tail

    # --- what is noted besides -----------------------------------------------------------------------------

    @property
    def _has_restarted(self) -> bool:
        return self._restart in (Restart.DAEMON, Restart.ROUTER)

    def _note_restart(self) -> None:
        started = self._restarted_at()
        if self._restart is Restart.ROUTER:
            self._notes.append(notes.router_restarted(started))
            self._add_gap(notes.gap_before_restart(Span(self._since, started), "the router"))
        else:
            self._notes.append(notes.daemon_restarted(started))
            self._add_gap(notes.gap_before_restart(Span(self._since, started), "nlbwmon"))

    def _restarted_at(self) -> datetime:
        """When the table began that was read now; the last reading where that can't be told."""
        current = self._compared.current
        uptimes = [current.daemon_uptime_s, current.uptime_s if self._restart is Restart.ROUTER else None]
        # nlbwmon starts after its router, and may have been down again since.
        known = [uptime_s for uptime_s in uptimes if uptime_s is not None]
        if not known or self._restart is Restart.UNKNOWN:
            return self._since
        return min(max(self._since, self._now - timedelta(seconds=min(known))), self._now)

    def _note_evictions(self, span: Span, vanished: int) -> None:
        if vanished or self._compared.current.is_full:
            self._notes.append(notes.rows_evicted(span, vanished))

    def _note_long_intervals(self) -> None:
        """Parts that follow each other are one absence."""
        long = (part.span for part in self._parts if part.rows and part.span.end - part.span.start > LONGEST_MEASURED)
        self._notes += [notes.long_interval(span) for span in merged(long)]

    # --- putting together ----------------------------------------------------------------------------------

    def _add(self, rows: Table, span: Span, note: Callable[[Span], Note] | None = None) -> None:
        used = without_zeros(rows)
        if not used:
            return
        if span.end <= span.start:  # its place in time can't be told
            span = Span(self._since, self._now)
        self._parts.append(UsagePart(rows=used, span=span))
        if note:
            self._notes.append(note(span))

    def _add_gap(self, note: Note) -> None:
        if note.end > note.start:
            self._gaps.append(note.span)
            self._notes.append(note)

    def _clipped(self, span: Span) -> Span:
        start = min(max(span.start, self._since), self._now)
        return Span(start, min(max(span.end, start), self._now))
