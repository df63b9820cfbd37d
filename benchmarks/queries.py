"""What a page asks of the database, against a plain read of the same rows by their keys: with little data and much.

Two databases of one server hold the same router's rollups and devices, and 1 million or 17 million raw rows. Only the
time spent in the database counts, whatever the service asks there; what Python makes of it is `http_answers`' part.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

from benchmarks.measure import Options, Result, Side, medians, timed
from benchmarks.stored_usage import DEVICES, LAST_DAY, LAST_READING, Amount, fill, router_id
from benchmarks.temporary_database import running_postgres
from db_operations.database import Database
from db_operations.migrations import migrate
from db_operations.routers_db import RouterRecord
from services.accounts.accounts import LOCAL_SESSION_ID, ensure_local_user
from services.buckets import Granularity
from services.context import RouterContext
from services.device_usage_service import DeviceUsageService
from services.protocols import ProtocolService
from services.status import StatusService
from services.trends import TrendPeriod, TrendService
from services.usage_history import UsageHistoryService
from utils.errors import RouterUnreachable

_FEW_ROWS = 1_000_000
_CONTEXT = RouterContext(LOCAL_SESSION_ID, router_id(1))
_FIRST_DAY = LAST_DAY - timedelta(days=29)

_DEVICES = "SELECT * FROM devices WHERE router_id = %(router)s"
_DAYS = """
    SELECT device_mac, start_date, total_download, total_upload FROM device_usage_history
    WHERE router_id = %(router)s AND span = 'day' AND start_date BETWEEN %(first_day)s AND %(last_day)s
"""
_SNAPSHOT = """
    SELECT device_mac, device_name, bytes_downloaded, bytes_uploaded, usage_down, usage_up
    FROM device_usage_monitoring WHERE router_id = %(router)s AND timestamp = %(at)s
"""
_ROUTER = "SELECT * FROM routers WHERE id = %(router)s"
_LAST_READING = "SELECT * FROM last_readings WHERE router_id = %(router)s"
_HEADER = "SELECT read_at, database_interval, last_commit_at, findings FROM last_readings WHERE router_id = %(router)s"
_ACTIVE = "SELECT device_mac, is_active, is_router FROM devices WHERE router_id = %(router)s"
_USUAL_DAYS = """
    SELECT device_mac, start_date, total_download, total_upload FROM device_usage_history
    WHERE router_id = %(router)s AND span = 'day' AND start_date >= %(last_day)s::date - 56
"""
_HOURS_OF_DAY = """
    SELECT device_mac, extract(hour FROM slot_start), sum(total_download), sum(total_upload) FROM device_usage_hourly
    WHERE router_id = %(router)s AND slot_start >= %(first_day)s GROUP BY 1, 2
"""
_PROTOCOLS = """
    SELECT protocol, sum(ipv4_download), sum(ipv4_upload), sum(ipv6_download), sum(ipv6_upload),
           count(DISTINCT device_mac)
    FROM device_usage_protocols WHERE router_id = %(router)s AND day BETWEEN %(first_day)s AND %(last_day)s
    GROUP BY protocol
"""
_ROWS_OF_DAYS = "SELECT snapshots, oldest, newest FROM snapshot_days WHERE router_id = %(router)s"
_COVERAGE = "SELECT start_at, end_at FROM coverage WHERE router_id = %(router)s"


def queries(options: Options) -> Iterator[Result]:
    amounts = Amount(min(_FEW_ROWS, options.rows // 10)), Amount(options.rows)
    with running_postgres() as url:
        few, many = (_filled(url, f"rows_{amount.rows}", amount) for amount in amounts)
        for name, ask, plain in (
            ("/status", _status, [_ROUTER, _HEADER, _ACTIVE, _ROWS_OF_DAYS, _COVERAGE]),
            ("/current, stored", _current, [_ROUTER, _LAST_READING, _SNAPSHOT, _DEVICES]),
            ("/history, 50 devices", _history(50), [_ROUTER, _COVERAGE, _DEVICES, _DAYS]),
            (f"/history, {DEVICES} devices", _history(DEVICES), [_ROUTER, _COVERAGE, _DEVICES, _DAYS]),
            ("/protocols", _protocols, [_ROUTER, _COVERAGE, _DAYS, _PROTOCOLS]),
            ("/analytics/trends", _trends, [_ROUTER, _COVERAGE, _DEVICES, _USUAL_DAYS, _HOURS_OF_DAY]),
        ):
            with _asking(many, ask) as ours, _asking(few, ask) as with_few, _reading(many, plain) as limit:
                ours_s, with_few_s, limit_s = medians(ours, with_few, limit, rounds=options.rounds(200), warm_up=10)
            size = f"{amounts[1].actual_rows / 1e6:.1f}M"
            yield Result(name=f"{name}, {size} rows", ours_s=ours_s, limit_s=limit_s, at_most=1.5)
            few_size = f"{amounts[0].actual_rows / 1e6:.1f}M"
            yield Result(name=f"{name}, {size} against {few_size}", ours_s=ours_s, limit_s=with_few_s, at_most=1.15)


def _filled(url: str, name: str, amount: Amount) -> str:
    """The URL of a database of its own."""
    conn = psycopg2.connect(url)
    conn.autocommit = True
    with conn.cursor() as opened:
        opened.execute(f"CREATE DATABASE {name}")
    conn.close()
    scheme, separator, rest = url.partition("@/")
    own_url = f"{scheme}{separator}{name}?{rest.partition('?')[2]}"
    migrate(own_url)
    database = Database(own_url, max_connections=1)
    ensure_local_user(database)
    database.close()
    fill(own_url, amount)
    return own_url


# --- ours ------------------------------------------------------------------------------------------------


class _TimedDatabase(Database):
    """Adds up the seconds between asking the database and having its answer, transactions included."""

    seconds = 0.0

    @contextlib.contextmanager
    def transaction(self, *, timeout_s: float | None = None) -> Iterator[connection]:
        transaction = super().transaction(timeout_s=timeout_s)
        with self.counting():
            conn = transaction.__enter__()
        conn.cursor_factory = type("_Cursor", (_TimedCursor,), {"database": self})
        try:
            yield conn
        except BaseException as error:
            if not transaction.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            with self.counting():
                transaction.__exit__(None, None, None)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


class _TimedCursor(cursor):
    database: _TimedDatabase

    def execute(self, query: Any, params: Any = None) -> None:
        with self.database.counting():
            super().execute(query, params)

    def fetchall(self) -> list[tuple[Any, ...]]:
        with self.database.counting():
            return super().fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        with self.database.counting():
            return super().fetchone()


class _UnreachableRouter:
    """A reading taker whose router never answers, so that the stored reading is shown."""

    def take(self, router: RouterRecord) -> Any:
        del router
        raise RouterUnreachable


def _current(database: Database) -> Callable[[], object]:
    service = DeviceUsageService(database, None, _UnreachableRouter(), lambda: LAST_READING)  # type: ignore[arg-type]
    return lambda: service.get_current(_CONTEXT)


def _status(database: Database) -> Callable[[], object]:
    service = StatusService(database, lambda: LAST_READING, is_collector_running=True, base_url="")
    return lambda: service.get_status(_CONTEXT)


def _history(page_size: int) -> Callable[[Database], Callable[[], object]]:
    def ask(database: Database) -> Callable[[], object]:
        service = UsageHistoryService(database, lambda: LAST_READING)
        return lambda: service.get_history(
            _CONTEXT,
            start_date=_FIRST_DAY,
            end_date=LAST_DAY,
            granularity=Granularity.DAY,
            page=1,
            page_size=page_size,
        )

    return ask


def _protocols(database: Database) -> Callable[[], object]:
    service = ProtocolService(database, lambda: LAST_READING)
    return lambda: service.get_protocols(_CONTEXT, start_date=_FIRST_DAY, end_date=LAST_DAY, page=1, page_size=50)


def _trends(database: Database) -> Callable[[], object]:
    service = TrendService(database, lambda: LAST_READING)
    return lambda: service.get_trends(_CONTEXT, TrendPeriod.LAST_30_DAYS)


@contextlib.contextmanager
def _asking(url: str, ask: Callable[[Database], Callable[[], object]]) -> Iterator[Side]:
    """The service's call; its seconds in the database."""
    database = _TimedDatabase(url, max_connections=1)
    call = ask(database)

    def side() -> float:
        database.seconds = 0.0
        call()
        return database.seconds

    try:
        yield side
    finally:
        database.close()


# --- the limit -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _reading(url: str, statements: list[str]) -> Iterator[Side]:
    """The rows of each statement, fetched."""
    params: Mapping[str, object] = {
        "router": _CONTEXT.router_id,
        "at": LAST_READING,
        "first_day": _FIRST_DAY,
        "last_day": LAST_DAY,
    }
    conn = psycopg2.connect(url)
    conn.autocommit = True

    def read() -> object:
        with conn.cursor() as opened:
            answers = []
            for statement in statements:
                opened.execute(statement, params)
                answers.append(opened.fetchall())
            return answers

    if not all(read()):  # type: ignore[call-overload]
        raise RuntimeError("a plain read found nothing")
    try:
        yield timed(read)
    finally:
        conn.close()
