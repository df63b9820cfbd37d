"""Whether the names of the router's files can be believed. Pure.

nlbwmon names its period and its files by the router's clock at that moment, right or wrong. Where that was set, a file
can carry the name of another period, and a period's name can change without its counters beginning again. Then
`proven_usage` counts what contents prove.
"""

from dataclasses import replace
from datetime import date, timedelta

from services.accounting.counters import Comparison, goes_on_from, has_unmoved, may_go_on_from
from services.accounting.reading_step import ReadingStep
from services.accounting.restored_tables import FILE_TIME_TOLERANCE_S, ROLLOVER_DELAY_S, Restart
from services.accounting.usage import PassedPeriod
from services.buckets import Span


def are_doubtful(step: ReadingStep) -> bool:
    """Whether the names of the router's files prove nothing: its clock or zone was set since the reading before. It
    says so, or a file is dated ahead of it, or a file that was in doubt once may have been taken up, or the counters
    contradict the names.
    """
    is_dated_ahead = any(age_s < -FILE_TIME_TOLERANCE_S for age_s in step.files.ages_s.values())
    if step.current.clock_was_set or is_dated_ahead or has_copy_by_another_clock(step) or merged_files(step):
        return True
    periods = {step.previous.period_start, step.current.period_start, *(period.start for period in step.passed)}
    if step.has_restarted and periods & step.previous.doubted:
        return True
    if _is_of_another_table(step):
        return True
    if step.current.period_start <= step.previous.period_start:
        is_set_back = step.has_restarted and step.current.period_start < step.previous.period_start
        return is_set_back or (step.restart is Restart.NONE and has_begun_again(step.compared))
    return _has_ended_none(step)


def has_copy_by_another_clock(step: ReadingStep) -> bool:
    """Whether the copy in RAM is dated before the boot: the clock was set since it was made."""
    age_s, uptime_s = step.files.ram_copy_age_s, step.current.uptime_s
    return age_s is not None and uptime_s is not None and age_s > uptime_s + FILE_TIME_TOLERANCE_S


def merged_files(step: ReadingStep) -> list[date]:
    """The periods whose files' rows may have been added to the table since. A daemon that began without a file does so
    at its first commit, if the clock was set to a period that has one.
    """
    if step.has_restarted:
        return []
    earliest = step.since - timedelta(seconds=FILE_TIME_TOLERANCE_S)
    archived = {period.start for period in step.passed if was_archived(step, period)}
    return [
        start
        for start in dict.fromkeys((step.current.period_start, step.previous.period_start))
        if start in step.tables and start not in archived and is_file_in_doubt(step.compared, start)
        if (written := step.written_at(start)) is None or written >= earliest
    ]


def is_file_in_doubt(compared: Comparison, start: date) -> bool:
    """Whether that period's file may be another table's than that of the earlier reading: the clock was set back to
    that period, or the file was in doubt by then.
    """
    return start < compared.previous.period_start or start in compared.previous.doubted


def _has_ended_none(step: ReadingStep) -> bool:
    """Whether no period ended, for all that the counters tell, though the name is another one."""
    if step.restart is Restart.NONE and _has_kept_doubted_rows(step):
        return True
    age_s = step.current.period_age_s
    if not step.has_restarted and age_s is not None and age_s <= ROLLOVER_DELAY_S:
        return False  # it may not have begun yet: `counted_periods`
    if step.restart is not Restart.NONE:
        return False  # one that was stopped around a period's start takes its table along: `rollovers`
    in_order = [was_archived(step, period) for period in step.passed]
    if _lacks_what_was_read(step):
        return True
    has_lost = bool(step.compared.vanished or step.compared.shrunk)
    if has_lost and in_order and all(in_order):
        return False
    return _have_gone_on(step) or any(one is False for one in in_order)


def _is_of_another_table(step: ReadingStep) -> bool:
    """Whether the file of the earlier reading's period was written before that reading and has more than it: that
    table has begun again in between. Where rows are evicted, it proves nothing.
    """
    file, written = step.tables.get(step.previous.period_start), step.written_at(step.previous.period_start)
    if file is None or written is None or step.current.row_limit is None:
        return False
    is_older = written < step.since - timedelta(seconds=FILE_TIME_TOLERANCE_S)
    return is_older and not step.would_be_full(file, step.old) and not may_go_on_from(step.old, file)


def _lacks_what_was_read(step: ReadingStep) -> bool:
    """Whether the file of the earlier reading's period can't be the archive of what was read: it has fewer rows, though
    a table only ever overwrites one, or not the same ones, though none was overwritten.
    """
    archive = step.tables.get(step.previous.period_start)
    if archive is None:
        return False
    if len(archive) < len(step.old):
        return True
    is_full = step.current.row_limit is None or step.would_be_full(archive, step.old)
    return not is_full and not may_go_on_from(archive, step.old)


def _has_kept_doubted_rows(step: ReadingStep) -> bool:
    """Whether a table of a doubted name looks as if it had gone on since it was read: then no period ended for it,
    whatever was archived by that name. Of a full table, rows that nobody used since are enough.
    """
    if step.previous.period_start not in step.previous.doubted:
        return False
    return has_unmoved(step.new, step.old) or may_go_on_from(step.new, step.old)


def _have_gone_on(step: ReadingStep) -> bool:
    """Whether the counters did not begin again since: for certain, or as far as they tell where no file is left."""
    compared = step.compared
    if goes_on_from(step.new, step.old):
        return True
    if compared.shrunk or not step.old:
        return False
    if has_unmoved(step.new, step.old) and not has_begun_again(compared):
        return True  # the others were evicted
    return not (compared.vanished or step.current.may_be_full or step.tables)


def was_archived(step: ReadingStep, period: PassedPeriod) -> bool | None:
    """Whether the period's file was written where the period ended, as a daemon does whose clock is right; None where
    that isn't told.
    """
    written = step.written_at(period.start)
    if written is None:
        return None
    late_s = (written - period.span.end).total_seconds()
    delay_s = max(ROLLOVER_DELAY_S, 2 * step.files.refresh_interval_s)
    return -FILE_TIME_TOLERANCE_S <= late_s <= delay_s + FILE_TIME_TOLERANCE_S


def rolled_over_at(step: ReadingStep) -> list[PassedPeriod]:
    """The periods that ended, each ended where its archive was written, as far as that is told: some seconds after it
    was due.
    """
    found: list[PassedPeriod] = []
    for period in step.passed:
        start = found[-1].span.end if found else period.span.start
        end, written = period.span.end, step.written_at(period.start)
        if written is not None and was_archived(step, period):
            end = max(end, written)
        found.append(replace(period, span=Span(start, end)))
    return found


def is_written_before(step: ReadingStep, period: PassedPeriod) -> bool:
    """Whether the period's file was written before that part of it which lies between the readings."""
    written = step.written_at(period.start)
    return written is not None and written < period.span.start - timedelta(seconds=FILE_TIME_TOLERANCE_S)


def has_begun_again(compared: Comparison) -> bool:
    """Whether a daemon that ran on began again at zero: rows are gone or went back, none is what it was, and it isn't
    that rows are evicted.
    """
    is_full = compared.current.may_be_full or compared.current.would_be_full(compared.old)
    has_lost = bool(compared.vanished or compared.shrunk)
    return has_lost and not is_full and not has_unmoved(compared.new, compared.old)
