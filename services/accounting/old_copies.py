"""A daemon that comes back with the rows of the period before. Pure.

nlbwmon empties its table at a rollover, but not its copy in RAM: up to the next refresh that has the old period's rows.
A daemon that dies in that time takes them up as rows of the new period. So it does with a commit that was made by the
new period's name in the seconds before the rollover.
"""

from datetime import date, datetime, timedelta

from services.accounting.counters import (
    NOTHING,
    SMALLEST_PACKET,
    Comparison,
    Counters,
    RowKey,
    Table,
    gain,
    goes_on_from,
    has_unmoved,
    is_at_least,
)
from services.accounting.reading_step import ReadingStep
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, ROLLOVER_DELAY_S, Restart

#: In a whole period that nobody read, a row of fewer bytes may be what it was in the one before by chance.
_NO_CHANCE = 65_536


def may_be_taken_up(compared: Comparison) -> bool:
    """Whether the earlier reading lies so near the start of its period, the same as the later one's, that the copy in
    RAM may still have been the old period's.
    """
    age_s = compared.current.period_age_s
    if age_s is None or compared.current.period_start != compared.previous.period_start:
        return False
    elapsed_s = (compared.current.read_at - compared.previous.read_at).total_seconds()
    return age_s - elapsed_s <= 2 * ROLLOVER_DELAY_S


def is_taken_up(step: ReadingStep, ended: date, table: Table, growth: Table) -> bool:
    """Whether ``table`` began with the copy of the period ``ended`` rather than with its own. It is that of the later
    reading, its last commit, or the archive of a period before it. ``growth``: what was used if it did not.

    Rows are exactly what the archive of ``ended`` has; or the daemon started within a refresh interval after that was
    written, and less needs to have happened that way.
    """
    archive, written = step.tables.get(ended), step.written_at(ended)
    if not archive or step.restart is Restart.NONE:
        return False
    is_read = table is step.new or table is step.tables.get(step.current.period_start)
    if is_read and _came_back_with_file(step):
        return False
    is_soon = not step.is_first_daemon and written is not None and _has_started(step, written, written)
    # Those that the earlier reading of a later period had as well were brought back before it.
    seen = step.old if ended < step.previous.period_start else {}
    back = {key: counters for key, counters in archive.items() if seen.get(key) != counters}
    reached = sum(1 for key, counters in archive.items() if is_at_least(table.get(key, NOTHING), counters))
    is_later = written is not None and step.restarted_at >= written
    least = SMALLEST_PACKET if is_read or is_soon else _NO_CHANCE
    if (is_read or is_later) and has_unmoved(table, back, least) and 2 * reached >= len(archive):
        return True
    if not is_soon:
        return False
    lost = sum(sum(gain(counters, table.get(key, NOTHING))) for key, counters in archive.items())
    ran = sum(map(sum, usage_on_top(step, table, archive).values()))
    return lost + ran < sum(map(sum, growth.values()))


def is_lost(step: ReadingStep, began: datetime | None) -> bool:
    """Whether the daemon started so soon after the earlier reading's period ``began`` that it may have come back with
    the rows of the one before, and the router has no file of that one to tell them by.
    """
    if step.restart is not Restart.DAEMON or began is None:
        return False
    if any(start < step.previous.period_start for start in step.tables):
        return False
    return _has_started(step, began, began + timedelta(seconds=step.files.refresh_interval_s))


def _has_started(step: ReadingStep, earliest: datetime, latest: datetime) -> bool:
    """Whether the daemon started after a rollover, which was in that time, and before the first refresh after it."""
    since_s = (step.restarted_at - earliest).total_seconds()
    until_s = (step.restarted_at - latest).total_seconds()
    return since_s >= -FILE_TIME_TOLERANCE_S and until_s <= step.files.refresh_interval_s + 5


def _came_back_with_file(step: ReadingStep) -> bool:
    """Whether the table began as the running period's file, and that was counted by the earlier reading: then it tells
    more.
    """
    start = step.current.period_start
    file, written = step.tables.get(start), step.written_at(start)
    return file is not None and written is not None and written <= step.since and goes_on_from(step.new, file)


def usage_on_top(step: ReadingStep, table: Table, archive: Table) -> dict[RowKey, Counters]:
    """What was used since: at least what lies above the archive, as the copy is no newer."""
    has_forgotten = step.would_be_full(table, archive)
    return {
        key: gain(counters, archive.get(key, NOTHING))
        for key, counters in table.items()
        if key in archive or not has_forgotten
    }
