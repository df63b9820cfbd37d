"""One step from a reading to the next: what is known of it, and what is put together of it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property

from services.accounting.counters import Comparison, Table, index_rows, without_zeros
from services.accounting.notes import Note
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, Restart, RouterFiles, find_restart
from services.accounting.usage import PassedPeriod, UsagePart
from services.buckets import Span

#: A router starts its services within this time.
_SLOWEST_BOOT_S = 180.0


class ReadingStep:
    """What is known of the time between two readings."""

    def __init__(self, compared: Comparison, files: RouterFiles, passed: Sequence[PassedPeriod]) -> None:
        self.files = files
        #: The router's files, by their period's first day.
        self.tables: Mapping[date, Table] = {start: index_rows(rows) for start, rows in files.tables.items()}
        self.compared = compared = compared.in_view_of(self.tables.values())
        self.previous, self.current = compared.previous, compared.current
        self.old, self.new = compared.old, compared.new
        #: The periods that ended, as far as the settings tell.
        self.passed = passed
        self.restart = find_restart(compared.previous, compared.current)
        self.since, self.now = compared.previous.read_at, compared.current.read_at

    @property
    def has_restarted(self) -> bool:
        """Whether the daemon or its router did, for certain."""
        return self.restart in (Restart.DAEMON, Restart.ROUTER)

    @property
    def is_first_daemon(self) -> bool:
        """Whether the daemon is the one that the router booted with, so that there was no copy in RAM."""
        up_s, daemon_up_s = self.current.uptime_s, self.current.daemon_uptime_s
        is_later = up_s is not None and daemon_up_s is not None and up_s - daemon_up_s > _SLOWEST_BOOT_S
        return self.restart is Restart.ROUTER and not is_later

    @property
    def lacks_base(self) -> bool:
        """Whether it can't be told what the table counts on from: a file that it may have taken up can't be read."""
        may_be_taken_up = {self.previous.period_start, self.current.period_start, *(p.start for p in self.passed)}
        return self.restart is not Restart.NONE and not may_be_taken_up.isdisjoint(self.files.unreadable)

    @property
    def had_ram_copy(self) -> bool:
        """Whether, for all that is told, the daemon found a copy in RAM when it started after a boot: one before it
        had made it.
        """
        age_s, daemon_up_s = self.files.ram_copy_age_s, self.current.daemon_uptime_s
        is_older = age_s is not None and daemon_up_s is not None and age_s > daemon_up_s + FILE_TIME_TOLERANCE_S
        return is_older or not self.is_first_daemon

    @cached_property
    def restarted_at(self) -> datetime:
        """When the table began that was read now; the last reading where that can't be told."""
        uptimes = [
            self.current.daemon_uptime_s,
            self.current.uptime_s if self.restart is Restart.ROUTER else None,
        ]
        # nlbwmon starts after its router, and may have been down again since.
        known = [uptime_s for uptime_s in uptimes if uptime_s is not None]
        if not known or self.restart is Restart.UNKNOWN:
            return self.since
        return min(max(self.since, self.now - timedelta(seconds=min(known))), self.now)

    @property
    def current_began(self) -> datetime | None:
        """When the running period began; None where it can't be told."""
        age_s = self.current.period_age_s
        return None if age_s is None else self.now - timedelta(seconds=age_s)

    def written_at(self, start: date) -> datetime | None:
        """When the router's file of that period was written, by server time; None where it isn't told."""
        age_s = self.files.ages_s.get(start)
        return None if age_s is None else self.now - timedelta(seconds=age_s)

    def would_be_full(self, *tables: Table) -> bool:
        """Whether any of the tables has as many rows as nlbwmon holds."""
        return any(map(self.current.would_be_full, tables))


class GatheredUsage:
    """The parts, gaps and notes of a step, while they are put together."""

    def __init__(self, since: datetime, now: datetime) -> None:
        self._whole = Span(since, now)
        self.parts: list[UsagePart] = []
        self.gaps: list[Span] = []
        self.notes: list[Note] = []

    def add(self, rows: Table, span: Span, note: Callable[[Span], Note] | None = None) -> None:
        """Usage of rows in a span, and what is to be said of it where there is any."""
        used = without_zeros(rows)
        if not used:
            return
        if span.end <= span.start:  # its place in time can't be told
            span = self._whole
        self.parts.append(UsagePart(rows=used, span=span))
        if note:
            self.notes.append(note(span))

    def add_gap(self, note: Note) -> None:
        """A span of which a part was not seen."""
        if note.end > note.start:
            self.gaps.append(note.span)
            self.notes.append(note)

    def clipped(self, span: Span) -> Span:
        """What of the span lies between the readings."""
        start = min(max(span.start, self._whole.start), self._whole.end)
        return Span(start, min(max(span.end, start), self._whole.end))
