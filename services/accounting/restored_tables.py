"""What a table counts on from: the last reading, or what its daemon took up when it came back. Pure.

nlbwmon copies its table to RAM once a refresh interval (30 s) and to disk once a commit interval (24 h). A daemon that
died alone takes up the copy in RAM; after a power loss that copy is gone, and it takes up the file. Where the database
is in RAM, or the clock names another period at that moment (1970 after a boot), it starts from zero. The counters
themselves tell which it was, because all rows come back from the same place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from services.accounting.counters import (
    NOTHING,
    Comparison,
    Counters,
    Reading,
    RowKey,
    Table,
    gain,
    has_unmoved,
    is_at_least,
    may_go_on_from,
)
from utils.nlbwmon_parser import CounterRow

#: OpenWrt's defaults, in seconds.
REFRESH_INTERVAL_S = 30.0
COMMIT_INTERVAL_S = 86_400.0

#: The daemon looks at the date once a refresh interval (30 s by default), so that after midnight its counters can still
#: be those of the period before.
ROLLOVER_DELAY_S = 120

#: Time that passed and uptime come from two clocks, read at two ends of a slow connection: so far they may differ.
CLOCK_TOLERANCE_S = 90.0

#: How much better than the commit a copy in RAM has to fit where no restart was seen.
_UNSEEN_CRASH = 4

#: Files and the router's clock are told in whole seconds.
FILE_TIME_TOLERANCE_S = 2.0


class Restart(StrEnum):
    """What restarted between two readings."""

    NONE = "none"
    #: Nothing was seen to, but the router doesn't tell when its daemon started.
    UNKNOWN = "unknown"
    DAEMON = "daemon"
    ROUTER = "router"


class Origin(StrEnum):
    """What a table counts on from."""

    LAST_READING = "last reading"
    RAM_COPY = "copy in RAM"
    DISK = "last commit"
    ZERO = "zero"


@dataclass(frozen=True, kw_only=True)
class RouterFiles:
    """What was fetched of the router's files besides the reading itself."""

    #: The rows of each period's file, by its first day: the archive of one that is over, the last commit of one that
    #: runs. A period that the router has no file of is not in it.
    tables: Mapping[date, Sequence[CounterRow]]
    #: Periods that it may have a file of all the same, which can't be read.
    unreadable: frozenset[date] = frozenset()
    #: Seconds before the reading at which each of the files was written; one of which it isn't told is absent. Below 0:
    #: by a clock that has been set back since.
    ages_s: Mapping[date, float] = field(default_factory=dict)
    #: Seconds before the reading at which the copy in RAM was written; None: not told, or there is none.
    ram_copy_age_s: float | None = None
    #: None where the router doesn't tell.
    has_ram_copy: bool | None = None
    #: nlbwmon's settings.
    refresh_interval_s: float = REFRESH_INTERVAL_S
    commit_interval_s: float = COMMIT_INTERVAL_S


NO_FILES = RouterFiles(tables={})


def find_restart(previous: Reading, current: Reading) -> Restart:
    """What restarted between the two readings, as far as the router tells."""
    if _has_booted(previous, current):
        return Restart.ROUTER
    if previous.daemon_id is None or current.daemon_id is None:
        return Restart.UNKNOWN
    return Restart.NONE if previous.daemon_id == current.daemon_id else Restart.DAEMON


def _has_booted(previous: Reading, current: Reading) -> bool:
    """Linux gives every boot an id. Where the router doesn't tell it, the uptime does: it went back, or it grew by less
    than the time that passed.
    """
    if previous.boot_id and current.boot_id:
        return previous.boot_id != current.boot_id
    if previous.uptime_s is None or current.uptime_s is None:
        return False
    elapsed = (current.read_at - previous.read_at).total_seconds()
    grown = current.uptime_s - previous.uptime_s
    return grown < 0 or grown + CLOCK_TOLERANCE_S < elapsed


def find_origin(compared: Comparison, restart: Restart, saved: Table, files: RouterFiles) -> Origin:
    """What the rows of the later reading count on from. ``saved``: the period's file, empty where there is none."""
    if restart is Restart.NONE:
        return Origin.LAST_READING
    on_disk = Origin.DISK if is_taken_up(compared.current, saved) else Origin.ZERO
    if restart is Restart.ROUTER:
        return on_disk
    if restart is Restart.UNKNOWN:
        # Rows that are merely gone were evicted.
        if not compared.shrunk or on_disk is Origin.ZERO:
            return Origin.LAST_READING
        return Origin.LAST_READING if _fits_ram_copy(compared, saved, files, None) else Origin.DISK
    if _has_more_though_older(compared, saved, files) and on_disk is Origin.DISK:
        return Origin.DISK
    started_after_s = _daemon_started_after(compared)
    base = saved if on_disk is Origin.DISK else {}
    return Origin.RAM_COPY if _fits_ram_copy(compared, base, files, started_after_s) else on_disk


def is_taken_up(current: Reading, saved: Table) -> bool:
    """Whether a table can have begun as ``saved``: all of its rows are there and have not gone back.

    Unless the table is full, or may be: rows may have been evicted since, so that any that is left tells enough. A
    table that is not full never lost a row.
    """
    kept = _count_kept(current, saved)
    return kept > 0 and (kept == len(saved) or current.may_be_full)


def is_partly_gone(current: Reading, saved: Table) -> bool:
    """Whether a table that began as ``saved`` has lost rows of it since."""
    return _count_kept(current, saved) < len(saved)


def _count_kept(current: Reading, saved: Table) -> int:
    new = current.counters
    return sum(1 for key, counters in saved.items() if key in new and is_at_least(new[key], counters))


def _daemon_started_after(compared: Comparison) -> float | None:
    """How long after the earlier reading the daemon started, in seconds."""
    if compared.current.daemon_uptime_s is None:
        return None
    elapsed = (compared.current.read_at - compared.previous.read_at).total_seconds()
    return elapsed - compared.current.daemon_uptime_s


def _has_more_though_older(compared: Comparison, saved: Table, files: RouterFiles) -> bool:
    """Whether the file was written before the earlier reading and has more than it, all of which is in the later one:
    it is of another table, and was taken up. Unless the earlier one may lack a row because its table was full.
    """
    if compared.current.would_be_full(compared.old):
        return False
    age_s = files.ages_s.get(compared.previous.period_start)
    elapsed_s = (compared.current.read_at - compared.previous.read_at).total_seconds()
    if age_s is None or age_s < elapsed_s + FILE_TIME_TOLERANCE_S:
        return False
    return not may_go_on_from(compared.old, saved) and may_go_on_from(compared.new, saved)


def _fits_ram_copy(compared: Comparison, saved: Table, files: RouterFiles, started_after_s: float | None) -> bool:
    """Whether the daemon came back from its copy in RAM rather than from ``saved``.

    That copy is at most one refresh interval older than its end, so that hardly a row lies below the last reading.
    """
    old, new = compared.old, compared.new
    differing = [key for key, counters in old.items() if not is_at_least(saved.get(key, NOTHING), counters)]
    if not differing:
        return True
    uptime_s = compared.current.daemon_uptime_s
    if uptime_s is not None:
        if files.ram_copy_age_s is not None and files.ram_copy_age_s > uptime_s + 1:
            return True  # it was there before the daemon started
        if files.has_ram_copy is False and uptime_s < files.refresh_interval_s:
            return False  # it would still be there
    lost = sum(sum(gain(old[key], new.get(key, NOTHING))) for key in differing)
    if lost == 0:
        return True
    if has_unmoved(new, {key: old[key] for key in differing}):
        return True  # no row comes back to exactly where it was read by chance
    has_evicted = any(compared.current.would_be_full(table) for table in (old, new))
    if not has_evicted and started_after_s is not None and started_after_s > files.refresh_interval_s + 5:
        return False  # the copy was made after the last reading, and could not lie below it
    if any(new.get(key) == old[key] for key in differing):
        return True  # hardly by chance, even of a few bytes
    # Each story needs something to have happened: the copy in RAM, that so much ran in the seconds before the crash;
    # the commit, that so much ran since the start. The one that needs less is believed. Where no restart was seen, a
    # power loss is as likely as a crash, and the copy has to fit well.
    # Where rows are evicted, those that only the later reading has were in the copy, or ran since as well.
    ran = [*differing, *(new.keys() - old.keys() if has_evicted else ())]
    grown = sum(sum(gain(new.get(key, NOTHING), saved.get(key, NOTHING))) for key in ran)
    return lost <= (grown if started_after_s is not None else grown // _UNSEEN_CRASH)


class SinceRestore(NamedTuple):
    """Usage over a restart, in two parts: what the file holds above the last reading, and what came on top of it."""

    before: dict[RowKey, Counters]
    after: dict[RowKey, Counters]
    #: The table may come from before the file, so that less than all was counted.
    is_behind: bool


def usage_since_restore(compared: Comparison, saved: Table, files: RouterFiles, *, is_taken_up: bool) -> SinceRestore:
    """What was used, where the table began as ``saved`` (``is_taken_up``) or from zero.

    In sum, new - min(last reading, saved) of each row. A commit that is newer than the last reading (a clean reboot
    makes one) was counted up to that reading only; one that is older was counted as a whole, rows that had been evicted
    again among it.
    """
    old = compared.old
    before: dict[RowKey, Counters] = {}
    if not may_have_forgotten_rows(compared, saved) and _is_newer(compared, saved, files):
        before = {key: gain(counters, old.get(key, NOTHING)) for key, counters in saved.items()}
    base: Table = saved if is_taken_up else {}
    # A file written since the boot by a daemon before this one: there may be a copy in RAM from before the file. Where
    # that was taken up, the file's rows are counted by now, and what a full table had evicted by the file is back.
    may_be_behind = is_written_by_one_before(compared.current, files, compared.previous.period_start)
    is_behind = may_be_behind and not is_taken_up and bool(before)
    if may_be_behind and may_have_forgotten_rows(compared, saved):
        base = {**old, **saved}
        is_behind = True
    elif is_behind:
        base = saved
    after: dict[RowKey, Counters] = {}
    for key, counters in compared.new.items():
        start = base.get(key, NOTHING)
        # Below what it began with: evicted since, and back from zero.
        after[key] = gain(counters, start) if is_behind or is_at_least(counters, start) else counters
    return SinceRestore(before, after, is_behind)


def may_have_forgotten_rows(compared: Comparison, saved: Table) -> bool:
    """Whether a file that is newer than the last reading may have rows above it that were counted all the same.

    In a full table rows are forgotten. One that was counted before it was evicted can be back in the file, by an older
    commit that another restart took up.
    """
    return any(compared.current.would_be_full(table) for table in (compared.old, saved, compared.new))


def above_commit(compared: Comparison, rows: Table, saved: Table) -> dict[RowKey, Counters]:
    """Of ``rows``, those that may come from the commit: only what lies above it. One that had been evicted can be in
    the last reading with less: back from zero by then, and from the commit now.
    """
    new, old = compared.new, compared.old
    back = [key for key in saved.keys() & rows.keys() if is_at_least(new[key], saved[key])]
    return {key: gain(rows[key], gain(saved[key], old.get(key, NOTHING))) for key in back}


def _is_newer(compared: Comparison, saved: Table, files: RouterFiles) -> bool:
    """Whether a commit was made after the earlier reading. When it was written tells; else the counters do.

    A row that only the commit has tells nothing, it may have been evicted before the reading; unless the commit has all
    of the reading's rows: then nothing was.
    """
    old = compared.old
    elapsed_s = (compared.current.read_at - compared.previous.read_at).total_seconds()
    age_s = files.ages_s.get(compared.previous.period_start)
    if age_s is not None and abs(age_s - elapsed_s) > FILE_TIME_TOLERANCE_S:
        return age_s < elapsed_s
    if any(key in old and not is_at_least(old[key], counters) for key, counters in saved.items()):
        return True
    return len(saved) > len(old) and old.keys() <= saved.keys()


def is_written_by_one_before(current: Reading, files: RouterFiles, start: date) -> bool:
    """Whether a daemon wrote the file of that period after the boot, and another one came after it."""
    age_s, uptime_s, daemon_uptime_s = files.ages_s.get(start), current.uptime_s, current.daemon_uptime_s
    if age_s is None or uptime_s is None or daemon_uptime_s is None:
        return False
    return daemon_uptime_s - FILE_TIME_TOLERANCE_S <= age_s < uptime_s - FILE_TIME_TOLERANCE_S


def is_saved_since(compared: Comparison, files: RouterFiles, uptime_s: float) -> bool:
    """Whether the daemon has written its file since it came back, so that the file is not what it came back with."""
    age_s = files.ages_s.get(compared.previous.period_start)
    return uptime_s >= files.commit_interval_s if age_s is None else age_s + FILE_TIME_TOLERANCE_S < uptime_s
