"""PostgreSQL stopped, crashed and cut off while routers are read: said in time, and not a byte lost or doubled."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres
from db_operations.migrations import migrate
from server import Runtime, build_runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock, SystemClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import (
    LAPTOP,
    PHONE,
    SOAK,
    TickingClock,
    ask,
    covered,
    daily,
    hourly,
    make_config,
    per_device,
    register,
    serving,
    truth,
)
from tests.postgres import FAST, server_processes, stopping, temporary_home
from tests.postgres_proxy import Cut, PostgresProxy
from tests.restless_devices import traffic
from utils.errors import Conflict, DatabaseUnavailable, NetPilotError
from utils.time import utc_now

BASE = "/api/device-usage"

#: Of a transaction, in seconds; 15 outside of tests.
DEADLINE_S = 1.0
#: What a request may take under it: libpq takes two seconds at least to give up a new connection.
PATIENCE_S = 8


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as home:
        yield home


@pytest.fixture
def postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    """A server that the test may stop and kill."""
    server = EmbeddedPostgres(home, settings=FAST)
    migrate(server.start())
    yield server
    server.stop()


@pytest.fixture
def watched(ssh: SshServer) -> HostedRouter:
    """A router that lives in real time."""
    return ssh.add(empty_router(SystemClock()))


@pytest.fixture
def own(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    monkeypatch.setattr("server.Database", partial(Database, transaction_timeout_s=DEADLINE_S))
    runtime = build_runtime(make_config(), postgres.url, clock=utc_now)
    yield runtime
    runtime.close()


@contextlib.contextmanager
def again_and_again(works: list[Callable[[], None]]) -> Iterator[None]:
    """Each in a thread of its own, over and over, until the block ends."""
    stop = threading.Event()

    def run(work: Callable[[], None]) -> None:
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not [thread for thread in threads if thread.is_alive()]


def read_until_it_works(runtime: Runtime, context: RouterContext) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            runtime.collector.collect(context)
            return
        except (DatabaseUnavailable, Conflict):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def is_the_truth(runtime: Runtime, context: RouterContext, router: SimulatedRouter) -> None:
    """What is stored, by hour and by day, is what the ledger says, and no moment is missing."""
    expected = truth(router.ledger.totals())  # type: ignore[union-attr]
    assert per_device(hourly(runtime.database, context)) == expected
    assert per_device(daily(runtime.database, context)) == expected
    assert len(covered(runtime.database, context)) == 1


# --- stopped ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(120 * SOAK)
def test_a_stopped_postgresql_is_told_within_the_deadline_and_after_it_all_is_well(
    own: Runtime, home: Path, watched: HostedRouter
) -> None:
    """As with Ctrl-Z, under load: nothing answers, nothing refuses. NETPILOT_SOAK=n: n times."""
    context = register(own, watched)
    own.collector.collect(context)
    answers: list[tuple[str, int, Any]] = []

    def asks(method: str, path: str) -> Callable[[], None]:
        def ask_once() -> None:
            response = requests.request(method, f"{url}{path}", timeout=PATIENCE_S)
            answers.append((path, response.status_code, response.json()))

        return ask_once

    paths = [*(f"{BASE}/{name}" for name in ("devices", "current", "history", "summary", "status")), "/health/ready"]
    load = [asks("GET", path) for path in paths] + [asks("POST", f"{BASE}/refresh")] * 2
    with serving(create_app(own)) as url, traffic(watched.router), again_and_again(load):
        for _ in range(SOAK):
            _until(lambda: {path for path, status, _ in answers if status == 200} > set(paths), "answers of every kind")
            with stopping(home) as stop:
                stop()
                answers.clear()
                _until(lambda: len({path for path, status, _ in answers if status == 503}) > len(paths), "refusals")
                answers.clear()
                for _ in range(20):
                    assert requests.get(f"{url}/health/live", timeout=PATIENCE_S).status_code == 200
                own.collector.collect_due()  # says so in its log, and nothing else
                _until(lambda: {path for path, _, _ in answers} > set(paths), "more refusals")
                told = {(status, body.get("error", {}).get("code")) for _, status, body in answers}
                assert told == {(503, "DATABASE_UNAVAILABLE")}
            _until(lambda: requests.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 200, "readiness")
            answers.clear()
    read_until_it_works(own, context)
    is_the_truth(own, context, watched.router)
    assert own.routers.get(context).consecutive_failures == 0, "it was not the router's fault"


def _until(condition: Callable[[], object], what: str, patience_s: float = 40) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


# --- crashed ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(120 * SOAK)
def test_a_postgresql_that_crashes_again_and_again_loses_and_doubles_nothing(
    own: Runtime, postgres: EmbeddedPostgres, home: Path, watched: HostedRouter
) -> None:
    """An immediate shutdown at any moment of three readers' work, and its recovery, six times.

    NETPILOT_SOAK=n: n times as often.
    """
    context = register(own, watched)
    own.collector.collect(context)
    rng = random.Random(3)
    met: list[NetPilotError] = []
    stored: list[datetime] = []

    def read() -> None:
        try:
            stored.append(own.collector.collect(context).taken.reading.read_at)
        except NetPilotError as error:
            met.append(error)

    with traffic(watched.router), again_and_again([read] * 3):
        for _ in range(6 * SOAK):
            before = len(stored)
            _until(lambda before=before: len(stored) > before, "a reading between two crashes")
            time.sleep(rng.uniform(0, 0.3))
            postmaster, *_ = server_processes(home)
            os.kill(postmaster, signal.SIGQUIT)
            _until(postgres.ensure_running, "that it has to be started again")
    read_until_it_works(own, context)
    is_the_truth(own, context, watched.router)
    assert {type(error) for error in met} <= {DatabaseUnavailable, Conflict}
    assert own.routers.get(context).consecutive_failures == 0


# --- cut off around a commit -----------------------------------------------------------------------------


@pytest.fixture
def proxy(database_url: str) -> Iterator[PostgresProxy]:
    proxy = PostgresProxy(database_url)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.timeout(120 * SOAK)
def test_a_commit_whose_answer_is_lost_neither_doubles_nor_loses_a_reading(
    proxy: PostgresProxy,
    database: Database,
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    cut: Cut,
) -> None:
    """Each commit of a reading in turn is the last that the connection carries; nobody can know whether it happened.

    NETPILOT_SOAK=n: n times around.
    """
    ticking = TickingClock(clock)
    runtime = build_runtime(make_config(), proxy.url, clock=ticking.now)
    runtime.backfill.stop()  # its commits are not those of readings
    try:
        context = register(runtime, hosted)
        runtime.collector.collect(context)
        outcomes = []
        for number in list(range(1, 7)) * 3 * SOAK:
            router.traffic(PHONE, rx=1_000 + number, tx=number)
            clock.advance(timedelta(minutes=1))
            before = _last_reading(database)
            proxy.cut_at(number, cut)
            try:
                runtime.collector.collect(context)
                failed = False
            except DatabaseUnavailable:
                failed = True
            outcomes.append((proxy.has_cut, failed, _last_reading(database) != before))
            if number % 2:  # what comes next starts from what is stored, whichever that is
                router.traffic(LAPTOP, rx=5, tx=5)
                clock.advance(timedelta(minutes=1))
            proxy.cut_at(0, cut)
            runtime.collector.collect(context)
            is_the_truth(runtime, context, router)
    finally:
        runtime.close()
    assert (True, True, cut is Cut.AFTER_COMMIT) in outcomes, "the commit of the reading itself was among them"
    assert all(has_cut == failed for has_cut, failed, _ in outcomes)


def _last_reading(database: Database) -> list[tuple[Any, ...]]:
    return ask(database, "SELECT read_at FROM last_readings")
