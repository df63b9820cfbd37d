"""Back-fill: the archives that a router still holds from before monitoring are read once, a few after each reading.

Which ones, the store put down with the first reading (state pending); each is stored in a transaction of its own, so
that what was interrupted anywhere goes on at the next reading and stores everything once. The collector calls `start`
after each reading. The work is done in threads of its own: a reading, and who waits for one, is never kept waiting by
it but for the router's one connection, and no failure here is the reading's.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from commands_server_operations.nlbw_answers import Connections
from commands_server_operations.period_files import get_earlier_archives
from db_operations import periods_db
from db_operations.database import Database
from db_operations.periods_db import NamedPeriod, PeriodState
from db_operations.routers_db import RouterRecord
from services.accounting.restored_tables import ROLLOVER_DELAY_S
from services.period_totals import store_archive
from services.readings.reading_limits import ReadingLimits
from services.readings.router_readings import TakenReading
from services.routers.credentials import CredentialVault
from services.routers.routers import target_of
from utils.errors import BadRouterOutput, NetPilotError, OutputTooLarge, RouterError, TooManyDevices
from utils.nlbwmon_parser import CounterTable, parse_nlbw_json
from utils.time import Zone

logger = logging.getLogger(__name__)

#: Archives in one round trip: of a large office, half a megabyte each.
ARCHIVES_AT_ONCE = 4

#: So many periods without an archive, one after another, below the oldest that has one: the router keeps no older ones.
MISSING_IN_A_ROW = 3

#: The same where none was found at all: more than a router keeps by default, as it may have been off for a while.
MISSING_FROM_THE_START = 12

#: Readings to wait at most after failures in a row: an hour at five minutes.
_LONGEST_REST = 11

#: An archive that is there and can't be read: the daemon may be busy, or the flash worn.
_MOST_TRIES = 6

_THREADS = 2


@dataclass
class _Trouble:
    """What failures taught about one router. Kept in memory: after a restart it is worth another try."""

    in_a_row: int = 0
    #: Readings to let pass before the next try.
    rest: int = 0
    #: How often the archive of a period failed by itself: it waits behind the others.
    failed_alone: Counter[date] = field(default_factory=Counter)
    #: How often one could not be read though the router answered.
    unreadable: Counter[date] = field(default_factory=Counter)


class ArchiveBackfill:
    """Reads routers' archives in the background, one step a router at a time."""

    def __init__(
        self, database: Database, connections: Connections, vault: CredentialVault, limits: ReadingLimits
    ) -> None:
        self._database = database
        self._connections = connections
        self._vault = vault
        self._limits = limits
        self._executor = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="backfill")
        self._lock = threading.Lock()
        #: Routers of which a step is under way or waits.
        self._running: set[str] = set()
        #: Of each account the steps that wait; the account whose turn it is comes first.
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._is_stopping = False
        self._troubles: dict[str, _Trouble] = {}

    def start(self, router: RouterRecord, taken: TakenReading) -> None:
        """Have a step made, unless one is under way. ``taken``: the reading that was just stored. Returns at once.

        Accounts take turns: one with many slow routers is waited for as long as one with a single one.
        """
        if _has_just_begun(taken):
            return
        # Not the reading itself: behind slow routers many wait here.
        step = partial(self._run, router, taken.zone, taken.router_zone, taken.database_directory)
        with self._lock:
            if not self._is_stopping and router.id not in self._running:
                self._running.add(router.id)
                self._waiting.setdefault(router.session_id, deque()).append(step)
                self._executor.submit(self._run_next)

    def stop(self) -> None:
        """Begin nothing more. A step under way ends with its archive, or with the connections."""
        with self._lock:
            self._is_stopping = True
        self._executor.shutdown(wait=False)

    def _run_next(self) -> None:
        with self._lock:
            account = next(iter(self._waiting))
            steps = self._waiting.pop(account)
            step = steps.popleft()
            if steps:
                self._waiting[account] = steps  # behind the others
        step()

    def _run(self, router: RouterRecord, zone: Zone, router_zone: Zone, directory: str | None) -> None:
        try:
            if not self._is_stopping:
                self.read_some(router, zone=zone, router_zone=router_zone, directory=directory)
        except NetPilotError as error:
            if not self._is_stopping:
                logger.info("router %s: archives are left for later: %s", router.id, error.message)
        except Exception:
            logger.exception("router %s: reading its archives failed", router.id)
        finally:
            with self._lock:
                self._running.discard(router.id)

    # --- a step ------------------------------------------------------------------------------------------

    def read_some(self, router: RouterRecord, *, zone: Zone, router_zone: Zone, directory: str | None = None) -> None:
        """One step: a round trip for the newest pending archives, and each stored. Nothing to do: one quick query.

        ``zone``: days are shown in it; ``router_zone``: periods are named in it; ``directory``: where the router keeps
        its files, None where it doesn't tell. Raises RouterError and DatabaseUnavailable; what is not stored then stays
        pending.
        """
        owner = (router.session_id, router.id)
        with self._database.reading() as conn:
            pending = periods_db.list_pending_periods(conn, *owner)
        if not pending:
            self._troubles.pop(router.id, None)
            return
        if self._is_resting(router.id):
            return
        wanted = self._choose(router.id, pending)
        try:
            archives, unreadable = self._read(router, wanted, directory)
        except RouterError:
            self._remember_failure(router.id, [period.start for period in wanted] if len(wanted) == 1 else [])
            raise
        if router.id in self._troubles:
            self._troubles[router.id].in_a_row = 0
        kept = self._worth_another_try(router.id, unreadable)
        for period in wanted:
            if self._is_stopping:
                return
            if (archive := archives.get(period.start)) is not None:
                with self._database.transaction() as conn:
                    store_archive(
                        conn,
                        owner,
                        period,
                        archive,
                        zone=zone,
                        router_zone=router_zone,
                        most_a_day=self._limits.max_bytes_a_day,
                    )
        if without := [period.start for period in wanted if period.start not in archives.keys() | kept]:
            with self._database.transaction() as conn:
                periods_db.give_up_pending_periods(conn, *owner, without)
                hopeless = find_hopeless(periods_db.list_period_states(conn, *owner))
                periods_db.give_up_pending_periods(conn, *owner, hopeless)

    def _read(
        self, router: RouterRecord, wanted: Sequence[NamedPeriod], directory: str | None
    ) -> tuple[dict[date, CounterTable], set[date]]:
        """What is in each archive, and which can't be read; one that is not there, or is too large, is in neither."""
        names = {period.start: period.name for period in wanted}
        try:
            answer = get_earlier_archives(self._connections, target_of(router, self._vault), names, directory=directory)
        except OutputTooLarge as error:
            if len(wanted) > 1:
                raise
            logger.warning("router %s: archive %s is not used: %s", router.id, wanted[0].name, error.message)
            return {}, set()
        archives: dict[date, CounterTable] = {}
        unreadable = set(answer.unreadable)
        for start, printed in answer.tables.items():
            try:
                archive = parse_nlbw_json(printed)
                self._limits.check_devices(archive.totals, where="It")
                archives[start] = archive
            except TooManyDevices as error:
                logger.warning("router %s: archive %s is not used: %s", router.id, names[start], error.message)
            except BadRouterOutput:
                unreadable.add(start)
        return archives, unreadable

    # --- a router that gives trouble ---------------------------------------------------------------------

    def _choose(self, router_id: str, pending: Sequence[NamedPeriod]) -> Sequence[NamedPeriod]:
        """The newest few; after any failure one alone, so that a single archive can't hold up the others."""
        trouble = self._troubles.get(router_id)
        if trouble is None:
            return pending[:ARCHIVES_AT_ONCE]
        return sorted(pending, key=lambda period: trouble.failed_alone[period.start])[:1]

    def _is_resting(self, router_id: str) -> bool:
        trouble = self._troubles.get(router_id)
        if trouble is None or trouble.rest == 0:
            return False
        trouble.rest -= 1
        return True

    def _remember_failure(self, router_id: str, alone: Iterable[date]) -> _Trouble:
        """``alone``: the archives that it was the fault of."""
        trouble = self._troubles.setdefault(router_id, _Trouble())
        trouble.rest = min(trouble.in_a_row, _LONGEST_REST)
        trouble.in_a_row += 1
        trouble.failed_alone.update(alone)
        return trouble

    def _worth_another_try(self, router_id: str, unreadable: set[date]) -> set[date]:
        """Of the archives that are there and can't be read, those that weren't tried often enough."""
        if not unreadable:
            return set()
        trouble = self._remember_failure(router_id, unreadable)
        trouble.unreadable.update(unreadable)
        hopeless = {start for start in unreadable if trouble.unreadable[start] >= _MOST_TRIES}
        for start in sorted(hopeless):
            logger.warning("router %s: its archive of %s can't be read, and is given up", router_id, start)
        return unreadable - hopeless


def find_hopeless(states: Sequence[tuple[date, PeriodState]]) -> list[date]:
    """Pending periods not worth asking for: so many younger ones in a row had no archive. Pure.

    ``states``: of all periods of a router, newest first.
    """
    found = [start for start, state in states if state is PeriodState.COMPLETE]
    oldest_found = min(found, default=date.max)
    missing = [start for start, state in states if state is PeriodState.MISSING and start < oldest_found]
    enough = MISSING_IN_A_ROW if found else MISSING_FROM_THE_START
    if len(missing) < enough:
        return []
    return [start for start, state in states if state is PeriodState.PENDING and start < missing[enough - 1]]


def _has_just_begun(taken: TakenReading) -> bool:
    """In the first minutes of a period nlbwmon may not have written the archive of the one before."""
    age_s = taken.reading.period_age_s
    return age_s is not None and age_s < ROLLOVER_DELAY_S
