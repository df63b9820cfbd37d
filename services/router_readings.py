"""Taking a reading: one SSH round trip, parsed, accounted against the stored one. Stores nothing.

The collector stores what comes out; `/current` only shows it. No database connection is held during SSH.
"""

import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from commands_server_operations.device_usage_execute import (
    BandwidthAnswer,
    Connections,
    get_current_bandwidth_data,
    get_period_files,
)
from commands_server_operations.router_target import RouterTarget
from db_operations import readings_db
from db_operations.database import Database
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from services.accounted_usage import PassedPeriod, Usage
from services.accounting import account, compare, wanted_files
from services.accounting_periods import AccountingPeriod, PeriodRule, current_period
from services.buckets import Span
from services.counters import Counters, Reading
from services.credentials import CredentialVault
from services.restored_tables import COMMIT_INTERVAL_S, NO_FILES, REFRESH_INTERVAL_S, RouterFiles
from services.routers import target_of
from utils.errors import SavedMeanwhile
from utils.nlbwmon_parser import (
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
    parse_process_start,
    parse_seconds,
    parse_uci_section,
    parse_uptime,
)
from utils.time import Clock, Zone, parse_zone, zone_from_offset

_UTC = parse_zone("UTC")

#: A clock that moved by more than this against ours was set, or a connection was very slow.
_MOST_DRIFT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class TakenReading:
    """A reading, the usage since the stored one, and everything else the router said in the same breath."""

    reading: Reading
    period: AccountingPeriod
    #: The reading that ``usage`` starts from; None at a first one.
    previous: ReadingRecord | None
    usage: Usage
    #: Where ``usage`` begins; None at a first reading.
    usage_since: datetime | None
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
        told = _RouterTime.of(answer, read_at)
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
        uptime_s, daemon = parse_uptime(answer.uptime or ""), parse_process_start(answer.daemon or "")
        reading = Reading(
            read_at=read_at,
            period_start=period.start,
            rows=table.rows,
            uptime_s=uptime_s,
            boot_id=parse_boot_id(answer.boot_id or ""),
            daemon_id=daemon.name if daemon else None,
            daemon_uptime_s=max(0.0, uptime_s - daemon.after_boot_s) if daemon and uptime_s is not None else None,
            period_age_s=(told.now - rule.began_at(period.start, told.zone)).total_seconds(),
            row_limit=_row_limit(settings.get("database_limit")),
            has_active_neighbours=any(device.is_reachable and not device.is_router for device in devices),
        )
        passed = _passed_periods(rule, previous, reading, told) if previous else []
        names = {passing.start: rule.name_of(passing.start) for passing in passed} | listed
        compared = compare(as_reading(previous) if previous else None, reading)
        wanted = wanted_files(compared, passed)
        files = NO_FILES
        if wanted:
            called = {start: names.get(start, rule.name_of(start)) for start in wanted}
            # All in whole seconds. A rollover may be as young as the reading: its archive is not written again.
            is_over_rollover = previous is not None and previous.period_start < period.start
            newer = told.now + timedelta(seconds=1 if is_over_rollover else 0)
            files = self._files(target, called, settings, newer=newer)
            if previous and not told.has_kept_time_since(previous):
                files = replace(files, committed_age_s=None, ram_copy_age_s=None)
        usage = account(compared, reading, files, passed)
        if usage.period_start != period.start:
            period = rule.period_at(rule.began_at(usage.period_start, told.zone), told.zone)
        return TakenReading(
            reading=reading,
            period=period,
            previous=previous,
            usage=usage,
            usage_since=_usage_since(usage, previous),
            totals=table.totals,
            usage_by_device=usage.by_device(),
            devices=devices,
            zone=_zone_of(router, answer),
            clock_skew_s=told.skew_s,
            database_interval=(clean_name(interval) or "")[:64] or None if interval else None,
            usage_json=answer.usage_json,
            duration_s=time.monotonic() - started,
        )

    def _files(
        self, target: RouterTarget, names: Mapping[date, str], settings: Mapping[str, str], *, newer: datetime
    ) -> RouterFiles:
        """The router's files of these periods (first day -> name), and when it wrote them.

        Raises SavedMeanwhile where one was written at ``newer`` (by the router's clock) or later: after the reading, so
        that it has bytes that the reading has not.
        """
        answer = get_period_files(
            self._connections, target, names, dated=min(names), directory=settings.get("database_directory")
        )
        clock, committed = parse_clock(answer.clock or ""), parse_clock(answer.committed or "")
        if clock and committed and newer <= committed <= clock:
            raise SavedMeanwhile

        def age_s(moment: str | None) -> float | None:
            written = parse_clock(moment or "")
            return (clock - written).total_seconds() if clock and written else None

        return RouterFiles(
            tables={start: parse_nlbw_json(printed).rows for start, printed in answer.tables.items()},
            committed_age_s=age_s(answer.committed),
            ram_copy_age_s=age_s(answer.ram_copy),
            has_ram_copy=answer.has_ram_copy,
            refresh_interval_s=parse_seconds(settings.get("refresh_interval", "")) or REFRESH_INTERVAL_S,
            commit_interval_s=parse_seconds(settings.get("commit_interval", "")) or COMMIT_INTERVAL_S,
        )


def as_reading(record: ReadingRecord) -> Reading:
    """A stored reading as the accounting takes it."""
    return Reading(
        read_at=record.read_at,
        period_start=record.period_start,
        rows=parse_nlbw_json(record.usage_json).rows,
        uptime_s=record.uptime_s,
        boot_id=record.boot_id,
        daemon_id=record.daemon_id,
        unchanged_since=record.unchanged_since,
        unchanged_readings=record.unchanged_readings,
        quarantined={(f, proto, port, mac, ip): (d, u) for f, proto, port, mac, ip, d, u in record.quarantined or ()},
    )


def _usage_since(usage: Usage, previous: ReadingRecord | None) -> datetime | None:
    """Of what no part was used, since the reading before."""
    if previous is None:
        return None
    return min((part.span.start for part in usage.parts), default=previous.read_at)


def _row_limit(setting: str | None) -> int | None:
    """nlbwmon's `database_limit`; None where the router doesn't tell, and for 0: no limit."""
    return int(setting) or None if setting and re.fullmatch(r"\d{1,9}", setting, re.ASCII) else None


def _passed_periods(
    rule: PeriodRule, previous: ReadingRecord, reading: Reading, told: "_RouterTime"
) -> list[PassedPeriod]:
    """The accounting periods that ended between two readings, by server time; worked out from the settings, because
    the router's list may be empty. Those between the two names alone don't count: a clock that jumped (1970) passed no
    period on its way.
    """
    if previous.period_start >= reading.period_start:
        return []
    # A period begins somewhere in the local day that it is called by.
    seen_until = told.zone.day_of(told.by_router(previous.read_at)) - timedelta(days=1)
    later = rule.starts_between(max(previous.period_start, seen_until), reading.period_start, told.zone)
    begins = [(start, told.by_server(rule.began_at(start, told.zone))) for start in (*later, reading.period_start)]
    begins = [(start, began) for start, began in begins if began > previous.read_at or start == reading.period_start]
    passed, since, start = [], previous.read_at, previous.period_start
    for following, began in begins:
        passed.append(PassedPeriod(start=start, span=Span(since, began)))
        since, start = began, following
    return passed


def _rule_of(interval: str | None, listed: Collection[date], previous: ReadingRecord | None) -> PeriodRule:
    """The router's setting; where it doesn't tell (no uci), the day on which its periods were seen to begin."""
    if interval is None and (listed or previous):
        known = max(listed) if listed else previous.period_start if previous else None
        return PeriodRule(day_of_month=known.day if known else 1)
    return PeriodRule.parse(interval)


@dataclass(frozen=True)
class _RouterTime:
    """The router's own zone and clock: its periods begin by these, whatever zone a person chose to be shown, and
    however wrong the clock is."""

    zone: Zone
    now: datetime
    #: Seconds that clock is ahead of ours; None where the router doesn't tell it: then ours stands in.
    skew_s: float | None

    @classmethod
    def of(cls, answer: BandwidthAnswer, read_at: datetime) -> "_RouterTime":
        clock = parse_clock(answer.clock or "")
        skew_s = (clock - read_at).total_seconds() if clock else None
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
