"""Tokens: what programs may do with them, and for how long."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from db_operations.database import Database
from simulator.clock import ManualClock
from tests.endpoints.accounts.provider import BrowserOf
from tests.homes import ask


def make(browser: BrowserOf, **body: Any) -> dict[str, Any]:
    answer = browser.call("POST", "/api/auth/tokens", json={"name": "script"} | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def call(browser: BrowserOf, token: str, method: str, path: str, **request: Any) -> requests.Response:
    """As a program: without the browser's cookie."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, browser.base_url + path, headers=headers, **request)


def test_a_token_reads_or_writes_as_it_is_meant_to(anna: BrowserOf) -> None:
    reads, writes = make(anna)["token"], make(anna, scope="write")["token"]
    assert call(anna, reads, "GET", "/api/auth/me").json()["data"]["user"]["name"] == "Anna"
    refused = call(anna, reads, "DELETE", "/api/routers/x")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert call(anna, writes, "DELETE", "/api/routers/x").status_code == 404
    assert call(anna, writes, "GET", "/api/auth/me").json()["data"]["csrfToken"] is None


def test_a_token_makes_no_tokens_and_sees_and_ends_none(anna: BrowserOf) -> None:
    writes, other = make(anna, scope="write")["token"], make(anna)
    for method, path in (
        ("POST", "tokens"),
        ("GET", "tokens"),
        ("DELETE", f"tokens/{other['id']}"),
        ("GET", "sessions"),
        ("DELETE", "sessions"),
        ("GET", "audit"),
        ("DELETE", "account"),
    ):
        body = {"name": "x"} if method == "POST" else None
        refused = call(anna, writes, method, f"/api/auth/{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE"), path
    assert call(anna, other["token"], "GET", "/api/auth/me").status_code == 200
    assert anna.call("GET", "/api/auth/me").status_code == 200


def test_its_secret_is_shown_once_and_stored_nowhere(anna: BrowserOf, database: Database) -> None:
    made = make(anna, name="Grafana 📈", expiresInDays=7)
    (listed,) = anna.call("GET", "/api/auth/tokens").json()["data"]["tokens"]
    assert made["token"].startswith("np_")
    assert listed == {name: value for name, value in made.items() if name != "token"}
    ((stored,),) = ask(database, "SELECT row_to_json(tokens)::text FROM tokens")
    assert made["token"] not in stored
    assert made["token"].removeprefix("np_") not in stored


def test_its_last_use_is_shown_and_its_end_ends_it(anna: BrowserOf, clock: ManualClock) -> None:
    made = make(anna, expiresInDays=1)
    assert made["lastUsedAt"] is None
    clock.advance(timedelta(hours=23))
    assert call(anna, made["token"], "GET", "/api/auth/me").status_code == 200
    (listed,) = anna.call("GET", "/api/auth/tokens").json()["data"]["tokens"]
    assert listed["lastUsedAt"] == clock.now().isoformat().replace("+00:00", "Z")
    clock.advance(timedelta(hours=1))
    assert call(anna, made["token"], "GET", "/api/auth/me").status_code == 401


def test_a_deleted_token_is_refused_at_once_and_another_accounts_is_not_there(anna: BrowserOf, ben: BrowserOf) -> None:
    made = make(anna)
    assert ben.call("DELETE", f"/api/auth/tokens/{made['id']}").status_code == 404
    assert call(anna, made["token"], "GET", "/api/auth/me").status_code == 200
    assert anna.call("DELETE", f"/api/auth/tokens/{made['id']}").status_code == 200
    assert call(anna, made["token"], "GET", "/api/auth/me").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "np_x", "Bearer np_" + "x" * 5_000])
def test_what_is_no_token_is_refused_even_beside_a_good_cookie(anna: BrowserOf, header: str) -> None:
    answer = anna.call("GET", "/api/auth/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "x", "scope": "admin"}, "scope"),
        ({"name": "x", "expiresInDays": 0}, "expiresInDays"),
        ({"name": "x", "expiresInDays": 366}, "expiresInDays"),
        ({"name": "x", "token": "mine"}, "token"),
    ],
)
def test_what_can_not_be_made_names_the_field(anna: BrowserOf, body: dict[str, Any], field: str) -> None:
    answer = anna.call("POST", "/api/auth/tokens", json=body)
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, [field])


def test_an_account_has_a_hundred_at_most(anna: BrowserOf) -> None:
    for _ in range(100):
        make(anna)
    assert anna.call("POST", "/api/auth/tokens", json={"name": "x"}).status_code == 409


@pytest.mark.parametrize("path", ["tokens/%00", "tokens/a%00b", "tokens/%ff%fe", "sessions/%00", "sessions/a%00b"])
def test_what_is_no_id_names_nothing(anna: BrowserOf, path: str) -> None:
    answer = anna.call("DELETE", f"/api/auth/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
