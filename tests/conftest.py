"""Fixtures of the whole suite: one PostgreSQL, emptied for each test, and simulated homes on one clock."""

import signal
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from hypothesis import settings

from db_operations import users_db
from db_operations.database import Database
from db_operations.migrations import migrate
from db_operations.users_db import UserRecord
from server import Runtime, build_runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.dropbear import dropbear, home
from tests.homes import BOB, START, TABLES, Api, make_config, register
from tests.postgres import start_postgres
from utils.time import Clock

__all__ = ["dropbear", "home"]


def pytest_configure() -> None:
    """A run that is ended (SIGTERM) stops its PostgreSQL like one that is interrupted. Workers of -n are cut off."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A busy machine is no failure: no example has a deadline.
    settings.register_profile("unhurried", settings(deadline=None))
    settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server for the whole run, migrated."""
    url, stop = start_postgres()
    migrate(url)
    yield url
    stop()


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """The database, empty: truncating takes a twentieth of the time of copying a template."""
    connection = psycopg2.connect(postgres_url, options="-c lock_timeout=10s")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'device_usage_monitoring'::regclass"
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE IF EXISTS {partition} CASCADE")
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE")
    connection.close()
    return postgres_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A pool of the test's own."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def bob(database: Database) -> str:
    """Another account than the signed-in one."""
    with database.transaction() as conn:
        users_db.insert_user_unless_there(conn, UserRecord(session_id=BOB, display_name="Bob"))
    return BOB


@pytest.fixture
def clock() -> ManualClock:
    """True time, for routers and server alike; it stands until a test moves it."""
    return ManualClock(START)


@pytest.fixture
def ssh() -> Iterator[SshServer]:
    with SshServer() as running:
        yield running


@pytest.fixture
def router(clock: ManualClock) -> SimulatedRouter:
    """An empty router in Berlin, for scripted traffic."""
    return empty_router(clock)


@pytest.fixture
def hosted(ssh: SshServer, router: SimulatedRouter) -> HostedRouter:
    return ssh.add(router)


@pytest.fixture
def make_runtime(database_url: str, clock: ManualClock) -> Iterator[Callable[..., Runtime]]:
    """Makes servers without their web half: make_runtime(collector_workers=2, ...); each is a process of its own.

    Only with ``backfill`` they read archives by themselves: most tests look at each command that a router gets.
    """
    made: list[Runtime] = []

    def make(now: Clock = clock.now, *, backfill: bool = False, **config: object) -> Runtime:
        made.append(build_runtime(make_config(**config), database_url, clock=now))
        if not backfill:
            made[-1].backfill.stop()
        return made[-1]

    yield make
    for runtime in made:
        runtime.close()


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime()


@pytest.fixture
def context(runtime: Runtime, hosted: HostedRouter) -> RouterContext:
    """Alice's router, registered and never read yet."""
    return register(runtime, hosted)


@pytest.fixture
def app(runtime: Runtime) -> APIFlask:
    app = create_app(runtime)
    app.testing = False  # errors become answers, as in production
    return app


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient) -> Api:
    return Api(client)
