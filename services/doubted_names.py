"""Whether the names of the router's files can be believed. Pure.

nlbwmon names its period and its files by the router's clock at that moment, right or wrong. Where that was set, a file
can carry the name of another period, and a period's name can change without its counters beginning again. Then
services/proven_usage.py counts what contents prove.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from services.accounted_usage import PassedPeriod
from services.buckets import Span
from services.counters import NOTHING, Comparison, Table, goes_on_from, has_unmoved, is_at_least, may_go_on_from
from services.restored_tables import FILE_TIME_TOLERANCE_S, ROLLOVER_DELAY_S, Restart, RouterFiles

#: A router that was stopped at a period's start is back within this time.
_SLOW_BOOT_S = 600


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
    has_restarted = restart in (Restart.DAEMON, Restart.ROUTER)
    periods = {compared.previous.period_start, compared.current.period_start, *(period.start for period in passed)}
    if has_restarted and periods & compared.previous.doubted:
        return True
    if has_restarted and _has_taken_old_period_along(compared, files, tables, passed):
        return True
    if _is_of_another_table(compared, files, tables):
        return True
    if compared.current.period_start <= compared.previous.period_start:
        return restart is Restart.NONE and has_begun_again(compared)
    period_age_s = compared.current.period_age_s
    if not has_restarted and period_age_s is not None and period_age_s <= ROLLOVER_DELAY_S:
        return False  # it may not have begun yet: services/counted_periods.py
    if restart is Restart.NONE and (_lacks_what_was_read(compared, tables) or _has_kept_doubted_rows(compared)):
        return True
    has_lost = bool(compared.vanished or compared.shrunk)
    if has_lost and passed and all(was_archived(compared, files, period) for period in passed):
        return False
    if _have_gone_on(compared, restart, tables):
        return True
    return restart is Restart.NONE and any(was_archived(compared, files, period) is False for period in passed)


def _has_taken_old_period_along(
    compared: Comparison, files: RouterFiles, tables: Mapping[date, Table], passed: Sequence[PassedPeriod]
) -> bool:
    """Whether the running period's file has the old period's table: a daemon that is stopped in the seconds between a
    period's start and its next look at the date saves what it has by the new name, and takes it up again.
    """
    file = tables.get(compared.current.period_start)
    if not passed or not file:
        return False
    since_s = (compared.current.read_at - passed[-1].span.end).total_seconds()
    age_s, uptime_s = files.ages_s.get(compared.current.period_start), compared.current.daemon_uptime_s
    is_recent = any(
        moment_s is not None and 0 <= since_s - moment_s + FILE_TIME_TOLERANCE_S <= _SLOW_BOOT_S
        for moment_s in (age_s, uptime_s)
    )
    reached = sum(1 for key, counters in compared.old.items() if is_at_least(file.get(key, NOTHING), counters))
    return is_recent and 2 * reached > len(compared.old)


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
    return not is_full and not may_go_on_from(compared.old, file)


def _lacks_what_was_read(compared: Comparison, tables: Mapping[date, Table]) -> bool:
    """Whether the file of the earlier reading's period can't be the archive of what was read: it has fewer rows, though
    a table only ever overwrites one, or not the same ones, though none was overwritten.
    """
    archive = tables.get(compared.previous.period_start)
    if archive is None:
        return False
    if len(archive) < len(compared.old):
        return True
    if compared.current.row_limit is None:
        return False
    is_full = any(compared.current.would_be_full(table) for table in (archive, compared.old))
    return not is_full and not may_go_on_from(archive, compared.old)


def _has_kept_doubted_rows(compared: Comparison) -> bool:
    """Whether a table of a doubted name has rows that nobody used since it was read: then no period ended for it,
    whatever was archived by that name. Rows of a full table are overwritten meanwhile, so that some may be gone.
    """
    return compared.previous.period_start in compared.previous.doubted and has_unmoved(compared.new, compared.old)


def _have_gone_on(compared: Comparison, restart: Restart, tables: Mapping[date, Table]) -> bool:
    """Whether the counters did not begin again since: for certain, or as far as they tell where no file is left."""
    if goes_on_from(compared.new, compared.old):
        return True
    if restart is not Restart.NONE or compared.shrunk or not compared.old:
        return False
    if has_unmoved(compared.new, compared.old) and not has_begun_again(compared):
        return True  # the others were evicted
    if compared.vanished or compared.current.may_be_full:
        return False
    return not tables


def was_archived(compared: Comparison, files: RouterFiles, period: PassedPeriod) -> bool | None:
    """Whether the period's file was written where the period ended, as a daemon does whose clock is right; None where
    that isn't told.
    """
    age_s = files.ages_s.get(period.start)
    if age_s is None:
        return None
    late_s = (compared.current.read_at - period.span.end).total_seconds() - age_s
    return -FILE_TIME_TOLERANCE_S <= late_s <= ROLLOVER_DELAY_S + FILE_TIME_TOLERANCE_S


def rolled_over_at(compared: Comparison, files: RouterFiles, passed: Sequence[PassedPeriod]) -> list[PassedPeriod]:
    """``passed``, each ended where its archive was written, as far as that is told: some seconds after it was due."""
    found: list[PassedPeriod] = []
    for period in passed:
        start = found[-1].span.end if found else period.span.start
        end = period.span.end
        if was_archived(compared, files, period):
            end = max(end, compared.current.read_at - timedelta(seconds=files.ages_s[period.start]))
        found.append(PassedPeriod(start=period.start, span=Span(start, end)))
    return found


def is_written_before(compared: Comparison, files: RouterFiles, period: PassedPeriod) -> bool:
    """Whether the period's file was written before that part of it which lies between the readings."""
    age_s = files.ages_s.get(period.start)
    if age_s is None:
        return False
    return age_s > (compared.current.read_at - period.span.start).total_seconds() + FILE_TIME_TOLERANCE_S


def has_begun_again(compared: Comparison) -> bool:
    """Whether a daemon that ran on began again at zero: rows are gone or went back, none is what it was, and it isn't
    that rows are evicted.
    """
    is_full = compared.current.may_be_full or compared.current.would_be_full(compared.old)
    has_lost = bool(compared.vanished or compared.shrunk)
    return has_lost and not is_full and not has_unmoved(compared.new, compared.old)
