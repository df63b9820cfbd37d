"""A daemon that comes back with the rows of the period before. Pure.

nlbwmon empties its table at a rollover, but not its copy in RAM: up to the next refresh that has the old period's rows.
A daemon that dies in that time takes them up as rows of the new period. So it does with a commit that was made by the
new period's name in the seconds before the rollover.
"""

from datetime import date

from services.counters import NOTHING, Comparison, Counters, RowKey, Table, gain, goes_on_from, has_unmoved, is_at_least
from services.reading_step import ReadingStep
from services.restored_tables import ROLLOVER_DELAY_S, Restart


def may_be_taken_up(compared: Comparison) -> bool:
    """Whether the earlier reading lies so near the start of its period, the same as the later one's, that the copy in
    RAM may still have been the old period's.
    """
    age_s = compared.current.period_age_s
    if age_s is None or compared.current.period_start != compared.previous.period_start:
        return False
    elapsed_s = (compared.current.read_at - compared.previous.read_at).total_seconds()
    return age_s - elapsed_s <= 2 * ROLLOVER_DELAY_S


def is_taken_up(step: ReadingStep, ended: date, growth: Table) -> bool:
    """Whether the daemon came back with the copy of the period ``ended`` rather than with its own. ``growth``: what was
    used if it did not.

    Rows are exactly what the archive has; or the daemon started within a refresh interval after the rollover, and less
    needs to have happened that way.
    """
    archive, written = step.tables.get(ended), step.written_at(ended)
    if not archive or step.restart is Restart.NONE or _came_back_with_file(step):
        return False
    # Those that the earlier reading had as well were brought back before it.
    back = {key: counters for key, counters in archive.items() if step.old.get(key) != counters}
    reached = sum(1 for key, counters in archive.items() if is_at_least(step.new.get(key, NOTHING), counters))
    if has_unmoved(step.new, back) and 2 * reached >= len(archive):
        return True
    if (
        step.is_first_daemon
        or written is None
        or (step.restarted_at - written).total_seconds() > step.files.refresh_interval_s + 5
    ):
        return False
    lost = sum(sum(gain(counters, step.new.get(key, NOTHING))) for key, counters in archive.items())
    ran = sum(map(sum, usage_on_top(step, archive).values()))
    return lost + ran < sum(map(sum, growth.values()))


def _came_back_with_file(step: ReadingStep) -> bool:
    """Whether the table began as the running period's file, and that was counted by the earlier reading: then it tells
    more.
    """
    start = step.current.period_start
    file, written = step.tables.get(start), step.written_at(start)
    return file is not None and written is not None and written <= step.since and goes_on_from(step.new, file)


def usage_on_top(step: ReadingStep, archive: Table) -> dict[RowKey, Counters]:
    """What was used since: at least what lies above the archive, as the copy is no newer."""
    has_forgotten = step.would_be_full(step.new, archive)
    return {
        key: gain(counters, archive.get(key, NOTHING))
        for key, counters in step.new.items()
        if key in archive or not has_forgotten
    }
