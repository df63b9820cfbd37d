"""Usage where the router's clock or zone was set between two readings. Pure.

nlbwmon names its period and its files by the router's clock at that moment, right or wrong. Where that was set, a file
can carry the name of another period, and a period's name can change without its counters beginning again. So here no
name proves anything, contents do: a table goes on from another one if it has all of its rows, none of them smaller, and
one that nobody used since is exactly what it was. What can't be proved is not counted, and noted as unknown.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from services.accounted_usage import PassedPeriod
from services.counters import NOTHING, Comparison, Counters, RowKey, Table, gain, is_at_least
from services.restored_tables import (
    FILE_TIME_TOLERANCE_S,
    ROLLOVER_DELAY_S,
    Restart,
    RouterFiles,
)

#: No packet is smaller. Rows of fewer bytes may be alike by chance.
_SMALLEST_PACKET = 28


class Proven(NamedTuple):
    """What can be told from contents alone."""

    #: What a file holds above the last reading.
    left_over: Mapping[RowKey, Counters]
    #: What the later reading holds above the table that it counts on from.
    rows: Mapping[RowKey, Counters]
    period_start: date
    #: Nothing else can have been counted in between.
    is_whole: bool


def goes_on_from(later: Table, earlier: Table) -> bool:
    """Whether ``later`` was ``earlier`` once, for certain."""
    return _may_go_on_from(later, earlier) and _has_unmoved(later, earlier)


def _has_unmoved(later: Table, earlier: Table) -> bool:
    """Whether a row is exactly what it was: it would not come back there by chance."""
    return any(later.get(key) == counters and sum(counters) >= _SMALLEST_PACKET for key, counters in earlier.items())


def _may_go_on_from(later: Table, earlier: Table) -> bool:
    return all(key in later and is_at_least(later[key], counters) for key, counters in earlier.items())


def needs_files(compared: Comparison, restart: Restart) -> bool:
    """Whether the two readings alone don't tell."""
    return restart is not Restart.NONE or has_begun_again(compared)


def are_doubtful(
    compared: Comparison,
    restart: Restart,
    files: RouterFiles,
    tables: Mapping[date, Table],
    passed: Sequence[PassedPeriod],
) -> bool:
    """Whether the names of the router's files prove nothing: its clock or zone was set since the reading before. It
    says so, or a file is dated ahead of it, or the counters contradict the names: they went on though a period ended,
    or began again though none did, or there was no archive written where one did, or an older file has more than the
    reading had. And a file that was in doubt once is so until its period ends in good order, for any restart.
    """
    if compared.current.clock_was_set or any(age_s < -FILE_TIME_TOLERANCE_S for age_s in files.ages_s.values()):
        return True
    periods = {compared.previous.period_start, compared.current.period_start, *(period.start for period in passed)}
    if restart is not Restart.NONE and periods & compared.previous.doubted:
        return True
    if _is_of_another_table(compared, files, tables):
        return True
    if compared.current.period_start > compared.previous.period_start and _have_gone_on(compared, restart, tables):
        return True
    if restart is not Restart.NONE:
        return False
    if not passed:
        return has_begun_again(compared)
    return any(was_archived(compared, files, period) is False for period in passed)


def _is_of_another_table(compared: Comparison, files: RouterFiles, tables: Mapping[date, Table]) -> bool:
    """Whether the file of the earlier reading's period was written before that reading and has more than it: that
    table has begun again in between. Where rows are evicted, it proves nothing.
    """
    start = compared.previous.period_start
    file, age_s = tables.get(start), files.ages_s.get(start)
    elapsed_s = (compared.current.read_at - compared.previous.read_at).total_seconds()
    if file is None or age_s is None or age_s < elapsed_s + FILE_TIME_TOLERANCE_S or compared.current.row_limit is None:
        return False
    is_full = any(compared.current.would_be_full(table) for table in (file, compared.old))
    return not is_full and not _may_go_on_from(compared.old, file)


def _have_gone_on(compared: Comparison, restart: Restart, tables: Mapping[date, Table]) -> bool:
    """Whether the counters did not begin again since: for certain, or that period's archive lacks what was read, or no
    period has one.
    """
    if goes_on_from(compared.new, compared.old) or (
        restart is Restart.NONE and _has_unmoved(compared.new, compared.old)
    ):
        return True
    if restart is not Restart.NONE or compared.vanished or compared.shrunk or not compared.old:
        return False
    if compared.current.may_be_full:
        return False
    archive = tables.get(compared.previous.period_start)
    return not tables or (archive is not None and not _may_go_on_from(archive, compared.old))


def was_archived(compared: Comparison, files: RouterFiles, period: PassedPeriod) -> bool | None:
    """Whether the period's file was written where the period ended, as a daemon does whose clock is right; None where
    that isn't told.
    """
    age_s = files.ages_s.get(period.start)
    if age_s is None:
        return None
    late_s = (compared.current.read_at - period.span.end).total_seconds() - age_s
    return -FILE_TIME_TOLERANCE_S <= late_s <= ROLLOVER_DELAY_S + FILE_TIME_TOLERANCE_S


def is_written_before(compared: Comparison, files: RouterFiles, period: PassedPeriod) -> bool:
    """Whether the period's file was written before that part of it which lies between the readings."""
    age_s = files.ages_s.get(period.start)
    if age_s is None:
        return False
    return age_s > (compared.current.read_at - period.span.start).total_seconds() + FILE_TIME_TOLERANCE_S


def prove(compared: Comparison, restart: Restart, tables: Mapping[date, Table]) -> Proven:
    """Usage between the two readings. ``tables``: the files of both readings' periods, as far as there are any."""
    if restart is Restart.NONE:
        return _while_it_ran(compared, tables)
    return _over_a_restart(compared, restart, tables)


def _while_it_ran(compared: Comparison, tables: Mapping[date, Table]) -> Proven:
    """A daemon that ran on rolls over or doesn't: where it did, all rows began again at zero."""
    previous, current = compared.previous.period_start, compared.current.period_start
    if has_begun_again(compared):
        left_over = _left_over(compared, [tables.get(previous, {})])
        return Proven(left_over, compared.new, max(previous, current), is_whole=False)
    back = {key: compared.new[key] for key in compared.shrunk}  # evicted, and back from zero
    age_s = compared.current.period_age_s
    is_late = age_s is not None and age_s <= ROLLOVER_DELAY_S
    return Proven(
        {},
        compared.gained | back,
        previous if is_late else max(previous, current),
        is_whole=goes_on_from(compared.new, compared.old),
    )


def has_begun_again(compared: Comparison) -> bool:
    """Whether rows are gone or went back in a table that isn't full: a daemon that runs loses none otherwise."""
    is_full = compared.current.may_be_full or compared.current.would_be_full(compared.old)
    return not is_full and bool(compared.vanished or compared.shrunk)


def _over_a_restart(compared: Comparison, restart: Restart, tables: Mapping[date, Table]) -> Proven:
    """The daemon took up a copy of the last reading or one of the files, or began at zero. Of several that it went on
    from for certain, it is the one that leaves the least usage; where it is none, only what lies above all of them
    counts.
    """
    previous, current = compared.previous.period_start, compared.current.period_start
    # The period that it started in comes first: it is the likelier one of two that are alike.
    candidates = [tables.get(current, {}), tables.get(previous, {}), compared.old]
    proven = [table for table in candidates if goes_on_from(compared.new, table)]
    # A copy in RAM may be a little behind the reading; no boot leaves one.
    is_behind = restart is not Restart.ROUTER and not _may_go_on_from(compared.new, compared.old)
    base = max(proven, key=_size) if proven and not is_behind else _most_of(candidates)
    # A row that a full table had forgotten can be back with what it was counted for.
    has_forgotten = any(compared.current.would_be_full(table) for table in (compared.old, compared.new, base))
    rows = {
        key: gain(counters, base.get(key, NOTHING))
        for key, counters in compared.new.items()
        if key in base or not has_forgotten
    }
    left_over = {} if base is compared.old else _left_over(compared, [candidates[1], candidates[0]], base)
    return Proven(left_over, rows, previous if base is candidates[1] else current, is_whole=False)


def _most_of(tables: Sequence[Table]) -> dict[RowKey, Counters]:
    """Of each row the most that any of the tables has."""
    most: dict[RowKey, Counters] = {}
    for table in tables:
        for key, (down, up) in table.items():
            most_down, most_up = most.get(key, NOTHING)
            most[key] = max(down, most_down), max(up, most_up)
    return most


def _left_over(compared: Comparison, files: list[Table], base: Table | None = None) -> dict[RowKey, Counters]:
    """What the first file that goes on from the last reading holds above it, unless the table has it as well."""
    old, new = compared.old, compared.new
    for file in files:
        is_full = compared.current.would_be_full(file) or compared.current.would_be_full(old)
        is_in_table = file is not base and _may_go_on_from(new, file)
        if not is_full and not is_in_table and goes_on_from(file, old):
            return {key: gain(counters, old.get(key, NOTHING)) for key, counters in file.items()}
    return {}


def _size(table: Table) -> int:
    return sum(down + up for down, up in table.values())
