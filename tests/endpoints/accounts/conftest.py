"""A server with sign-in over real HTTP, and its provider."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from apiflask import APIFlask

from server import Runtime, create_app
from tests.endpoints.accounts.provider import ANNA, BEN, BrowserOf, running_provider
from tests.homes import free_port, serving

OpenServer = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    with running_provider() as url:
        yield url


@pytest.fixture
def open_server(make_runtime: Callable[..., Runtime], provider: str) -> OpenServer:
    """with open_server(allowed_emails=...) as url: a server where people sign in."""

    @contextmanager
    def running(**config: object) -> Iterator[str]:
        port = free_port()
        values: dict[str, object] = {
            "auth_mode": "google",
            "public_url": f"http://127.0.0.1:{port}",
            "google_client_id": "netpilot",
            "google_client_secret": "a secret of the provider's",
            "oidc_discovery_url": provider,
            "secret_key": "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
        }
        app = create_app(make_runtime(**(values | config)))
        app.testing = False
        with serving(app, port) as url:
            yield url

    return running


@pytest.fixture
def url(open_server: OpenServer) -> Iterator[str]:
    with open_server() as running:
        yield running


@pytest.fixture
def anna(url: str) -> BrowserOf:
    browser = BrowserOf(url)
    assert browser.sign_in(ANNA).status_code == 200
    return browser


@pytest.fixture
def ben(url: str) -> BrowserOf:
    browser = BrowserOf(url)
    assert browser.sign_in(BEN).status_code == 200
    return browser


@pytest.fixture
def signed_in(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(
        auth_mode="google",
        public_url="http://localhost",
        google_client_id="netpilot",
        google_client_secret="a secret of the provider's",
        secret_key="kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
    )


@pytest.fixture
def server(signed_in: Runtime) -> APIFlask:
    app = create_app(signed_in)
    app.testing = False
    return app
