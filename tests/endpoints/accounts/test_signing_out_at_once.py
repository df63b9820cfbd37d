"""Signing out beside what is under way: whoever was let in just before makes nothing that outlasts it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from apiflask import APIFlask

from db_operations import sessions_db, tokens_db, users_db
from db_operations.database import Database
from db_operations.tokens_db import TokenRecord
from server import Runtime
from services.accounts.sign_outs import sign_out
from simulator.clock import ManualClock
from tests.endpoints.accounts.tenants import as_browser, tenant
from tests.endpoints.accounts.test_deleted_accounts import WAITING, until


def test_no_token_is_made_by_a_browser_that_is_signed_out_just_then(
    signed_in: Runtime, server: APIFlask, database: Database
) -> None:
    anna = tenant(signed_in, server, "anna")
    client = as_browser(server, anna.secret)
    with ThreadPoolExecutor() as pool:
        with database.transaction() as conn:
            users_db.lock_user(conn, anna.account)
            making = pool.submit(
                client.post, "/api/auth/tokens", json={"name": "x"}, headers={"X-CSRFToken": anna.csrf}
            )
            until(database, WAITING)
            sessions_db.delete_sessions_of(conn, anna.account)
        answer = making.result(30)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert signed_in.services.tokens.list_all(anna.account) == []


@pytest.mark.parametrize(
    "end",
    [
        lambda runtime, account: sign_out(runtime.database, None, at=runtime.services.sessions._clock()),
        lambda runtime, account: runtime.services.sessions.revoke_all(account),
        lambda runtime, account: runtime.services.sessions.revoke(
            account, runtime.services.sessions.list_all(account)[0].id
        ),
    ],
)
def test_a_token_that_is_being_made_is_made_before_it(
    signed_in: Runtime,
    server: APIFlask,
    database: Database,
    clock: ManualClock,
    end: Callable[[Runtime, str], object],
) -> None:
    anna = tenant(signed_in, server, "anna")
    now = clock.now()
    token = TokenRecord(
        id="0" * 16,
        session_id=anna.account,
        name="x",
        scope="write",
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    with ThreadPoolExecutor() as pool:
        with database.transaction() as conn:
            users_db.lock_user(conn, anna.account)
            tokens_db.insert_token(conn, token, b"x" * 32)
            ending = pool.submit(end, signed_in, anna.account)
            until(database, WAITING)
        ended = ending.result(30)
    assert getattr(ended, "tokens", 1) == 1
