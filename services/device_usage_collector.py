"""The collector: takes a reading and has it stored, one router now or every router when it is due.

`collect` serves POST /refresh and each scheduled pass; `collect_due` is called every second by the scheduler and
hands due routers to a bounded number of workers. Each router is alone: one that fails or hangs delays no other,
is pushed forward, and what was wrong stands in its record for /status.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from db_operations import routers_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.context import RouterContext
from services.device_events import VANISHED_AFTER
from services.reading_store import MOST_DEVICES, MOST_SNAPSHOTS_A_DAY, ReadingStore, StaleBase, StoredReading
from services.router_contacts import record_failure
from services.router_readings import ReadingTaker, TakenReading
from services.single_flight import SingleFlight
from utils.errors import Conflict, DatabaseUnavailable, NetPilotError, ReadingPutOff, RouterNotFound
from utils.time import Clock

logger = logging.getLogger(__name__)


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
        """``claim_for``: longer than any collection takes; a process that died blocks its routers no longer.

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
        self._running: set[Future[None]] = set()
        #: Those of them whose router failed last time.
        self._trying_again: set[Future[None]] = set()
        self._is_stopping = False

    def collect(self, context: RouterContext) -> Collection:
        """Read the router now and store it; callers at the same time share one reading.

        Raises RouterError (recorded for /status), RouterNotFound, DatabaseUnavailable.
        """
        return self._flights.run(context, lambda: self._collect(context))

    def _collect(self, context: RouterContext) -> Collection:
        with self._database.transaction() as conn:
            router = routers_db.get_router(conn, context.session_id, context.router_id)
        if router is None:
            raise RouterNotFound
        try:
            collection = self._take_and_store(router)
        except (DatabaseUnavailable, RouterNotFound):
            raise
        except ReadingPutOff:
            self._put_off(router, timedelta(minutes=1))
            raise
        except NetPilotError as error:
            if self._is_stopping:
                self._put_off(router, timedelta(0))  # we broke it off, not the router: due at once for who comes next
            elif not isinstance(error, Conflict):
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

    def _take_and_store(self, router: RouterRecord) -> Collection:
        """Take again where another process stored a reading in between; once is nearly always enough."""
        try:
            for attempt in Retrying(retry=retry_if_exception_type(StaleBase), stop=stop_after_attempt(4), reraise=True):
                with attempt:
                    taken = self._taker.take(router)
                    stored = self._store.store(router, taken)
        except StaleBase:
            message = (
                "A later reading of this router is stored already. Try again; check this server's clock if it stays."
            )
            raise Conflict(message) from None
        return Collection(taken=taken, stored=stored)

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
        deadline, and those that answer must not wait for that.
        """
        with self._lock:
            free = self._workers - len(self._running)
            free_for_failing = max(1, self._workers // 2) - len(self._trying_again)
        if free <= 0 or self._is_stopping:
            return
        try:
            with self._database.transaction() as conn:
                due = routers_db.claim_due_routers(
                    conn,
                    now=self._clock(),
                    claim_for=self._claim_for,
                    limit=free,
                    failing_limit=max(0, free_for_failing),
                )
        except DatabaseUnavailable as error:
            logger.warning("no collection at the moment: %s", error.message)
            return
        for router in due:
            self._start(router)

    def _start(self, router: RouterRecord) -> None:
        future = self._executor.submit(self._collect_scheduled, RouterContext(router.session_id, router.id))
        with self._lock:
            self._running.add(future)
            if router.consecutive_failures:
                self._trying_again.add(future)
        future.add_done_callback(self._forget)

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._running.discard(future)
            self._trying_again.discard(future)

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
