"""A daemon that comes back with the rows of the period before. Pure.

nlbwmon empties its table at a rollover, but not its copy in RAM: up to the next refresh that has the old period's rows.
A daemon that dies in that time takes them up as rows of the new period.
"""

from datetime import date

from services.counters import NOTHING, Comparison, Counters, RowKey, Table, gain, has_unmoved, is_at_least
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
    if not archive or step.restart is Restart.NONE or step.is_first_daemon:
        return False
    reached = sum(1 for key, counters in archive.items() if is_at_least(step.new.get(key, NOTHING), counters))
    if has_unmoved(step.new, archive) and 2 * reached >= len(archive):
        return True
    if written is None or (step.restarted_at - written).total_seconds() > step.files.refresh_interval_s + 5:
        return False
    lost = sum(sum(gain(counters, step.new.get(key, NOTHING))) for key, counters in archive.items())
    ran = sum(map(sum, usage_on_top(step, archive).values()))
    return lost + ran < sum(map(sum, growth.values()))


def usage_on_top(step: ReadingStep, archive: Table) -> dict[RowKey, Counters]:
    """What was used since: at least what lies above the archive, as the copy is no newer."""
    has_forgotten = step.would_be_full(step.new, archive)
    return {
        key: gain(counters, archive.get(key, NOTHING))
        for key, counters in step.new.items()
        if key in archive or not has_forgotten
    }
