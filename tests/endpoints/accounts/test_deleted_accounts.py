"""Deleting an account beside everything that is under way for it: nothing of it is left, and nothing breaks."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from db_operations import routers_db
from db_operations.database import Database
from db_operations.statements import Connection, execute
from server import Runtime
from services.accounts.accounts import Identity
from services.accounts.api_tokens import TokenScope
from services.accounts.sessions import Browser
from services.audit import AuditAction, Doer
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.accounts.tenants import Tenant, as_browser, tenant
from tests.homes import PHONE, TABLES, ask, register
from utils.errors import AccountGone, NotFound

BROWSER = Browser(address="127.0.0.1", user_agent="x")


@pytest.fixture
def anna(signed_in: Runtime, server: APIFlask) -> Tenant:
    return tenant(signed_in, server, "anna")


def rows_of(database: Database, account: str) -> dict[str, int]:
    counted = {
        table: ask(database, f"SELECT count(*) FROM {table} WHERE session_id = %(id)s", id=account)[0][0]
        for table in TABLES
    }
    return {table: count for table, count in counted.items() if count}


def until(database: Database, statement: str) -> None:
    """Waits until ``statement`` finds something."""
    for _ in range(1_000):
        if ask(database, statement):
            return
        time.sleep(0.01)
    pytest.fail(f"never came: {statement}")


WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def read_once(runtime: Runtime, context: RouterContext, router: SimulatedRouter) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)


def test_a_router_that_is_registered_while_the_account_goes_leaves_nothing(
    signed_in: Runtime, anna: Tenant, database: Database, ssh: SshServer, clock: ManualClock
) -> None:
    first, late = empty_router(clock), empty_router(clock)
    context = register(signed_in, ssh.add(first), anna.account)
    read_once(signed_in, context, first)
    with ThreadPoolExecutor() as pool, database.transaction() as conn:
        routers_db.lock_router(conn, anna.account, context.router_id)  # as if years of usage had to go
        deleting = pool.submit(signed_in.services.accounts.delete, anna.account)
        until(database, WAITING)
        # A request that was let in before the account began to go.
        other = register(signed_in, ssh.add(late), anna.account)
        read_once(signed_in, other, late)
        assert rows_of(database, anna.account)["device_usage_monitoring"] == 2
        conn.rollback()
        deleting.result(30)
    assert rows_of(database, anna.account) == {}


def test_its_browsers_and_tokens_are_out_before_its_routers_are_gone(
    signed_in: Runtime, server: APIFlask, anna: Tenant, database: Database, hosted: HostedRouter
) -> None:
    context = register(signed_in, hosted, anna.account)
    token = signed_in.services.tokens.create(
        anna.account, name="x", scope=TokenScope.WRITE, lifetime=timedelta(days=1)
    ).secret
    with ThreadPoolExecutor() as pool, database.transaction() as conn:
        routers_db.lock_router(conn, anna.account, context.router_id)
        deleting = pool.submit(signed_in.services.accounts.delete, anna.account)
        until(database, WAITING)
        assert as_browser(server, anna.secret).get("/api/auth/me").status_code == 401
        header = {"Authorization": f"Bearer {token}"}
        assert server.test_client().get("/api/auth/me", headers=header).status_code == 401
        conn.rollback()
        deleting.result(30)


def test_two_deletions_at_once_are_one(
    signed_in: Runtime, anna: Tenant, database: Database, hosted: HostedRouter
) -> None:
    context = register(signed_in, hosted, anna.account)
    with ThreadPoolExecutor() as pool, database.transaction() as conn:
        routers_db.lock_router(conn, anna.account, context.router_id)
        deleting = [pool.submit(signed_in.services.accounts.delete, anna.account) for _ in range(2)]
        until(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' HAVING count(*) > 1")
        conn.rollback()
        failures = [one.exception(30) for one in deleting]
    assert sum(failure is None for failure in failures) >= 1
    assert all(failure is None or isinstance(failure, AccountGone | NotFound) for failure in failures)
    assert rows_of(database, anna.account) == {}


# --- what comes to an account whose deletion is not committed yet ----------------------------------------


@contextmanager
def going(database: Database, account: str) -> Iterator[Connection]:
    """The account as good as gone: at the end of the block it is."""
    with database.transaction() as conn:
        execute(conn, "DELETE FROM users WHERE session_id = %(id)s", {"id": account})
        yield conn


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/auth/tokens", {"name": "x"}),
        ("/api/routers", {"name": "x", "host": "127.0.0.1", "port": 1, "password": "x"}),
    ],
)
def test_what_is_made_beside_it_is_refused(
    server: APIFlask, anna: Tenant, database: Database, path: str, body: dict[str, object]
) -> None:
    client = as_browser(server, anna.secret)
    with ThreadPoolExecutor() as pool:
        with going(database, anna.account):
            made: Future[TestResponse] = pool.submit(client.post, path, json=body, headers={"X-CSRFToken": anna.csrf})
            until(database, WAITING)
        answer = made.result(30)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert rows_of(database, anna.account) == {}


@pytest.mark.parametrize(
    "act",
    [
        lambda services, account: services.sessions.open(account, BROWSER),
        lambda services, account: services.audit.record(account, AuditAction.EXPORTED, "", by=Doer()),
    ],
)
def test_neither_is_anybody_signed_in_nor_anything_written_down(
    signed_in: Runtime, anna: Tenant, database: Database, act: Callable[..., object]
) -> None:
    with ThreadPoolExecutor() as pool:
        with going(database, anna.account):
            acting = pool.submit(act, signed_in.services, anna.account)
            until(database, WAITING)
        assert isinstance(acting.exception(30), AccountGone)
    assert rows_of(database, anna.account) == {}


def test_who_signs_in_beside_it_has_a_new_account(signed_in: Runtime, anna: Tenant, database: Database) -> None:
    who = Identity(issuer="i", subject="anna", email="anna@example.org", is_email_verified=True, name="Anna")
    with ThreadPoolExecutor() as pool:
        with going(database, anna.account):
            signing_in = pool.submit(signed_in.services.accounts.sign_in, who)
            until(database, WAITING)
        assert signing_in.result(30).session_id != anna.account
