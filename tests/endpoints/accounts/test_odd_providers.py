"""Providers that say odd things of who signs in, or of themselves: refused, and never a failure of this server."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from oidc_provider_mock import User

from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.provider import ANNA, BrowserOf, running_provider
from tests.homes import serving


def somebody(subject: str = "odd", **claims: object) -> User:
    return User(sub=subject, claims={"email": "odd@example.org", "email_verified": True, "name": "Odd"} | claims)


@pytest.mark.parametrize(
    ("user", "status", "code"),
    [
        (somebody(email="a" * 309 + "@example.org"), 400, "VALIDATION_ERROR"),
        (somebody(email="n\0ul@example.org"), 400, "VALIDATION_ERROR"),
        (somebody(email="two@example.org\nlines"), 400, "VALIDATION_ERROR"),
        (somebody("n\0ul"), 400, "VALIDATION_ERROR"),
        (somebody("x" * 256), 400, "VALIDATION_ERROR"),
        (somebody(email=["odd@example.org"]), 403, "SIGN_IN_REFUSED"),
        (somebody(email_verified="perhaps"), 403, "SIGN_IN_REFUSED"),
    ],
)
def test_who_can_not_be_written_down_does_not_get_in(
    open_server: OpenServer, user: User, status: int, code: str
) -> None:
    with running_provider([user]) as provider, open_server(oidc_discovery_url=provider) as url:
        browser = BrowserOf(url)
        answer = browser.http.get(browser.come_back(user), allow_redirects=False)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert browser.http.get(f"{url}/api/auth/me").status_code == 401


@pytest.mark.parametrize(("name", "shown"), [("n\0ul", "nul"), ({"a": 1}, "odd@example.org"), ("x" * 300, "x" * 255)])
def test_a_name_that_can_not_be_shown_keeps_nobody_out(open_server: OpenServer, name: object, shown: str) -> None:
    user = somebody(name=name)
    with running_provider([user]) as provider, open_server(oidc_discovery_url=provider) as url:
        assert BrowserOf(url).sign_in(user).json()["data"]["user"]["name"] == shown


# --- what it says of itself ------------------------------------------------------------------------------


@contextmanager
def describing(provider: str, *, without: str) -> Iterator[str]:
    """The discovery URL of a provider that leaves something out."""
    app = Flask("provider")
    described = requests.get(provider).json()
    del described[without]
    app.add_url_rule(urlsplit(provider).path, view_func=lambda: described)
    with serving(app) as url:
        yield url + urlsplit(provider).path


@pytest.mark.parametrize("without", ["jwks_uri", "issuer"])
def test_a_provider_that_does_not_say_what_its_tokens_are_known_by_is_unavailable(
    open_server: OpenServer, provider: str, without: str
) -> None:
    with describing(provider, without=without) as odd, open_server(oidc_discovery_url=odd) as url:
        browser = BrowserOf(url)
        answer = browser.http.get(browser.come_back(ANNA))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SIGN_IN_UNAVAILABLE")


def test_one_that_does_not_say_where_to_sign_in_is_too(open_server: OpenServer, provider: str) -> None:
    with describing(provider, without="authorization_endpoint") as odd, open_server(oidc_discovery_url=odd) as url:
        answer = requests.get(f"{url}/api/auth/login", allow_redirects=False)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SIGN_IN_UNAVAILABLE")
