"""Who may still be here: the list and the mode count whenever somebody asks, not only at the sign-in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
import requests

from server import Runtime, create_app
from services.accounts.api_tokens import TokenScope
from services.accounts.sessions import Browser
from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.provider import ANNA, BrowserOf
from tests.endpoints.accounts.test_tokens import call, make
from tests.homes import ALICE, serving

LocalServer = Callable[[], AbstractContextManager[str]]


@pytest.fixture
def open_local(make_runtime: Callable[..., Runtime]) -> LocalServer:
    """with open_local() as url: a server of the local mode over the same database."""

    @contextmanager
    def running() -> Iterator[str]:
        app = create_app(make_runtime())
        app.testing = False
        with serving(app) as url:
            yield url

    return running


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        ("boss@example.org", 401),
        ("@corp.example", 401),
        ("boss@example.org,anna@example.org", 200),
        ("@example.org", 200),
        ("", 200),
    ],
)
def test_who_is_taken_off_the_list_is_out_with_browsers_and_tokens(
    open_server: OpenServer, allowed: str, status: int
) -> None:
    with open_server() as url:
        anna = BrowserOf(url)
        anna.sign_in(ANNA)
        token = make(anna, scope="write")["token"]
    with open_server(allowed_emails=allowed) as url:
        anna.base_url = url
        assert anna.call("GET", "/api/auth/me").status_code == status
        assert call(anna, token, "GET", "/api/auth/me").status_code == status
        assert anna.call("POST", "/api/auth/tokens", json={"name": "x"}).status_code == (201 if status == 200 else 401)


def test_who_is_put_back_on_the_list_is_in_again(open_server: OpenServer) -> None:
    with open_server() as url:
        anna = BrowserOf(url)
        anna.sign_in(ANNA)
    for allowed, status in (("@corp.example", 401), ("@example.org", 200)):
        with open_server(allowed_emails=allowed) as anna.base_url:
            assert anna.call("GET", "/api/auth/me").status_code == status


def test_a_token_of_the_local_mode_opens_nothing_where_people_sign_in(
    open_local: LocalServer, open_server: OpenServer
) -> None:
    with open_local() as url:
        made = requests.post(f"{url}/api/auth/tokens", json={"name": "x", "scope": "write"}).json()["data"]
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert requests.get(f"{url}/api/routers", headers=headers).status_code == 200
    with open_server() as url:
        answer = requests.get(f"{url}/api/routers", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


def test_neither_does_one_of_somebody_who_signs_in_in_the_local_mode(
    open_local: LocalServer, open_server: OpenServer
) -> None:
    with open_server() as url:
        anna = BrowserOf(url)
        anna.sign_in(ANNA)
        headers = {"Authorization": f"Bearer {make(anna)['token']}"}
    with open_local() as url:
        assert requests.get(f"{url}/api/routers", headers=headers).status_code == 401
        assert requests.get(f"{url}/api/auth/me").json()["data"]["user"]["id"] == ALICE


def test_a_cookie_of_the_local_account_opens_nothing_either(runtime: Runtime, signed_in: Runtime) -> None:
    secret = runtime.services.sessions.open(ALICE, Browser(address="127.0.0.1", user_agent="x"))
    token = runtime.services.tokens.create(ALICE, name="x", scope=TokenScope.READ, lifetime=timedelta(days=1)).secret
    assert runtime.services.sessions.find(secret) is not None
    assert runtime.services.tokens.find(token) is not None
    assert signed_in.services.sessions.find(secret) is None
    assert signed_in.services.tokens.find(token) is None
