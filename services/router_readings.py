"""Taking a reading: one SSH round trip, parsed, accounted against the stored one. Stores nothing.

The collector stores what comes out; `/current` only shows it. No database connection is held during SSH.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from commands_server_operations.device_usage_execute import (
    BandwidthAnswer,
    Connections,
    get_archived_periods,
    get_current_bandwidth_data,
)
from commands_server_operations.router_target import RouterTarget
from db_operations import readings_db
from db_operations.database import Database
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from services.accounting import Counters, Reading, Usage, account, find_missing_files
from services.accounting_periods import AccountingPeriod, PeriodRule, current_period
from services.credentials import CredentialVault
from services.router_doctor import Check, diagnose
from services.router_facts import read_facts
from services.routers import target_of
from utils.nlbwmon_parser import (
    CounterRow,
    DeviceTotals,
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
    parse_uci_section,
    parse_uptime,
)
from utils.time import Clock, Zone, parse_zone, zone_from_offset

_UTC = parse_zone("UTC")

#: Beyond this a router's clock doesn't name its periods (1970 after a boot): the server's does, in its zone.
_MAX_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class TakenReading:
    """A reading, the usage since the stored one, and everything else the router said in the same breath."""

    reading: Reading
    period: AccountingPeriod
    #: The reading that ``usage`` starts from; None at a first one.
    previous: ReadingRecord | None
    usage: Usage
    #: nlbwmon's totals per MAC, in bytes.
    totals: Mapping[str, DeviceTotals]
    #: The usage per MAC, bytes down and up; MACs without any are not in it.
    usage_by_device: Mapping[str, Counters]
    devices: Sequence[ObservedDevice]
    #: Days and hours of this reading are cut in this zone.
    zone: Zone
    #: Seconds the router's clock is ahead of ours; None where it doesn't tell.
    clock_skew_s: float | None
    #: nlbwmon's `database_interval`; None where the router doesn't tell.
    database_interval: str | None
    #: What in the router's settings should be mended.
    findings: Sequence[Check] = ()
    #: What the router printed, as it came.
    usage_json: bytes = field(repr=False)
    #: Seconds from asking to the accounted answer.
    duration_s: float


class ReadingTaker:
    """Takes readings of any router."""

    def __init__(self, database: Database, connections: Connections, vault: CredentialVault, clock: Clock) -> None:
        self._database = database
        self._connections = connections
        self._vault = vault
        self._clock = clock

    def take(self, router: RouterRecord) -> TakenReading:
        """Read the router now. Raises RouterError; then nothing has changed anywhere."""
        started = time.monotonic()
        target = target_of(router, self._vault)
        # Before the router is asked: were a newer reading stored meanwhile, this one must not pass for its follower.
        with self._database.transaction() as conn:
            previous = readings_db.get_last_reading(conn, router.session_id, router.id)
        answer = get_current_bandwidth_data(self._connections, target)
        # Stamped when the answer is here: the wait for a router that is busy belongs to the time before.
        read_at = self._clock()
        table = parse_nlbw_json(answer.usage_json)
        listed = parse_period_list(answer.period_list or "")
        interval = parse_uci_section(answer.settings or "", "nlbwmon.@nlbwmon[0]").get("database_interval")
        rule = _rule_of(interval, listed, previous)
        clock = parse_clock(answer.clock or "")
        router_zone, router_now = _router_time(clock, answer, read_at)
        period = current_period(rule, router_now, router_zone, list(listed))
        reading = Reading(
            read_at=read_at,
            period_start=period.start,
            rows=table.rows,
            uptime_s=parse_uptime(answer.uptime or ""),
            boot_id=parse_boot_id(answer.boot_id or ""),
            period_age_s=(router_now - rule.began_at(period.start, router_zone)).total_seconds(),
        )
        missed: list[date] = []
        if previous is not None and previous.period_start < period.start:
            # Worked out from the settings: the list may be empty.
            missed = rule.starts_between(previous.period_start, period.start, router_zone)
        usage = self._account(
            target, previous, reading, {start: rule.name_of(start) for start in missed} | listed, rule
        )
        board = parse_board(answer.devices.board or "")
        if usage.period_start != period.start:
            period = rule.period_at(rule.began_at(usage.period_start, router_zone), router_zone)
        return TakenReading(
            reading=reading,
            period=period,
            previous=previous,
            usage=usage,
            totals=table.totals,
            usage_by_device=usage.by_device(),
            devices=normalize_device_data(
                table.rows,
                parse_leases(answer.devices.leases or ""),
                parse_neighbours(answer.devices.neighbours or ""),
                router_mac=parse_hardware_address(answer.router_mac or ""),
                router_ip=router.host,
                router_name=board.hostname if board else None,
            ),
            zone=_zone_of(router, answer),
            clock_skew_s=(clock - read_at).total_seconds() if clock else None,
            database_interval=(clean_name(interval) or "")[:64] or None if interval else None,
            findings=_findings(router, answer, read_at, rows=len(table.rows)),
            usage_json=answer.usage_json,
            duration_s=time.monotonic() - started,
        )

    def _account(
        self,
        target: RouterTarget,
        previous: ReadingRecord | None,
        reading: Reading,
        known: Mapping[date, str],
        rule: PeriodRule,
    ) -> Usage:
        """The usage since ``previous``; fetches the router's older files where the accounting needs them.

        ``known``: starts of periods that the router may hold, with their names.
        """
        base = as_reading(previous) if previous else None
        missing = find_missing_files(base, reading, known_starts=known)
        files: dict[date, list[CounterRow]] = {}
        if wanted := [*missing.archives, *missing.committed]:
            names = {start: known.get(start, rule.name_of(start)) for start in wanted}
            answers = get_archived_periods(self._connections, target, names)
            files = {start: parse_nlbw_json(answer).rows for start, answer in answers.items()}
        return account(base, reading, files)


def as_reading(record: ReadingRecord) -> Reading:
    """A stored reading as the accounting takes it."""
    return Reading(
        read_at=record.read_at,
        period_start=record.period_start,
        rows=parse_nlbw_json(record.usage_json).rows,
        uptime_s=record.uptime_s,
        boot_id=record.boot_id,
    )


def _findings(router: RouterRecord, answer: BandwidthAnswer, read_at: datetime, *, rows: int) -> list[Check]:
    """What the doctor finds in the router's answer."""
    facts = read_facts(answer.facts, read_at=read_at, rows=rows, timezone=router.timezone)
    return [check for check in diagnose(facts) if not check.ok]


def _rule_of(interval: str | None, listed: Collection[date], previous: ReadingRecord | None) -> PeriodRule:
    """The router's setting; where it doesn't tell (no uci), the day on which its periods were seen to begin."""
    if interval is None and (listed or previous):
        known = max(listed) if listed else previous.period_start if previous else None
        return PeriodRule(day_of_month=known.day if known else 1)
    return PeriodRule.parse(interval)


def _router_time(clock: datetime | None, answer: BandwidthAnswer, read_at: datetime) -> tuple[Zone, datetime]:
    """The router's own zone and now: its periods begin by these, whatever zone a person chose to be shown.

    Beyond `_MAX_CLOCK_SKEW` the server's clock stands in for the router's.
    """
    is_usable = clock is not None and abs(clock - read_at) <= _MAX_CLOCK_SKEW
    return _zone_told(answer), clock if clock and is_usable else read_at


def _zone_of(router: RouterRecord, answer: BandwidthAnswer) -> Zone:
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
