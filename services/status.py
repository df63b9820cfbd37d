"""How well a router is watched: the collector, the router, nlbwmon, what is stored, and what should be mended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands_server_operations.ssh_keys import fingerprint
from db_operations import readings_db, routers_db, snapshots_db
from db_operations.database import Database
from db_operations.readings_db import ReadingHeader, Standstill
from db_operations.routers_db import RouterRecord
from db_operations.snapshots_db import StoredSnapshots
from services.buckets import Span, covered_share
from services.context import RouterContext
from services.routers.freshness import has_failed, odd_reading
from services.routers.router_doctor import RouterFacts, diagnose
from services.routers.router_facts import with_standstill
from utils.errors import (
    HostKeyChanged,
    NlbwmonDown,
    NlbwmonMissing,
    RouterAddressNotAllowed,
    RouterNotFound,
    RouterTimeout,
    RouterUnreachable,
    ServerClock,
    fix_for,
)
from utils.pasteable import accept_host_key
from utils.time import Clock

#: Errors that say that the router itself was not there; after any other it did answer.
_UNREACHABLE = {RouterUnreachable.code, RouterTimeout.code, RouterAddressNotAllowed.code}


@dataclass(frozen=True, kw_only=True)
class StatusWarning:
    """One thing to know or to mend."""

    code: str
    message: str
    fix: str | None = None


@dataclass(frozen=True, kw_only=True)
class MonitoringStatus:
    """Everything /status tells."""

    is_collector_running: bool
    router: RouterRecord
    #: None before the first attempt, and where it wasn't asked.
    is_reachable: bool | None
    #: None where that isn't known: the router can't be asked.
    is_nlbwmon_running: bool | None
    database_interval: str | None
    #: When nlbwmon had last written the running period's file at the last reading; None where that isn't known.
    last_commit_at: datetime | None
    stored: StoredSnapshots
    #: Which share of the last 24 hours lies between good readings, 0 to 1.
    coverage_24h: float
    warnings: Sequence[StatusWarning]


class StatusService:
    """Looks at what is stored; it never asks the router itself, so it answers at once whatever the router does."""

    def __init__(self, database: Database, clock: Clock, *, is_collector_running: bool, base_url: str) -> None:
        """``base_url``: where people reach this server, for the commands that it tells them."""
        self._database = database
        self._clock = clock
        self._is_collector_running = is_collector_running
        self._base_url = base_url

    def get_status(self, context: RouterContext) -> MonitoringStatus:
        """Raises RouterNotFound."""
        owner = (context.session_id, context.router_id)
        now = self._clock()
        day = Span(now - timedelta(days=1), now)
        with self._database.reading() as conn:
            router = routers_db.get_router(conn, *owner)
            if router is None:
                raise RouterNotFound
            last = readings_db.get_reading_header(conn, *owner)
            standstill = readings_db.get_standstill(conn, *owner) if router.is_frozen else None
            stored = snapshots_db.count_snapshots(conn, *owner)
            stretches = readings_db.list_coverage(conn, *owner, start=day.start, end=day.end)
        return MonitoringStatus(
            is_collector_running=self._is_collector_running,
            router=router,
            is_reachable=_is_reachable(router),
            is_nlbwmon_running=_is_nlbwmon_running(router),
            database_interval=last.database_interval if last else None,
            last_commit_at=last.last_commit_at if last else None,
            stored=stored,
            coverage_24h=covered_share(day, [Span(*stretch) for stretch in stretches], now),
            warnings=[
                *_failure(router, self._base_url),
                *_warnings(router, last, now, is_collector_running=self._is_collector_running),
                *_findings(last, standstill),
            ],
        )


def _is_reachable(router: RouterRecord) -> bool | None:
    if not has_failed(router):
        return True if router.last_success_at else None
    if router.last_error_code == ServerClock.code:
        return None  # it wasn't asked
    return router.last_error_code not in _UNREACHABLE


def _is_nlbwmon_running(router: RouterRecord) -> bool | None:
    if not has_failed(router):
        return True if router.last_success_at else None
    return False if router.last_error_code in (NlbwmonDown.code, NlbwmonMissing.code) else None


def _failure(router: RouterRecord, base_url: str) -> list[StatusWarning]:
    """What went wrong at the last attempt, and what mends it."""
    code = router.last_error_code
    if not has_failed(router) or not code or code == ServerClock.code:  # that one is seen in the reading itself
        return []
    fix = fix_for(code)
    if code == HostKeyChanged.code and router.presented_host_key:
        fix = accept_host_key(base_url, router.id, fingerprint(router.presented_host_key))
    return [StatusWarning(code=code, message=router.last_error_message or "", fix=fix)]


def _warnings(
    router: RouterRecord, last: ReadingHeader | None, now: datetime, *, is_collector_running: bool
) -> list[StatusWarning]:
    warnings = []
    if not is_collector_running:
        message = "This process does not collect (COLLECTOR_ENABLED is false); python server.py collect does."
        warnings.append(StatusWarning(code="COLLECTOR_OFF", message=message))
    if last is None:
        message = (
            "No reading to start from is stored. The next one sets the base; usage is counted from the one after it."
        )
        warnings.append(StatusWarning(code="NO_READING_YET", message=message))
    elif odd := odd_reading(last.read_at, router.collect_interval_minutes, now):
        warnings.append(StatusWarning(code=odd.code, message=odd.message, fix=fix_for(odd.code)))
    return warnings


def _findings(last: ReadingHeader | None, standstill: Standstill | None) -> list[StatusWarning]:
    """What the doctor found at the last reading, and over the last ones."""
    over_time = [check for check in diagnose(with_standstill(RouterFacts(), standstill)) if not check.ok]
    found = [StatusWarning(code=check.check, message=check.message, fix=check.fix) for check in over_time]
    return found + [StatusWarning(**vars(finding)) for finding in (last.findings if last else ())]
