"""Taking a reading: one SSH round trip, parsed, accounted against the stored one. Stores nothing.

The collector stores what comes out; `/current` only shows it. No database connection is held during SSH.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from commands_server_operations.device_usage_execute import BandwidthAnswer, get_current_bandwidth_data
from commands_server_operations.nlbw_answers import Connections
from commands_server_operations.period_files import get_period_files
from commands_server_operations.router_target import RouterTarget
from db_operations import readings_db
from db_operations.database import Database
from db_operations.periods_db import NamedPeriod
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from services.accounting.account import account, compare
from services.accounting.counters import Counters, Reading
from services.accounting.periods import AccountingPeriod
from services.accounting.quarantine import IMPLAUSIBLE_RATE
from services.accounting.restored_tables import NO_FILES, Restart, RouterFiles, find_restart
from services.accounting.usage import Usage
from services.accounting.wanted_files import files_in_doubt, wanted_files
from services.large_answers import room_for
from services.readings.last_commits import last_commit_of
from services.readings.past_periods import FinishedPeriod, find_earlier_periods, find_finished_periods
from services.readings.protocol_rollups import ProtocolNames, protocol_names
from services.readings.router_answers import ReadAnswer, passed_periods, read_answer, read_files, shown_zone
from services.readings.unreadable_files import UnreadableFiles
from services.routers.credentials import CredentialVault
from services.routers.router_doctor import Check, diagnose
from services.routers.routers import target_of
from utils.nlbwmon_parser import DeviceTotals, ObservedDevice, parse_nlbw_json
from utils.time import Clock, Zone


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
    #: What the router calls the protocols that ``usage`` is of.
    protocol_names: ProtocolNames
    #: Days and hours of this reading are cut in this zone.
    zone: Zone
    #: The router's own: its periods are named in this one.
    router_zone: Zone
    #: At a first reading the periods before the running one whose archives the router may hold, newest first.
    earlier_periods: Sequence[NamedPeriod] = ()
    #: Periods that ended since the reading before, oldest first.
    finished_periods: Sequence[FinishedPeriod] = ()
    #: Seconds the router's clock is ahead of ours; None where it doesn't tell.
    clock_skew_s: float | None
    #: nlbwmon's `database_interval`; None where the router doesn't tell.
    database_interval: str | None
    #: nlbwmon's `database_directory`, and what the router calls ``period``: its file is known by both. None where the
    #: router doesn't tell.
    database_directory: str | None = None
    period_name: str | None = None
    #: When nlbwmon last wrote that file; None where that isn't known.
    last_commit_at: datetime | None = None
    #: What in the router's settings should be mended.
    findings: Sequence[Check] = ()
    #: What the router printed, as it came.
    usage_json: bytes = field(repr=False)
    #: Seconds from asking to the accounted answer.
    duration_s: float


#: So many of a router's files are asked for where its clock was wrong, the newest: three round trips.
_MOST_DOUBTED = 12


class ReadingTaker:
    """Takes readings of any router."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        vault: CredentialVault,
        clock: Clock,
        *,
        fastest: float = IMPLAUSIBLE_RATE,
    ) -> None:
        """``fastest``: what a link carries in each direction, in bytes per second."""
        self._fastest = fastest
        self._database = database
        self._connections = connections
        self._vault = vault
        self._clock = clock
        self._unreadable = UnreadableFiles()

    def take(self, router: RouterRecord) -> TakenReading:
        """Read the router now. Raises RouterError; then nothing has changed anywhere."""
        started = time.monotonic()
        target = target_of(router, self._vault)
        # Before the router is asked: were a newer reading stored meanwhile, this one must not pass for its follower.
        with self._database.reading() as conn:
            previous = readings_db.get_last_reading(conn, router.session_id, router.id)
        answer = get_current_bandwidth_data(
            self._connections,
            target,
            period=previous.period_name if previous else None,
            directory=previous.database_directory if previous else None,
        )
        # Stamped when the answer is here: the wait for a router that is busy belongs to the time before.
        read_at = self._clock()
        told = (answer.usage_json, answer.devices.leases, answer.devices.neighbours)
        with room_for(*told, previous.usage_json if previous else None):
            return self._account(router, target, previous, answer, read_at=read_at, started=started)

    def _account(
        self,
        router: RouterRecord,
        target: RouterTarget,
        previous: ReadingRecord | None,
        answer: BandwidthAnswer,
        *,
        read_at: datetime,
        started: float,
    ) -> TakenReading:
        """What the answer of ``read_at`` says. ``started``: by the monotonic clock, when it was asked for."""
        read = read_answer(answer, router, previous, read_at)
        passed = passed_periods(read, previous) if previous else []
        compared = compare(as_reading(previous) if previous else None, read.reading)
        has_run_on = compared and find_restart(compared.previous, compared.current) is Restart.NONE
        earlier_periods = [] if has_run_on else find_earlier_periods(read)
        earlier = [period.start for period in earlier_periods[:_MOST_DOUBTED]]
        needed = wanted_files(compared, passed, earlier)
        files = self._files(target, read, previous, sorted({*needed, *files_in_doubt(compared)}))
        if previous and not files.unreadable.isdisjoint(needed):
            self._unreadable.put_off(router.id, base=previous.read_at, now=read.reading.read_at)
        else:
            self._unreadable.forget(router.id)
        usage = account(compared, read.reading, files, passed, fastest=self._fastest)
        ended = [period.start for period in passed if period.start < usage.period_start]
        archives = {start: rows for start, rows in files.tables.items() if start in usage.archived}
        return TakenReading(
            reading=read.reading,
            period=_period_of(usage, read),
            previous=previous,
            usage=usage,
            usage_since=_usage_since(usage, previous),
            totals=read.table.totals,
            usage_by_device=usage.by_device(),
            devices=read.devices,
            protocol_names=protocol_names([read.table.rows, *files.tables.values()]),
            zone=shown_zone(router, answer),
            router_zone=read.time.zone,
            earlier_periods=[] if previous else earlier_periods,
            finished_periods=find_finished_periods(read, previous, ended, archives) if previous else [],
            clock_skew_s=read.time.skew_s,
            database_interval=read.database_interval,
            database_directory=read.facts.database_directory,
            period_name=read.name_of(usage.period_start),
            last_commit_at=last_commit_of(answer.last_commit, previous, read, usage.period_start),
            findings=[check for check in diagnose(read.facts) if not check.ok],
            usage_json=answer.usage_json,
            duration_s=time.monotonic() - started,
        )

    def _files(
        self, target: RouterTarget, read: ReadAnswer, previous: ReadingRecord | None, wanted: Sequence[date]
    ) -> RouterFiles:
        """The router's files of these periods. Raises SavedMeanwhile as `read_files` does."""
        if not wanted or previous is None:
            return NO_FILES
        names = {start: read.name_of(start) for start in wanted}
        answer = get_period_files(self._connections, target, names, directory=read.facts.database_directory)
        return read_files(answer, read, previous)


def as_reading(record: ReadingRecord) -> Reading:
    """A stored reading as the accounting takes it."""
    return Reading(
        read_at=record.read_at,
        period_start=record.period_start,
        rows=parse_nlbw_json(record.usage_json, most_rows=len(record.usage_json)).rows,  # it was taken once
        uptime_s=record.uptime_s,
        boot_id=record.boot_id,
        daemon_id=record.daemon_id,
        doubted=frozenset(record.doubted),
        unchanged_since=record.unchanged_since,
        unchanged_readings=record.unchanged_readings,
        quarantined={(f, proto, port, mac, ip): (d, u) for f, proto, port, mac, ip, d, u in record.quarantined or ()},
    )


def _usage_since(usage: Usage, previous: ReadingRecord | None) -> datetime | None:
    """Of what no part was used, since the reading before."""
    if previous is None:
        return None
    return min((part.span.start for part in usage.parts), default=previous.read_at)


def _period_of(usage: Usage, read: ReadAnswer) -> AccountingPeriod:
    """The period that the counters belong to; just after midnight it can be the one before the clock's."""
    if usage.period_start == read.period.start:
        return read.period
    return read.rule.period_at(read.rule.began_at(usage.period_start, read.time.zone), read.time.zone)
