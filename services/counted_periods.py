"""Which accounting period a table of counters belongs to. Pure.

Its name comes from the router's clock, and that can be wrong, set, or seconds ahead of the daemon.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from services.accounted_usage import PassedPeriod
from services.counters import Comparison, Table, covers
from services.restored_tables import ROLLOVER_DELAY_S, Restart, is_rather
from utils.errors import RolloverInProgress


def find_period_start(
    compared: Comparison, restart: Restart, tables: Mapping[date, Table], passed: Sequence[PassedPeriod]
) -> date:
    """The period that the later reading's counters belong to. A daemon that runs on never goes back to an earlier one,
    and just after midnight its counters decide. ``tables``: the router's files, by the period's first day.

    Raises RolloverInProgress where even they leave it open; a minute later it is plain.
    """
    previous, current = compared.previous.period_start, compared.current.period_start
    if current < previous:
        # Was the clock wrong before nlbwmon started, or set back since? What it counts on from tells.
        has_restarted = restart in (Restart.DAEMON, Restart.ROUTER)
        is_same = is_rather(compared.current, tables.get(previous, {}), tables.get(current, {}))
        return current if has_restarted and not is_same else previous
    if current == previous:
        return current
    age_s = compared.current.period_age_s
    if age_s is None or age_s > ROLLOVER_DELAY_S or _has_restarted_within(age_s, compared, restart):
        return current
    if any(period.start > previous for period in passed):
        raise RolloverInProgress  # of which period these counters are, nothing that was read before can tell
    # What the router serves under the old name: the archive after the rollover, the last commit before it. A row that
    # is gone tells nothing, it may have been evicted. Those still there decide.
    on_disk = tables.get(previous)
    earlier = compared.old if on_disk is None else on_disk
    if earlier and not compared.new.keys() & earlier.keys():
        return current
    if not covers(compared.new, earlier):
        return current
    if on_disk is None or not covers(on_disk, compared.old):
        return previous
    raise RolloverInProgress


def _has_restarted_within(age_s: float, compared: Comparison, restart: Restart) -> bool:
    """Whether the daemon started within the last ``age_s`` seconds: it begins in the period that it finds."""
    uptimes = [up for up in (compared.current.daemon_uptime_s, compared.current.uptime_s) if up is not None]
    return restart in (Restart.DAEMON, Restart.ROUTER) and bool(uptimes) and min(uptimes) < age_s
