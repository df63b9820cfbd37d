"""Which of the router's files the accounting needs besides two readings. Pure."""

from collections.abc import Sequence
from datetime import date

from services.accounting import old_copies
from services.accounting.counters import Comparison
from services.accounting.doubted_names import has_begun_again, is_file_in_doubt
from services.accounting.restored_tables import Restart, find_restart
from services.accounting.usage import PassedPeriod


def wanted_files(
    compared: Comparison | None, passed: Sequence[PassedPeriod] = (), earlier: Sequence[date] = ()
) -> list[date]:
    """The periods whose files `account` needs besides the two readings; most of the time none. Those in doubt come on
    top: `files_in_doubt`.

    ``passed``: the periods that ended between the readings, as far as the settings tell. ``earlier``: those before the
    running one whose files the router may still have; by a wrong clock a daemon may have taken up any of them.
    """
    if compared is None:
        return []
    previous, current = compared.previous, compared.current
    restart = find_restart(previous, current)
    has_restarted = restart in (Restart.DAEMON, Restart.ROUTER)
    if current.clock_was_set:
        if restart is Restart.NONE and not has_begun_again(compared):
            return []
        taken_up = earlier if has_restarted else ()
        return sorted({previous.period_start, current.period_start, *taken_up})
    if current.period_start > previous.period_start:
        before = max((start for start in earlier if start < previous.period_start), default=previous.period_start)
        began_with = [current.period_start, before] if has_restarted else []
        return sorted({previous.period_start, *(period.start for period in passed), *began_with})
    if has_restarted and current.period_start < previous.period_start:
        return [current.period_start, previous.period_start]
    went_back = compared.shrunk if restart is Restart.UNKNOWN else has_begun_again(compared)
    if has_restarted or (restart is Restart.UNKNOWN and old_copies.may_be_taken_up(compared)):
        return [*earlier[:1], previous.period_start]
    return [previous.period_start] if went_back else []


def files_in_doubt(compared: Comparison | None) -> list[date]:
    """The periods whose files may have been added to the table of a daemon that ran on. A reading does without one that
    can't be read: then it was hardly written just now.
    """
    if compared is None or find_restart(compared.previous, compared.current) is not Restart.NONE:
        return []
    starts = {compared.previous.period_start, compared.current.period_start}
    return sorted(start for start in starts if is_file_in_doubt(compared, start))
