"""What a byte of usage is: nlbwmon's running totals, turned into usage between two readings.

Pure: `(previous reading, this reading, what was fetched besides) -> usage per row, gaps, notes`. No I/O, no clock, so
that property tests can drive it through anything a router may do. services/readings/router_readings.py calls it;
docs/accounting.md explains it to users, with the same numbers as the tests.

Some cases need the router's older files: `wanted_files` names them, and `account` is called when they were fetched.
Where one can't be, for a reason that may pass, the reading is given up as a whole and the previous one stays the base:
nothing is guessed that can still be known.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from services.accounting import notes, old_copies
from services.accounting.counted_periods import find_period_start, may_be_before_rollover
from services.accounting.counters import (
    NOTHING,
    Comparison,
    Counters,
    Reading,
    RowKey,
    Table,
    gain,
    goes_on_from,
    has_unmoved,
    is_at_least,
    may_go_on_from,
    most_of,
)
from services.accounting.doubted_names import are_doubtful
from services.accounting.proven_usage import prove
from services.accounting.quarantine import IMPLAUSIBLE_RATE, quarantine
from services.accounting.reading_step import GatheredUsage, ReadingStep
from services.accounting.restored_tables import (
    NO_FILES,
    Origin,
    Restart,
    RouterFiles,
    above_commit,
    find_origin,
    is_partly_gone,
    is_saved_since,
    may_have_forgotten_rows,
    usage_since_restore,
)
from services.accounting.rollovers import account_rollover
from services.accounting.usage import PassedPeriod, Usage, UsagePart, merged
from services.buckets import Span
from utils.errors import RolloverInProgress

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
    *,
    fastest: float = IMPLAUSIBLE_RATE,
) -> Usage:
    """Usage between the two readings. ``files``: what `wanted_files` named, as far as the router has it. ``fastest``:
    what a link carries in each direction, in bytes per second.

    Raises RolloverInProgress in the first minutes of a period where it can't be told whether it has begun.
    """
    if compared is None:
        note = notes.first_reading(current.read_at, current.period_start)
        return Usage(parts=(), notes=(note,), period_start=current.period_start, unchanged_since=current.read_at)
    return _Accounting(ReadingStep(compared, files, passed)).usage(fastest)


class _Accounting:
    """One step from a reading to the next, while its usage is put together."""

    def __init__(self, step: ReadingStep) -> None:
        self._step = step
        self._compared, self._old, self._new = step.compared, step.old, step.new
        self._whole = Span(step.since, step.now)
        self._gathered = GatheredUsage(step.since, step.now)
        self._notes = self._gathered.notes
        self._add = self._gathered.add
        self._doubted = step.previous.doubted
        self._archived: frozenset[date] = frozenset()

    def usage(self, fastest: float) -> Usage:
        step, previous = self._step, self._step.previous
        if step.has_restarted:
            self._note_restart()
        if step.lacks_base:
            period_start = self._without_base()
        else:
            period_start = self._without_names() if are_doubtful(step) else self._by_names()
        is_unchanged = self._compared.is_unchanged and not self._gathered.gaps and period_start == previous.period_start
        unchanged_since, readings = step.now, 0
        if is_unchanged and step.current.has_active_neighbours:
            unchanged_since = previous.unchanged_since or step.since
            readings = min(previous.unchanged_readings + 1, (step.now - unchanged_since) // FROZEN_EVERY)
        is_frozen = readings >= FROZEN_AFTER
        if is_frozen:
            self._gathered.add_gap(notes.frozen(Span(unchanged_since, step.now), readings))
        parts, quarantined, taken_out = quarantine(self._compared, self._gathered.parts, fastest)
        if taken_out:
            self._notes.append(notes.implausible(self._whole, taken_out))
        self._note_long_intervals(parts)
        return Usage(
            parts=tuple(part.tagged(self._notes) for part in parts if part.rows),
            gaps=merged(self._gathered.gaps),
            notes=tuple(self._notes),
            period_start=period_start,
            unchanged_since=unchanged_since,
            unchanged_readings=readings,
            is_frozen=is_frozen,
            # Only a clock that goes back finds an older one, and that is noticed.
            doubted=frozenset(start for start in self._doubted if start >= min(previous.period_start, period_start)),
            archived=self._archived,
            quarantined=quarantined,
        )

    # --- the cases ------------------------------------------------------------------------------------------

    def _by_names(self) -> date:
        """The router's files are what their names say. Returns the period that the counters belong to."""
        period_start = find_period_start(self._step)
        if period_start > self._step.previous.period_start:
            told = account_rollover(self._step, self._gathered)
            self._archived = told.archived
            self._doubted -= told.in_good_order
        else:
            self._within_period()
        return period_start

    def _without_names(self) -> date:
        """The router's clock or zone was set: only contents tell. Returns the period that the counters belong to."""
        if may_be_before_rollover(self._step):
            raise RolloverInProgress
        step, proven, on = self._step, prove(self._step), self._on
        self._add(proven.left_over, Span(step.since, on.start), notes.saved_recovered)
        self._add(proven.rows, on)
        if not proven.is_whole:
            self._doubted |= {step.previous.period_start, step.current.period_start, proven.period_start}
            self._doubted -= {proven.taken_up}  # the table goes on from it
            self._notes.append(notes.clock_was_set(self._whole))
        self._note_evictions(on, 0)
        return proven.period_start

    def _without_base(self) -> date:
        """Nothing is counted, and nothing twice. Returns the period that the counters belong to, for all that is known:
        a later restart must not take its name for certain.
        """
        self._gathered.add_gap(notes.file_unreadable(self._whole))
        starts = {self._step.previous.period_start, self._step.current.period_start}
        self._doubted |= starts
        return self._step.current.period_start if self._step.has_restarted else max(starts)

    def _within_period(self) -> None:
        step = self._step
        ended = max((start for start in step.tables if start < step.previous.period_start), default=None)
        if ended and old_copies.is_taken_up(step, ended, step.new, self._compared.gained):
            self._add(old_copies.usage_on_top(step, step.new, step.tables[ended]), self._on)
            self._notes.append(notes.carried_over(self._on))
            self._note_evictions(self._on, 0)
            return
        if old_copies.is_lost(step, step.current_began):
            self._notes.append(notes.restored_from_unknown(self._on))
            return
        saved = step.tables.get(step.previous.period_start)
        origin = find_origin(self._compared, step.restart, saved or {}, step.files)
        if origin in (Origin.DISK, Origin.ZERO) and self._may_be_back(saved or {}, origin):
            self._since_unknown_table(saved or {})
            return
        if origin in (Origin.DISK, Origin.ZERO):
            self._since_restore(saved or {}, origin)
            return
        rows = self._compared.gained
        if origin is Origin.LAST_READING:
            rows = rows | self._returned(saved)
            self._note_evictions(self._whole, self._compared.vanished)
        else:
            # Those that lie below the last reading were counted already.
            on = self._on
            is_soon = (on.start - step.since).total_seconds() <= step.files.refresh_interval_s + 5
            if is_soon or not self._is_back_for_certain(saved or {}):
                self._notes.append(notes.restored_from_copy(on))
            if is_soon and step.would_be_full(self._old):
                # One that isn't in the last reading may have been in an earlier one.
                rows = {key: used for key, used in rows.items() if key in self._old}
            self._doubt_file_ahead(saved or {})
            if step.would_be_full(self._old):
                rows = rows | above_commit(self._compared, rows, saved or {})
            self._note_evictions(on, 0)
        self._add(rows, self._whole)

    def _is_back_for_certain(self, saved: Table) -> bool:
        """Whether the rows can't come from the commit (``saved``) or from zero: one is exactly where it was read."""
        read = {key: counters for key, counters in self._old.items() if saved.get(key, NOTHING) != counters}
        return not read or has_unmoved(self._new, read)

    def _returned(self, saved: Table | None) -> dict[RowKey, Counters]:
        """Rows that went back while the others counted on: evicted, and back from zero.

        Where the daemon may have restarted unseen, only those are believed that can't have been put back to where they
        are now, neither by a commit (``saved``; None: not to be had) nor by a copy in RAM.
        """
        shrunk = self._compared.shrunk
        rows = {}
        for key in shrunk:
            counters = self._new[key]
            if self._step.restart is Restart.NONE or (saved is not None and self._began_again(counters, key, saved)):
                rows[key] = counters
        if rows:
            self._notes.append(notes.rows_evicted(self._whole, len(rows)))
        if len(rows) < len(shrunk):
            self._notes.append(notes.went_back(self._whole, len(shrunk) - len(rows)))
        return rows

    def _began_again(self, counters: Counters, key: RowKey, saved: Table) -> bool:
        if not self._compared.current.may_be_full:
            return False  # nothing was evicted
        if key in saved:
            return not is_at_least(counters, saved[key])
        return sum(gain(self._old[key], counters)) > sum(counters)

    def _may_be_back(self, saved: Table, origin: Origin) -> bool:
        """Whether the table of the last reading may have outlived a boot although the period's file doesn't say so:
        ``saved`` by the name of another period while the clock was wrong, and taken up from a copy in RAM since.
        """
        step, old, new = self._step, self._old, self._new
        if step.restart is not Restart.ROUTER:
            return False
        # A table that began anew may have passed the old one; but all rows of it, and one to the byte, hardly.
        read = {key: counters for key, counters in old.items() if saved.get(key) != counters}
        if not may_go_on_from(new, old):  # of a full one, rows were overwritten since
            return step.would_be_full(new) and has_unmoved(new, read)
        return has_unmoved(new, read) or (bool(read) and origin is Origin.ZERO and step.had_ram_copy)

    def _since_unknown_table(self, saved: Table) -> None:
        """Only what lies above all that was counted, or is counted now out of the period's file, counts."""
        step, on = self._step, self._on
        rows = usage_since_restore(self._compared, saved, step.files, is_taken_up=False)
        self._add(rows.before, Span(step.since, on.start), notes.saved_recovered)
        base = most_of([self._old, saved])
        has_forgotten = step.would_be_full(self._new, base)
        above = {
            key: gain(counters, base.get(key, NOTHING))
            for key, counters in self._new.items()
            if key in base or not has_forgotten
        }
        self._add(above, on)
        self._doubt_file_ahead(saved)
        self._notes.append(notes.booted_with_doubtful_clock(on))
        self._note_evictions(on, 0)

    def _since_restore(self, saved: Table, origin: Origin) -> None:
        step, on = self._step, self._on
        if step.restart is Restart.UNKNOWN:
            self._notes.append(notes.restored_unseen(on, len(self._compared.shrunk)))
        rows = usage_since_restore(self._compared, saved, step.files, is_taken_up=origin is Origin.DISK)
        self._add(rows.before, Span(step.since, on.start), notes.saved_recovered)
        self._add(rows.after, on)
        is_rewritten = is_saved_since(self._compared, step.files, (on.end - on.start).total_seconds())
        is_doubtful = is_rewritten or rows.is_behind or is_partly_gone(step.current, saved)
        if origin is Origin.ZERO:
            self._doubt_file_ahead(saved)
            self._notes.append(notes.started_from_zero(on))
        elif is_doubtful:
            self._notes.append(notes.restored_from_unknown(on))
        elif step.restart is Restart.ROUTER and not goes_on_from(self._new, saved):
            self._notes.append(notes.booted_with_doubtful_clock(on))
        self._note_evictions(on, 0)

    def _doubt_file_ahead(self, saved: Table) -> None:
        """A file that has more than the table: it was counted, and the next power loss may bring it back."""
        if not may_go_on_from(self._new, saved) and not may_have_forgotten_rows(self._compared, saved):
            self._doubted |= {self._compared.previous.period_start}

    # --- what is noted besides -----------------------------------------------------------------------------

    @property
    def _on(self) -> Span:
        """From the restart on."""
        return Span(self._step.restarted_at, self._step.now)

    def _note_restart(self) -> None:
        # A file that was written in between shortens no gap: the power may have gone before it was written, too.
        started = self._step.restarted_at
        if self._step.restart is Restart.ROUTER:
            self._notes.append(notes.router_restarted(started))
            what = "the router"
        else:
            self._notes.append(notes.daemon_restarted(started))
            what = "nlbwmon"
        self._gathered.add_gap(notes.gap_before_restart(Span(self._step.since, started), what))

    def _note_evictions(self, span: Span, vanished: int) -> None:
        if vanished or self._step.current.is_full:
            self._notes.append(notes.rows_evicted(span, vanished))

    def _note_long_intervals(self, parts: Sequence[UsagePart]) -> None:
        """Parts that follow each other are one absence."""
        long = (part.span for part in parts if part.rows and part.span.end - part.span.start > LONGEST_MEASURED)
        self._notes += [notes.long_interval(span) for span in merged(long)]
