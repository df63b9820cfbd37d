"""Usage where the names of the router's files prove nothing (`doubted_names`): from contents alone. Pure.

A table goes on from another one for certain if it has all of its rows, none of them smaller, and one that nobody used
since is exactly what it was. What can't be proved is not counted, and noted as unknown.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

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
from services.accounting.doubted_names import has_begun_again, has_copy_by_another_clock, merged_files
from services.accounting.reading_step import ReadingStep
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, Restart, is_written_by_one_before


class Proven(NamedTuple):
    """What can be told from contents alone."""

    #: What a file holds above the last reading.
    left_over: Mapping[RowKey, Counters]
    #: What the later reading holds above the table that it counts on from.
    rows: Mapping[RowKey, Counters]
    period_start: date
    #: Nothing else can have been counted in between.
    is_whole: bool
    #: The period whose file was taken up, for certain; None: it can't be told.
    taken_up: date | None = None


def prove(step: ReadingStep) -> Proven:
    """Usage between the two readings."""
    is_growth = not step.compared.shrunk and has_unmoved(step.new, step.old)
    has_run_on = step.restart is Restart.NONE or (step.restart is Restart.UNKNOWN and is_growth)
    return _while_it_ran(step) if has_run_on else _over_a_restart(step)


def _while_it_ran(step: ReadingStep) -> Proven:
    """A daemon that ran on rolls over or doesn't: where it did, all rows began again at zero."""
    compared, tables = step.compared, step.tables
    previous, current = compared.previous.period_start, compared.current.period_start
    # Back from zero. A row that isn't below what it was counts from there, though it may have begun again as well.
    rows = compared.gained | {key: compared.new[key] for key in compared.shrunk}
    if merged := merged_files(step):
        base = most_of([step.old, *(tables[start] for start in merged)])
        above = {key: gain(counters, base.get(key, NOTHING)) for key, counters in step.new.items()}
        taken_up = next((start for start in merged if may_go_on_from(step.new, tables[start])), None)
        return Proven({}, above, max(previous, current), is_whole=False, taken_up=taken_up)
    if has_begun_again(compared):
        left_over = _left_over(step, [tables.get(previous, {})])
        return Proven(left_over, rows, max(previous, current), is_whole=False)
    return Proven({}, rows, max(previous, current), is_whole=goes_on_from(compared.new, compared.old))


def _over_a_restart(step: ReadingStep) -> Proven:
    """The daemon took up a file or, where it wasn't the first one since the boot, a copy in RAM; or it began at zero.
    Of several that it went on from for certain, it is the one that leaves the least usage; of those that it may have
    gone on from, only what lies above all of them counts.
    """
    compared, restart, tables = step.compared, step.restart, step.tables
    previous, current = compared.previous.period_start, compared.current.period_start
    if _may_be_of_any_table(step):
        return Proven({}, {}, current, is_whole=False)
    # The period that it started in comes first: it is the likelier one of two that are alike.
    starts = [current, previous, *sorted(tables.keys() - {current, previous}, reverse=True)]
    files = [tables.get(start, {}) for start in starts]
    if restart is Restart.ROUTER:
        # A copy in RAM may be a little behind a file that was written since the boot.
        behind = [
            tables[start]
            for start in starts
            if start in tables
            and not may_go_on_from(compared.new, tables[start])
            and (
                is_written_by_one_before(step.current, step.files, start)
                or goes_on_from(tables[start], compared.new)  # what it was before tells nobody any more
            )
        ]
        candidates = [*behind, *(table for table in files if may_go_on_from(compared.new, table))]
        is_behind = bool(behind)
        if has_unmoved(compared.new, compared.old):  # by a file that is gone meanwhile
            is_behind = True
            candidates.append(
                {key: old for key, old in compared.old.items() if is_at_least(compared.new.get(key, NOTHING), old)}
            )
    else:  # or behind the reading
        candidates = [*files, compared.old]
        is_behind = not may_go_on_from(compared.new, compared.old)
    proven = [table for table in candidates if goes_on_from(compared.new, table)]
    base = max(proven, key=_size) if proven and not is_behind else most_of(candidates)
    # A row that a full table had forgotten can be back with what it was counted for.
    has_forgotten = step.would_be_full(compared.old, compared.new, base)
    known = compared.old if is_behind and restart is not Restart.ROUTER else base
    rows = {
        key: gain(counters, base.get(key, NOTHING))
        for key, counters in compared.new.items()
        if key in known or not has_forgotten
    }
    newer = [tables.get(start, {}) for start in (previous, current) if not _may_be_counted(step, start)]
    left_over = {} if base is compared.old else _left_over(step, newer, base)
    start = previous if base is files[1] else current
    taken_up = start if any(base is file for file in files) else None
    has_all_of_it = current in tables and may_go_on_from(compared.new, tables[current])
    if has_all_of_it and not step.current.clock_was_set:
        taken_up = current  # by its name at the start, the daemon could take up no other one
    return Proven(left_over, rows, start, is_whole=False, taken_up=taken_up)


def _may_be_of_any_table(step: ReadingStep) -> bool:
    """Whether the daemon may have come back with a copy in RAM that was made by another clock: before the earlier
    reading, or by a daemon before it. Nobody has seen that table.
    """
    refresh_s, daemon_up_s = step.files.refresh_interval_s, step.current.daemon_uptime_s
    if has_copy_by_another_clock(step) and daemon_up_s is not None and daemon_up_s < refresh_s:
        return step.has_restarted
    started_after_s = (step.restarted_at - step.since).total_seconds()
    is_soon = started_after_s <= refresh_s + 5
    return step.restart is Restart.DAEMON and is_soon and step.previous.period_start in step.previous.doubted


def _may_be_counted(step: ReadingStep, start: date) -> bool:
    """Whether what that period's file has above the last reading may have been counted when it was found there.

    The file is from before that reading; or nobody knows, and it was in doubt by then, as one ahead of its table is.
    """
    written = step.written_at(start)
    if written is None or step.current.clock_was_set:
        return start in step.previous.doubted or start < step.previous.period_start
    return written < step.since - timedelta(seconds=FILE_TIME_TOLERANCE_S)


def _left_over(step: ReadingStep, files: list[Table], base: Table | None = None) -> dict[RowKey, Counters]:
    """What the first file that goes on from the last reading holds above it, unless the table has it as well."""
    old, new = step.old, step.new
    for file in files:
        is_full = step.would_be_full(file, old)
        is_in_table = file is not base and may_go_on_from(new, file)
        if not is_full and not is_in_table and goes_on_from(file, old):
            return {key: gain(counters, old.get(key, NOTHING)) for key, counters in file.items()}
    return {}


def _size(table: Table) -> int:
    return sum(down + up for down, up in table.values())
