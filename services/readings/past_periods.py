"""Accounting periods before the running one: those a router may hold from before monitoring, those that ended since.

Pure; the taker asks it with a router's answer, the store keeps what it says with the reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from db_operations.periods_db import NamedPeriod
from db_operations.readings_db import ReadingRecord
from services.accounting.periods import MOST_PERIODS, AccountingPeriod, PeriodRule
from services.readings.router_answers import ReadAnswer
from services.routers.router_facts import MAX_CLOCK_SKEW
from utils.nlbwmon_parser import CounterRow, DeviceTotals, calculate_usage_metrics
from utils.time import Zone

#: nlbwmon's own default of `database_generations`.
DEFAULT_GENERATIONS = 10

_DAY = timedelta(days=1)

#: nlbwmon takes nothing before it for a period's date.
_OLDEST = date(2000, 1, 1)


class FinishedPeriod(NamedTuple):
    """A period that was running at the last reading, or began after it, and is over."""

    period: AccountingPeriod
    #: What the router calls it.
    name: str
    #: nlbwmon's final totals per MAC; None where the router has no archive of it.
    totals: Mapping[str, DeviceTotals] | None


def find_earlier_periods(read: ReadAnswer) -> list[NamedPeriod]:
    """Before the first reading of a router: the periods whose archives it may hold, newest first.

    Where its clock is far off (1970 after a boot), its archives have their names from when it was right, so that ours
    tells which they are.
    """
    told = read.time
    is_far_off = abs(told.skew_s or 0.0) > MAX_CLOCK_SKEW.total_seconds()
    running = read.rule.period_at(read.reading.read_at, told.zone).start if is_far_off else read.period.start
    return earlier_periods(read.rule, running, told.zone, listed=read.listed, generations=read.generations)


def earlier_periods(
    rule: PeriodRule, running: date, zone: Zone, *, listed: Mapping[date, str], generations: str | None
) -> list[NamedPeriod]:
    """The periods before the one that began on ``running``, newest first, without a hole between them.

    `nlbw -c list` (``listed``: first day -> name) alone would not do: it is empty from a rollover until the next
    commit, and it ends at the first period without a file. So they are worked out from the settings as well; whether
    there is an archive of one shows when it is fetched. ``zone``: the router's own. ``generations``: its setting
    `database_generations`, None where it doesn't tell.
    """
    worked_out = _starts_before(rule, running, zone, _how_many(generations))
    names = {start: rule.name_of(start) for start in worked_out}
    names |= {start: name for start, name in listed.items() if _OLDEST <= start < running}
    starts = sorted(names, reverse=True)[:MOST_PERIODS]
    following = [running, *starts]
    return [NamedPeriod(start, after - _DAY, names[start]) for start, after in zip(starts, following[:-1], strict=True)]


def find_finished_periods(
    read: ReadAnswer, last: ReadingRecord, ended: Iterable[date], archives: Mapping[date, Sequence[CounterRow]]
) -> list[FinishedPeriod]:
    """What is known of the periods that began on ``ended`` and are over; of that of ``last`` its end is known, of the
    others the settings tell it.
    """
    rule, zone = read.rule, read.time.zone
    finished = []
    for start in ended:
        end = last.period_end if start == last.period_start else rule.period_at(rule.began_at(start, zone), zone).end
        totals = calculate_usage_metrics(archives[start]) if start in archives else None
        finished.append(FinishedPeriod(AccountingPeriod(start, max(start, end)), read.name_of(start), totals))
    return finished


def _starts_before(rule: PeriodRule, running: date, zone: Zone, count: int) -> list[date]:
    return list(takewhile(lambda start: start >= _OLDEST, islice(rule.starts_before(running, zone), count)))


def _how_many(generations: str | None) -> int:
    """0 is nlbwmon's word for no limit."""
    text = (generations or "").strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else DEFAULT_GENERATIONS
    return min(number, MOST_PERIODS) if number else MOST_PERIODS
