"""Which accounting period a table of counters belongs to. Pure.

Its name comes from the router's clock, and that can be wrong, set, or seconds ahead of the daemon.
"""

from datetime import date, datetime

from services.accounting.counters import covers
from services.accounting.doubted_names import was_archived
from services.accounting.reading_step import ReadingStep
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, ROLLOVER_DELAY_S
from utils.errors import RolloverInProgress


def find_period_start(step: ReadingStep) -> date:
    """The period that the later reading's counters belong to. A daemon that runs on never goes back to an earlier one,
    and just after midnight its counters decide.

    Raises RolloverInProgress where even they leave it open; a minute later it is plain.
    """
    compared, tables = step.compared, step.tables
    previous, current = compared.previous.period_start, compared.current.period_start
    if current <= previous:
        return previous
    if not may_be_before_rollover(step):
        return current
    last = step.passed[-1] if step.passed else None
    has_ended = last and was_archived(step, last)
    if last and has_ended is not None and not _is_close(step.written_at(last.start), last.span.end):
        if has_ended:
            return current
        if last.start == previous:
            return previous
    if any(period.start > previous for period in step.passed):
        raise RolloverInProgress  # of which period these counters are, nothing that was read before can tell
    # Where the router doesn't tell when it wrote its files: what it serves under the old name is the archive after the
    # rollover, the last commit before it. A row that is gone tells nothing, it may have been evicted. Those still there
    # decide.
    on_disk = tables.get(previous)
    earlier = compared.old if on_disk is None else on_disk
    if earlier and not compared.new.keys() & earlier.keys():
        return current
    if not covers(compared.new, earlier):
        return current
    if on_disk is None or not covers(on_disk, compared.old):
        return previous
    raise RolloverInProgress


def _is_close(written: datetime | None, end: datetime) -> bool:
    """Whether a commit just before a period's end may pass for its archive."""
    return written is not None and abs((written - end).total_seconds()) <= FILE_TIME_TOLERANCE_S


def may_be_before_rollover(step: ReadingStep) -> bool:
    """Whether the period's name is so new that the daemon may not have looked at the date since. One that started
    since began in the period that it found.
    """
    age_s = step.current.period_age_s
    if step.current.period_start <= step.previous.period_start or age_s is None or age_s > ROLLOVER_DELAY_S:
        return False
    uptimes = [up for up in (step.current.daemon_uptime_s, step.current.uptime_s) if up is not None]
    return not (step.has_restarted and uptimes and min(uptimes) < age_s)
