"""What a byte of usage is: nlbwmon's running totals, turned into usage between two readings.

Pure: `(previous reading, this reading, what was fetched besides) -> usage per row, notes`. No I/O, no clock,
so that property tests can drive it through anything a router may do. The collector calls it; docs/accounting.md
explains it to users. A row is told apart by family, protocol, port, MAC and IP; differences are taken row by
row, because a device's sum can shrink (eviction) although nothing restarted.

What needs the router's older files says so first (`find_missing_files`); the collector fetches them and only
then calls `account`. Where one can't be fetched for a reason that may pass, the collector gives up the whole
reading and the previous one stays the base: nothing is guessed that can still be known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from utils.errors import RolloverInProgress
from utils.nlbwmon_parser import CounterRow

RowKey = tuple[int, str, int, str, str]
Counters = tuple[int, int]  # bytes down, bytes up

#: Counters from here on can't be stored as BIGINT and are far beyond what a home link carries.
IMPLAUSIBLE_COUNTER = 2**63

#: Faster than this no row can have grown: 100 Gbit/s, in bytes per second.
IMPLAUSIBLE_RATE = 100_000_000_000 // 8

#: The daemon looks at the date once a refresh interval (30 s by default), so that long after midnight its counters
#: can still be those of the period before.
ROLLOVER_DELAY_S = 120

#: Time that passed and uptime come from two clocks, read at two ends of a slow connection: so far they may differ.
BOOT_TOLERANCE = timedelta(seconds=90)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One look at a router's counters."""

    #: Server time; the router's own clock is not trusted for timestamps.
    read_at: datetime
    #: First day of nlbwmon's current accounting period, as the router names it.
    period_start: date
    rows: Sequence[CounterRow]
    #: Seconds since the router booted; None where it doesn't tell.
    uptime_s: float | None = None
    #: Names the router's boot; None where it doesn't tell.
    boot_id: str | None = None
    #: Seconds since the period began, by the router's clock; None where it can't be told.
    period_age_s: float | None = None

    @cached_property
    def counters(self) -> dict[RowKey, Counters]:
        """The rows by what tells them apart."""
        return index_rows(self.rows)


class NoteKind(StrEnum):
    """What an accounting step noticed besides usage."""

    FIRST_READING = "first_reading"
    ROLLOVER = "rollover"
    ARCHIVE_MISSING = "archive_missing"
    ROUTER_RESTARTED = "router_restarted"
    COUNTER_DECREASED = "counter_decreased"
    IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing noticed, in words for a person, and how many rows it concerns."""

    kind: NoteKind
    message: str
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What was used between two readings."""

    #: Usage of each row that has any, in bytes.
    rows: Mapping[RowKey, Counters]
    #: The span the usage belongs to. Equal at a first reading: nothing is known of any hour before it.
    start: datetime
    end: datetime
    #: From where on up to ``end`` nothing was missed; later than ``start`` after a restart or a lost archive.
    covered_from: datetime
    #: The period that the reading's counters belong to. Just after midnight it can be the one before: the daemon
    #: rolls over up to one refresh interval late.
    period_start: date
    notes: tuple[Note, ...] = ()

    def by_device(self) -> dict[str, Counters]:
        """Bytes down and up per MAC."""
        sums: dict[str, Counters] = {}
        for (_, _, _, mac, _), (down, up) in self.rows.items():
            old_down, old_up = sums.get(mac, (0, 0))
            sums[mac] = (old_down + down, old_up + up)
        return sums


class MissingFiles(NamedTuple):
    """Period starts whose files the accounting needs: archives of past periods, the current one's last commit."""

    archives: tuple[date, ...]
    committed: tuple[date, ...]


def find_missing_files(
    previous: Reading | None, current: Reading, *, known_starts: Iterable[date] = ()
) -> MissingFiles:
    """Which files of the router `account` needs besides the two readings; most of the time none.

    ``known_starts``: starts of accounting periods that the router may hold, from its list and its settings.
    """
    if previous is None:
        return MissingFiles((), ())
    if current.period_start > previous.period_start:
        between = {start for start in known_starts if previous.period_start < start < current.period_start}
        return MissingFiles((previous.period_start, *sorted(between)), ())
    if has_restarted(previous, current) or _has_decrease(previous, current):
        return MissingFiles((), (previous.period_start,))
    return MissingFiles((), ())


def has_restarted(previous: Reading, current: Reading) -> bool:
    """Whether the router booted between the two readings.

    Linux gives every boot an id. Where the router doesn't tell it, the uptime does: it went back, or it grew by
    less than the time that passed.
    """
    if previous.boot_id and current.boot_id:
        return previous.boot_id != current.boot_id
    if previous.uptime_s is None or current.uptime_s is None:
        return False
    elapsed = (current.read_at - previous.read_at).total_seconds()
    grown = current.uptime_s - previous.uptime_s
    return grown < 0 or grown + BOOT_TOLERANCE.total_seconds() < elapsed


def account(
    previous: Reading | None, current: Reading, files: Mapping[date, Sequence[CounterRow]] | None = None
) -> Usage:
    """Usage between ``previous`` and ``current``. ``files``: what `find_missing_files` named, as far as it exists.

    Raises RolloverInProgress in the first minutes of a period where it can't be told whether it has begun.
    """
    if previous is None:
        return Usage(
            rows={},
            start=current.read_at,
            end=current.read_at,
            covered_from=current.read_at,
            period_start=current.period_start,
            notes=(_first_reading_note(current),),
        )
    fetched = {start: index_rows(rows) for start, rows in (files or {}).items()}
    old, new = previous.counters, current.counters
    start = covered_from = previous.read_at
    period_start = _actual_period_start(previous, current, fetched.get(previous.period_start))
    is_restarted = has_restarted(previous, current)
    if is_restarted and current.uptime_s is not None:
        # What ran before the boot and was not saved is unknown.
        covered_from = max(covered_from, current.read_at - timedelta(seconds=current.uptime_s))
    if period_start != previous.period_start:
        rows, notes = _over_rollover(previous, old, new, fetched)
        if is_restarted:
            notes.append(_restart_note())
        if previous.period_start not in fetched and current.period_age_s is not None:
            covered_from = max(covered_from, current.read_at - timedelta(seconds=max(0.0, current.period_age_s)))
    elif is_restarted:
        on_disk = fetched.get(period_start)
        rows, notes = _over_restart(old, new, on_disk)
        if on_disk is None or _covers(old, on_disk):
            start = covered_from  # nothing was saved after the last reading: all of it ran since the boot
    else:
        rows, notes = _within_period(old, new, fetched.get(period_start))
    plausible, more = _quarantine(rows, new, current.read_at - previous.read_at)
    return Usage(
        rows=plausible,
        start=start,
        end=current.read_at,
        covered_from=covered_from,
        period_start=period_start,
        notes=(*notes, *more),
    )


def _actual_period_start(previous: Reading, current: Reading, on_disk: Mapping[RowKey, Counters] | None) -> date:
    """The period that the counters belong to: names never go back, and just after midnight the counters decide.

    ``on_disk``: what the router serves under the previous period's name: its archive after the rollover, its last
    commit before. Raises RolloverInProgress where even that leaves it open; a minute later it is plain.
    """
    if current.period_start <= previous.period_start:
        return previous.period_start
    if current.period_age_s is None or current.period_age_s > ROLLOVER_DELAY_S:
        return current.period_start
    # A row that is gone tells nothing: it may have been evicted. Those still there decide.
    earlier = previous.counters if on_disk is None else on_disk
    if earlier and not current.counters.keys() & earlier.keys():
        return current.period_start
    if not _covers(current.counters, earlier):
        return current.period_start
    if on_disk is None or not _covers(on_disk, previous.counters):
        return previous.period_start
    raise RolloverInProgress


def _covers(later: Mapping[RowKey, Counters], earlier: Mapping[RowKey, Counters]) -> bool:
    """Whether the rows that both have can have grown from ``earlier`` to ``later``: no counter is smaller."""
    return all(later[key][0] >= down and later[key][1] >= up for key, (down, up) in earlier.items() if key in later)


def index_rows(rows: Iterable[CounterRow]) -> dict[RowKey, Counters]:
    """Rows by what tells them apart. Should a router print one twice, both count."""
    indexed: dict[RowKey, Counters] = {}
    for row in rows:
        key = (row.family, row.proto, row.port, row.mac, row.ip)
        if key in indexed:
            down, up = indexed[key]
            indexed[key] = (down + row.rx_bytes, up + row.tx_bytes)
        else:
            indexed[key] = (row.rx_bytes, row.tx_bytes)
    return indexed


def _within_period(
    old: Mapping[RowKey, Counters], new: Mapping[RowKey, Counters], committed: Mapping[RowKey, Counters] | None
) -> tuple[dict[RowKey, Counters], list[Note]]:
    """Growth; a new row counts from zero; one that vanished was counted already; one that shrank was put back."""
    usage: dict[RowKey, Counters] = {}
    shrunk = 0
    for key, counters in new.items():
        before = old.get(key)
        if before is None:
            usage[key] = counters
        elif counters != before:
            if counters[0] >= before[0] and counters[1] >= before[1]:
                usage[key] = (counters[0] - before[0], counters[1] - before[1])
            else:
                shrunk += 1
                usage[key] = _after_decrease(counters, committed.get(key, (0, 0)) if committed is not None else None)
    return _without_zeros(usage), [_decrease_note(shrunk, committed is not None)] if shrunk else []


def _after_decrease(counters: Counters, committed: Counters | None) -> Counters:
    """A row smaller than before: restored from its last commit, or evicted and back from zero, or unknown."""
    if committed is None:
        return (0, 0)
    restored = committed[0] <= counters[0] and committed[1] <= counters[1]
    return (counters[0] - committed[0], counters[1] - committed[1]) if restored else counters


def _over_restart(
    old: Mapping[RowKey, Counters], new: Mapping[RowKey, Counters], committed: Mapping[RowKey, Counters] | None
) -> tuple[dict[RowKey, Counters], list[Note]]:
    """A boot puts rows back to their last commit (or to nothing): what is above that is new.

    A clean reboot commits first, so a commit can be newer than our reading: the minimum covers both.
    """
    on_disk = committed or {}
    usage = {}
    for key, (down, up) in new.items():
        old_down, old_up = old.get(key, (0, 0))
        disk_down, disk_up = on_disk.get(key, (0, 0))
        usage[key] = (max(0, down - min(old_down, disk_down)), max(0, up - min(old_up, disk_up)))
    return _without_zeros(usage), [_restart_note()]


def _over_rollover(
    previous: Reading,
    old: Mapping[RowKey, Counters],
    new: Mapping[RowKey, Counters],
    archives: Mapping[date, Mapping[RowKey, Counters]],
) -> tuple[dict[RowKey, Counters], list[Note]]:
    """(final value of the old period - last reading) + whole periods in between + the new period so far."""
    usage: dict[RowKey, Counters] = dict(new)
    notes = [Note(kind=NoteKind.ROLLOVER, message=f"The accounting period of {previous.period_start} ended.")]
    for start, archive in archives.items():
        for key, (down, up) in archive.items():
            old_down, old_up = old.get(key, (0, 0)) if start == previous.period_start else (0, 0)
            down, up = max(0, down - old_down), max(0, up - old_up)
            now_down, now_up = usage.get(key, (0, 0))
            usage[key] = (now_down + down, now_up + up)
    if previous.period_start not in archives:
        message = (
            f"The router no longer holds the archive of {previous.period_start}: what was used between the last "
            "reading in that period and its end is unknown."
        )
        notes.append(Note(kind=NoteKind.ARCHIVE_MISSING, message=message))
    return _without_zeros(usage), notes


def _quarantine(
    usage: Mapping[RowKey, Counters], new: Mapping[RowKey, Counters], span: timedelta
) -> tuple[dict[RowKey, Counters], list[Note]]:
    """Take out what no link could have carried; the raw reading is kept, so nothing is lost, only not counted."""
    limit = int(IMPLAUSIBLE_RATE * max(1.0, span.total_seconds()))
    plausible = {
        key: (down, up)
        for key, (down, up) in usage.items()
        if down + up <= limit and max(new.get(key, (0, 0))) < IMPLAUSIBLE_COUNTER
    }
    if len(plausible) == len(usage):
        return plausible, []
    taken = len(usage) - len(plausible)
    message = f"{taken} row(s) grew faster than any link could carry, or passed 2^63; they were not counted."
    return plausible, [Note(kind=NoteKind.IMPLAUSIBLE, message=message, rows=taken)]


def _has_decrease(previous: Reading, current: Reading) -> bool:
    for key, (down, up) in current.counters.items():
        before = previous.counters.get(key)
        if before is not None and (down < before[0] or up < before[1]):
            return True
    return False


def _without_zeros(usage: Mapping[RowKey, Counters]) -> dict[RowKey, Counters]:
    return {key: counters for key, counters in usage.items() if counters != (0, 0)}


def _first_reading_note(current: Reading) -> Note:
    message = (
        f"First reading. What the router counted since {current.period_start} belongs to the time before "
        "monitoring and is in no hour or day."
    )
    return Note(kind=NoteKind.FIRST_READING, message=message, rows=len(current.rows))


def _restart_note() -> Note:
    message = "The router restarted. What was used between the last reading and the restart, and not saved, is unknown."
    return Note(kind=NoteKind.ROUTER_RESTARTED, message=message)


def _decrease_note(rows: int, is_known: bool) -> Note:
    how = "the router's last commit tells what is new" if is_known else "what was used in them meanwhile is unknown"
    message = f"{rows} counter(s) went back although nothing restarted; {how}."
    return Note(kind=NoteKind.COUNTER_DECREASED, message=message, rows=rows)
