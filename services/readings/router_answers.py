"""What a router's answer says, put in order: the reading, its period, the devices, the settings. Pure.

The taker (services/readings/router_readings.py) calls it with what commands_server_operations read.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from commands_server_operations.device_usage_execute import BandwidthAnswer
from commands_server_operations.period_files import PeriodFilesAnswer
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from services.accounting.counters import Reading
from services.accounting.periods import AccountingPeriod, PeriodRule, current_period
from services.accounting.restored_tables import COMMIT_INTERVAL_S, REFRESH_INTERVAL_S, ROLLOVER_DELAY_S, RouterFiles
from services.accounting.usage import PassedPeriod
from services.buckets import Span
from services.routers.router_doctor import RouterFacts
from services.routers.router_facts import MAX_CLOCK_SKEW, read_facts
from utils.errors import BadRouterOutput, SavedMeanwhile
from utils.nlbwmon_parser import (
    CounterTable,
    ObservedDevice,
    normalize_device_data,
    parse_nlbw_json,
    parse_period_list,
)
from utils.router_parser import (
    clean_name,
    parse_board,
    parse_boot_id,
    parse_clock,
    parse_hardware_address,
    parse_leases,
    parse_neighbours,
    parse_process_start,
    parse_uci_section,
    parse_uptime,
)
from utils.time import Zone, parse_zone, zone_from_offset

logger = logging.getLogger(__name__)

_UTC = parse_zone("UTC")

#: A router tells whole seconds, a moment before its answer is here: so far behind ours its clock is not behind.
_CLOCK_STEP_S = 1.5

#: nlbwmon begins a period up to a refresh interval late.
_ROLLOVER_DELAY = timedelta(seconds=ROLLOVER_DELAY_S)

_LONGEST_REFRESH_S = 3_600.0

#: A clock that moved by more than this against ours was set, or a connection was very slow.
_MOST_DRIFT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class ReadAnswer:
    """One answer of a router, read."""

    reading: Reading
    table: CounterTable
    devices: Sequence[ObservedDevice]
    time: "RouterTime"
    rule: PeriodRule
    #: The period that is running by the router's clock.
    period: AccountingPeriod
    #: Periods on the router's own list: first day -> name.
    listed: Mapping[date, str]
    #: The period of the reading before: first day -> what the router called it then.
    called: Mapping[date, str]
    #: nlbwmon's `database_interval`, as it is stored.
    database_interval: str | None
    #: nlbwmon's `database_generations`: how many periods it keeps.
    generations: str | None
    facts: RouterFacts

    def name_of(self, start: date) -> str:
        """What the router calls the period that begins on ``start``."""
        # One that began by another setting has its name from that.
        called = self.called.get(start) if start != self.period.start else None
        return called or self.listed.get(start) or self.rule.name_of(start)


def read_answer(
    answer: BandwidthAnswer, router: RouterRecord, previous: ReadingRecord | None, read_at: datetime
) -> ReadAnswer:
    """``read_at``: our own time of the answer. Raises BadRouterOutput."""
    table = parse_nlbw_json(answer.usage_json)
    told = RouterTime.of(answer, read_at)
    listed = parse_period_list(answer.period_list or "")
    settings = parse_uci_section(answer.settings or "", "nlbwmon.@nlbwmon[0]")
    interval = settings.get("database_interval")
    rule = _rule_of(interval, listed, previous)
    period = current_period(rule, told.now, told.zone, list(listed))
    board = parse_board(answer.devices.board or "")
    devices = normalize_device_data(
        table.rows,
        parse_leases(answer.devices.leases or ""),
        parse_neighbours(answer.devices.neighbours or ""),
        router_mac=parse_hardware_address(answer.router_mac or ""),
        router_ip=router.host,
        router_name=board.hostname if board else None,
    )
    facts = read_facts(answer.facts, read_at=read_at, rows=len(table.rows), timezone=router.timezone)
    uptime_s, daemon = parse_uptime(answer.uptime or ""), parse_process_start(answer.daemon or "")
    reading = Reading(
        read_at=read_at,
        period_start=period.start,
        rows=table.rows,
        uptime_s=uptime_s,
        boot_id=parse_boot_id(answer.boot_id or ""),
        daemon_id=daemon.name if daemon else None,
        daemon_uptime_s=max(0.0, uptime_s - daemon.after_boot_s) if daemon and uptime_s is not None else None,
        clock_was_set=previous is not None and _was_set(told, rule, previous),
        period_age_s=(told.now - rule.began_at(period.start, told.zone)).total_seconds(),
        refresh_interval_s=_refresh_interval_s(facts),
        row_limit=sys.maxsize if facts.database_limit == 0 else facts.database_limit,  # 0: no limit
        has_active_neighbours=any(device.is_reachable and not device.is_router for device in devices),
    )
    return ReadAnswer(
        reading=reading,
        table=table,
        devices=devices,
        time=told,
        rule=rule,
        period=period,
        listed=listed,
        called={previous.period_start: previous.period_name} if previous and previous.period_name else {},
        database_interval=_storable(interval) or (previous.database_interval if previous else None),
        generations=settings.get("database_generations"),
        facts=facts,
    )


def _storable(interval: str | None) -> str | None:
    return (clean_name(interval) or "")[:64] or None if interval else None


def _refresh_interval_s(facts: RouterFacts) -> float | None:
    """As the router tells it, up to an hour: nobody reckons with a longer one, and an absurd one overflows sums."""
    return min(facts.refresh_interval_s, _LONGEST_REFRESH_S) if facts.refresh_interval_s else None


def read_files(answer: PeriodFilesAnswer, read: ReadAnswer, previous: ReadingRecord) -> RouterFiles:
    """The router's files, and how old they are, where its clock wasn't set since the reading before.

    Raises SavedMeanwhile where one was written after this reading: it has bytes that the reading has not.
    """
    facts, clock = read.facts, parse_clock(answer.clock or "")
    # All in whole seconds. A rollover may be as young as the reading: its archive is not written again.
    is_over_rollover = previous.period_start < read.period.start
    newer = read.time.now + timedelta(seconds=1 if is_over_rollover else 0)
    written = [moment for text in answer.written.values() if (moment := parse_clock(text))]
    if clock and any(newer <= moment <= clock for moment in written):
        raise SavedMeanwhile
    has_kept_time = read.time.has_kept_time_since(previous)

    def age_s(text: str | None) -> float | None:
        moment = parse_clock(text or "")
        return (read.time.now - moment).total_seconds() if moment and has_kept_time else None

    tables, unreadable = {}, set(answer.unreadable)
    for start, printed in answer.tables.items():
        try:
            tables[start] = parse_nlbw_json(printed).rows
        except BadRouterOutput as error:
            logger.warning("the router's file of %s can't be read: %s", start, error.message)
            unreadable.add(start)
    return RouterFiles(
        tables=tables,
        unreadable=frozenset(unreadable),
        ages_s={start: age for start, text in answer.written.items() if (age := age_s(text)) is not None},
        ram_copy_age_s=age_s(answer.ram_copy),
        has_ram_copy=answer.has_ram_copy,
        refresh_interval_s=_refresh_interval_s(facts) or REFRESH_INTERVAL_S,
        commit_interval_s=facts.commit_interval_s or COMMIT_INTERVAL_S,
    )


def passed_periods(answer: ReadAnswer, previous: ReadingRecord) -> list[PassedPeriod]:
    """The accounting periods that ended since ``previous``, by server time; worked out from the settings, because the
    router's list may be empty. Those between the two names alone don't count: a clock that jumped (1970) passed no
    period on its way.
    """
    rule, told, current = answer.rule, answer.time, answer.period.start
    if previous.period_start >= current:
        return []
    # A period begins somewhere in the local day that it is called by.
    seen_until = told.zone.day_of(told.by_router(previous.read_at)) - timedelta(days=1)
    later = rule.starts_between(max(previous.period_start, seen_until), current, told.zone)
    begins = [(start, told.by_server(rule.began_at(start, told.zone))) for start in (*later, current)]
    # That reading's counters may have been those of a period that was over by some seconds.
    seen = previous.read_at - _ROLLOVER_DELAY
    begins = [(start, max(began, previous.read_at)) for start, began in begins if began > seen or start == current]
    passed, since, start = [], previous.read_at, previous.period_start
    for following, began in begins:
        own_start = told.by_server(rule.began_at(start, told.zone))
        passed.append(PassedPeriod(start=start, span=Span(since, began), began=own_start))
        since, start = began, following
    return passed


def _was_set(told: "RouterTime", rule: PeriodRule, previous: ReadingRecord) -> bool:
    """Whether the router's clock moved against ours since or is far off, its zone is another one, or its zone and
    setting name the time of that reading differently now. Just after a period's start the reading's counters may have
    been those of the one before.
    """
    if abs(told.skew_s or 0.0) > MAX_CLOCK_SKEW.total_seconds():
        return True
    if previous.router_zone is not None and previous.router_zone != told.zone.key:
        return True
    if told.skew_s is not None and previous.clock_skew_s is not None and not told.has_kept_time_since(previous):
        return True
    then = told.by_router(previous.read_at)
    return previous.period_start not in {
        rule.period_at(moment, told.zone).start for moment in (then, then - _ROLLOVER_DELAY)
    }


def _rule_of(interval: str | None, listed: Mapping[date, str], previous: ReadingRecord | None) -> PeriodRule:
    """The router's setting, or the one it told before; where it never told one (no uci), the day on which its periods
    were seen to begin.
    """
    interval = interval or (previous.database_interval if previous else None)
    if interval is None and (listed or previous):
        known = max(listed) if listed else previous.period_start if previous else None
        return PeriodRule(day_of_month=known.day if known else 1)
    return PeriodRule.parse(interval)


@dataclass(frozen=True)
class RouterTime:
    """The router's own zone and clock: its periods begin by these, whatever zone a person chose to be shown, and
    however wrong the clock is."""

    zone: Zone
    now: datetime
    #: Seconds that clock is ahead of ours; None where the router doesn't tell it: then ours stands in.
    skew_s: float | None

    @classmethod
    def of(cls, answer: BandwidthAnswer, read_at: datetime) -> "RouterTime":
        clock = parse_clock(answer.clock or "")
        skew_s = (clock - read_at).total_seconds() if clock else None
        if skew_s is not None and -_CLOCK_STEP_S < skew_s <= 0:
            skew_s = 0.0
        return cls(zone=_zone_told(answer), now=clock or read_at, skew_s=skew_s)

    def has_kept_time_since(self, previous: ReadingRecord) -> bool:
        """Whether the router's clock wasn't set since: then what it wrote in between is as old as it says."""
        if self.skew_s is None or previous.clock_skew_s is None:
            return False
        return abs(self.skew_s - previous.clock_skew_s) <= _MOST_DRIFT_S

    def by_router(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self.skew_s or 0.0)

    def by_server(self, moment: datetime) -> datetime:
        return moment - timedelta(seconds=self.skew_s or 0.0)


def shown_zone(router: RouterRecord, answer: BandwidthAnswer) -> Zone:
    """The zone of the days that people are shown: their word, else what the router says."""
    if router.timezone:
        with suppress(ValueError):
            return parse_zone(router.timezone)
    return _zone_told(answer)


def _zone_told(answer: BandwidthAnswer) -> Zone:
    """What the router says: its zone's name, else its present offset, else UTC."""
    if name := (answer.zone_name or "").strip():
        with suppress(ValueError):
            return parse_zone(name)
    return zone_from_offset((answer.utc_offset or "").strip()) or _UTC
