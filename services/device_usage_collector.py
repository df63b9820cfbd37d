"""The collector: takes a reading and has it stored, one router now or every router when it is due.

`collect` serves POST /refresh and each scheduled pass; `collect_due` is called every second by the scheduler and
hands due routers to a bounded number of workers. Each router is alone: one that fails or hangs delays no other,
is pushed forward, and what was wrong stands in its record for /status.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from db_operations import due_routers_db, routers_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.context import RouterContext
from services.devices.device_events import VANISHED_AFTER
from services.given_up_bases import give_up_base_ahead
from services.readings.reading_store import MOST_DEVICES, MOST_SNAPSHOTS_A_DAY, ReadingStore, StaleBase, StoredReading
from services.readings.router_readings import ReadingTaker, TakenReading
from services.routers.freshness import stamped_ahead
from services.routers.router_contacts import record_failure
from services.schedule import LONGEST_WAIT
from services.single_flight import SingleFlight
from utils.errors import Conflict, DatabaseUnavailable, NetPilotError, ReadingPutOff, RouterNotFound
from utils.time import Clock

logger = logging.getLogger(__name__)

#: Of a reading that has to be taken again.
_TRIES = 4

#: A base that is stamped ahead by more than this is given up after so many tries: at the usual interval half an hour,
#: in which a server that has just booted has long been told the time.
_SOON = timedelta(hours=1)
_TRIES_BY_CLOCK = 10


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One collection of one router: the reading, and what storing it brought."""

    taken: TakenReading
    stored: StoredReading


class DeviceUsageCollector:
    """Collects routers, in parallel up to a bound, none twice at the same time."""

    def __init__(
        self,
        database: Database,
        taker: ReadingTaker,
        clock: Clock,
        *,
        workers: int,
        claim_for: timedelta,
        vanished_after: timedelta = VANISHED_AFTER,
        most_devices: int = MOST_DEVICES,
        most_snapshots_a_day: int = MOST_SNAPSHOTS_A_DAY,
        after_reading: Callable[[RouterRecord, TakenReading], None] = lambda _router, _taken: None,
    ) -> None:
        """``claim_for``: longer than a collection takes; a process that died blocks its routers no longer. Should one
        take longer all the same, this process doesn't begin it again; another one may, and stores nothing twice.

        ``vanished_after``, ``most_devices``, ``most_snapshots_a_day``: as `ReadingStore` has them.
        ``after_reading`` is called with each reading that was stored; it returns at once and never raises.
        """
        self._database = database
        self._taker = taker
        self._store = ReadingStore(
            database,
            vanished_after=vanished_after,
            most_devices=most_devices,
            most_snapshots_a_day=most_snapshots_a_day,
        )
        self._clock = clock
        self._workers = workers
        self._claim_for = claim_for
        self._after_reading = after_reading
        self._flights: SingleFlight[RouterContext, Collection] = SingleFlight()
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="collector")
        self._lock = threading.Lock()
        #: With the router as it was claimed.
        self._running: dict[Future[None], RouterRecord] = {}
        self._is_stopping = False

    def collect(self, context: RouterContext) -> Collection:
        """Read the router now and store it; callers at the same time share one reading.

        Raises RouterError (recorded for /status), RouterNotFound, DatabaseUnavailable.
        """
        return self._flights.run(context, lambda: self._collect(context))

    def _collect(self, context: RouterContext) -> Collection:
        """Take again where another process stored a reading in between, or a person changed the router; once is nearly
        always enough.
        """
        for _ in range(_TRIES):
            with suppress(StaleBase):
                return self._collect_once(self._get_router(context))
        raise Conflict(
            "A later reading of this router is stored already. Try again; check this server's clock if it stays."
        )

    def _collect_once(self, router: RouterRecord) -> Collection:
        """Raises StaleBase where the reading has to be taken again, and what `collect` does."""
        try:
            router = self._check_clock(router)
            taken = self._taker.take(router)
            collection = Collection(taken=taken, stored=self._store.store(router, taken))
        except (StaleBase, DatabaseUnavailable, RouterNotFound):
            raise
        except ReadingPutOff:
            self._put_off(router, timedelta(minutes=1))
            raise
        except NetPilotError as error:
            if self._is_stopping:
                self._put_off(router, timedelta(0))  # we broke it off, not the router: due at once for who comes next
            else:
                self._record_failure(router, error)
            raise
        except Exception:
            self._record_failure(router, NetPilotError())
            raise
        for note in collection.taken.usage.notes:
            logger.info("router %s: %s", router.id, note.message)
        logger.debug("router %s: collected in %.0f ms", router.id, collection.taken.duration_s * 1000)
        self._after_reading(router, collection.taken)
        return collection

    def _get_router(self, context: RouterContext) -> RouterRecord:
        with self._database.reading() as conn:
            router = routers_db.get_router(conn, context.session_id, context.router_id)
        if router is None:
            raise RouterNotFound
        return router

    def _check_clock(self, router: RouterRecord) -> RouterRecord:
        """The router, without a base that was stamped so far ahead that no reading will follow it soon.

        Raises ServerClock while it is worth waiting: it may be the present time that is wrong, as after a boot, and
        where the clock is set right all usage is still counted.
        """
        now = self._clock()
        ahead = stamped_ahead(router.last_success_at, now)
        if ahead is None or router.last_success_at is None:
            return router
        has_waited = router.last_error_code == ahead.code and router.consecutive_failures >= _TRIES_BY_CLOCK
        if not has_waited or router.last_success_at - now <= _SOON:
            raise ahead
        give_up_base_ahead(self._database, router, now)
        return self._get_router(RouterContext(router.session_id, router.id))

    def _put_off(self, router: RouterRecord, delay: timedelta) -> None:
        """Nothing failed at the router: collect it after ``delay``."""
        with self._database.transaction() as conn:
            routers_db.put_off(conn, router.session_id, router.id, until=self._clock() + delay)

    def _record_failure(self, router: RouterRecord, error: NetPilotError) -> None:
        context = RouterContext(router.session_id, router.id)
        record_failure(self._database, context, error, at=self._clock(), changed_at=router.updated_at)

    # --- all routers, when they are due ------------------------------------------------------------------

    def collect_due(self) -> None:
        """Claim due routers for the workers that are free, and set them to work. Returns at once.

        Routers that failed last time get at most half of the workers: one that hangs holds its worker up to every
        deadline, and those that answer must not wait for that. Nor must one account's routers wait for another's,
        however slow: while several accounts have routers, none gets more than a quarter of the workers.
        """
        with self._lock:
            busy = list(self._running.values())
        free = self._workers - len(busy)
        free_for_failing = max(1, self._workers // 2) - sum(router.consecutive_failures > 0 for router in busy)
        if free <= 0 or self._is_stopping:
            return
        try:
            with self._database.transaction() as conn:
                due = due_routers_db.claim_due_routers(
                    conn,
                    now=self._clock(),
                    claim_for=self._claim_for,
                    limit=free,
                    failing_limit=max(0, free_for_failing),
                    account_limit=max(1, self._workers // 4),
                    busy=[router.id for router in busy],
                    longest_wait=max(LONGEST_WAIT, self._claim_for) + _SOON,
                )
        except DatabaseUnavailable as error:
            logger.warning("no collection at the moment: %s", error.message)
            return
        for router in due:
            self._start(router)

    def _start(self, router: RouterRecord) -> None:
        future = self._executor.submit(self._collect_scheduled, RouterContext(router.session_id, router.id))
        with self._lock:
            self._running[future] = router
        future.add_done_callback(self._forget)

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._running.pop(future, None)

    def _collect_scheduled(self, context: RouterContext) -> None:
        try:
            self.collect(context)
        except DatabaseUnavailable as error:
            logger.warning("router %s: not collected: %s", context.router_id, error.message)
        except NetPilotError:
            pass  # recorded and logged already; its next try is scheduled
        except Exception:
            logger.exception("router %s: collecting it failed", context.router_id)

    def stop(self, grace_s: float) -> bool:
        """Take on nothing more and wait up to ``grace_s`` seconds for what runs; whether all of it finished."""
        self._is_stopping = True
        with self._lock:
            running = set(self._running)
        unfinished = wait(running, timeout=grace_s).not_done
        self._executor.shutdown(wait=False, cancel_futures=True)
        return not unfinished
