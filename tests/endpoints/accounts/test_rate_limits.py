"""How often one may ask: per account, per address, and how often with what is no token."""

import gc
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from apiflask import APIFlask
from flask import Flask
from flask.testing import FlaskClient
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.test import TestResponse

from endpoints import rate_limit_sweep, rate_limits
from server import Runtime, create_app
from services.accounts.api_tokens import TokenScope
from services.context import RouterContext
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.provider import ANNA, BrowserOf
from tests.endpoints.accounts.tenants import as_browser, tenant
from tests.homes import Api, register
from tests.services.collector_observation import until
from utils.errors import RateLimited

BASE = "/api/device-usage"
ANOTHER = "192.0.2.7"


def asked_from(client: FlaskClient, address: str, path: str, method: str = "GET", **options: Any) -> TestResponse:
    return client.open(path, method=method, environ_overrides={"REMOTE_ADDR": address}, **options)


def until_refused(ask: Callable[[], TestResponse], most: int) -> int:
    """How many requests were answered before the first that was refused as one too many."""
    for count in range(most + 1):
        answer = ask()
        if answer.status_code == 429:
            body = answer.get_json()
            assert (body["success"], body["error"]["code"]) == (False, "RATE_LIMITED")
            assert 1 <= int(answer.headers["Retry-After"]) <= 61
            return count
    pytest.fail(f"{most} requests and no refusal")


@pytest.fixture
def token(signed_in: Runtime, server: APIFlask) -> str:
    account = tenant(signed_in, server, "anna").account
    made = signed_in.services.tokens.create(account, name="x", scope=TokenScope.WRITE, lifetime=timedelta(days=1))
    return made.secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


# --- per account -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "options", "most"),
    [
        ("POST", f"{BASE}/refresh", {}, rate_limits.ROUTER_CONTACT.amount),
        ("GET", f"{BASE}/current", {}, rate_limits.LIVE.amount),
        ("GET", f"{BASE}/device/02:00:00:00:00:01/current", {}, rate_limits.LIVE.amount),
        ("GET", f"{BASE}/export/csv", {}, rate_limits.EXPORT.amount),
        ("POST", f"{BASE}/report/generate", {"json": {"period": "day"}}, rate_limits.REPORT.amount),
        ("POST", "/api/routers/nosuchrouter/test", {}, rate_limits.ROUTER_CONTACT.amount),
        ("PUT", "/api/routers/nosuchrouter", {"json": {"name": "x"}}, rate_limits.ROUTER_CONTACT.amount),
        (
            "POST",
            "/api/routers/nosuchrouter/host-key",
            {"json": {"fingerprint": "x"}},
            rate_limits.ROUTER_CONTACT.amount,
        ),
        ("GET", "/api/auth/me", {}, rate_limits.ACCOUNT.amount),
    ],
)
def test_an_account_has_a_limit_and_it_is_of_no_concern_to_others(
    signed_in: Runtime, server: APIFlask, method: str, path: str, options: dict[str, Any], most: int
) -> None:
    """Whatever the answers are: these accounts have no router."""
    anna, ben = (tenant(signed_in, server, name) for name in ("anna", "ben"))

    def ask(one: Any, address: str = "127.0.0.1") -> TestResponse:
        client = as_browser(server, one.secret)
        return asked_from(client, address, path, method, headers={"X-CSRFToken": one.csrf}, **options)

    spent = 1 if path == "/api/auth/me" else 0  # making the tenant asked once
    assert until_refused(lambda: ask(anna), most) == most - spent
    assert ask(anna, ANOTHER).status_code == 429, "from another address it is the same account"
    assert ask(ben).status_code != 429


def test_both_exports_share_a_limit_and_reads_go_on(server: APIFlask, token: str) -> None:
    client = server.test_client()
    until_refused(lambda: client.get(f"{BASE}/export/csv", headers=bearer(token)), rate_limits.EXPORT.amount)
    assert client.get(f"{BASE}/export/json", headers=bearer(token)).status_code == 429
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 200


def test_after_as_long_as_the_refusal_says_one_may_ask_again(
    server: APIFlask, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "ACCOUNT", RateLimitItemPerSecond(3, 2))
    client = server.test_client()
    until_refused(lambda: client.get("/api/auth/me", headers=bearer(token)), 3)
    refused = client.get("/api/auth/me", headers=bearer(token))
    time.sleep(int(refused.headers["Retry-After"]))
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 200


# --- per address -----------------------------------------------------------------------------------------


def test_an_address_has_a_limit_whoever_asks_and_health_has_none(server: APIFlask) -> None:
    client = server.test_client()
    most = rate_limits.ADDRESS.amount
    assert until_refused(lambda: client.get("/api/nothing"), most) == most
    assert client.get("/openapi.json").status_code == 429
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
    assert asked_from(client, ANOTHER, "/openapi.json").status_code == 200
    for _ in range(most + 1):
        assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("path", ["/api/auth/login?next=//evil.example", "/api/auth/callback?code=x&state=x"])
def test_signing_in_has_a_limit_per_address(server: APIFlask, path: str) -> None:
    client = server.test_client()
    assert until_refused(lambda: client.get(path), 100) == rate_limits.SIGN_IN.amount
    assert client.get("/api/auth/callback").status_code == 429
    assert client.get("/api/auth/me").status_code == 401
    assert asked_from(client, ANOTHER, "/api/auth/callback").status_code == 400


def test_whoever_has_one_address_of_ipv6_has_a_network_of_them(server: APIFlask) -> None:
    client = server.test_client()
    numbers = iter(range(1, 1_000))
    path = "/api/auth/callback"
    spent = until_refused(lambda: asked_from(client, f"2001:db8::{next(numbers):x}:1", path), 100)
    assert spent == rate_limits.SIGN_IN.amount
    assert asked_from(client, "2001:db8:0:1::1", path).status_code == 400
    assert asked_from(client, "::ffff:192.0.2.1", path).status_code == 400


# --- guessing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["token", "cookie"])
def test_who_guesses_is_refused_before_anything_is_looked_up(
    signed_in: Runtime, server: APIFlask, token: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(1_000))

    def guess() -> TestResponse:
        secret = f"np_guess{next(numbers)}"
        if how == "cookie":
            return as_browser(server, secret).get("/api/auth/me")
        return server.test_client().get("/api/auth/me", headers=bearer(secret))

    assert until_refused(guess, 100) == rate_limits.GUESSES.amount

    def looked_up(_: str) -> None:
        raise AssertionError("it was looked up")

    monkeypatch.setattr(signed_in.services.tokens, "find", looked_up)
    monkeypatch.setattr(signed_in.services.sessions, "find", looked_up)
    client = server.test_client()
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 429, "even the right one would not be seen"
    assert client.get("/api/auth/me").status_code == 401, "who brings nothing guesses nothing"


def test_a_neighbour_who_guesses_does_not_lock_out_who_is_in(server: APIFlask, token: str) -> None:
    client = server.test_client()
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 200
    until_refused(lambda: client.get("/api/auth/me", headers=bearer("np_no")), 100)
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 200
    assert asked_from(client, ANOTHER, "/api/auth/me", headers=bearer(token)).status_code == 200
    assert asked_from(client, ANOTHER, "/api/auth/me", headers=bearer("np_no")).status_code == 401


def test_who_signs_in_beside_one_who_guesses_is_in(url: str) -> None:
    for number in range(rate_limits.GUESSES.amount):
        requests.get(f"{url}/api/auth/me", headers=bearer(f"np_{number}"))
    assert requests.get(f"{url}/api/auth/me", headers=bearer("np_x")).status_code == 429
    assert BrowserOf(url).sign_in(ANNA).status_code == 200


def test_what_was_good_and_is_no_more_is_a_guess_like_any(signed_in: Runtime, server: APIFlask) -> None:
    anna = tenant(signed_in, server, "anna")
    client = as_browser(server, anna.secret)
    assert client.get("/api/auth/me").status_code == 200
    signed_in.services.sessions.revoke(anna.account, anna.session)
    assert until_refused(lambda: client.get("/api/auth/me"), 100) == rate_limits.GUESSES.amount


# --- where there are none --------------------------------------------------------------------------------


def test_in_the_local_mode_reads_are_free_and_a_refresh_has_a_limit_far_above_what_people_do(
    api: Api, context: RouterContext, hosted: HostedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(rate_limits.ADDRESS.amount + 100):
        assert api.client.get("/api/auth/me").status_code == 200
    assert rate_limits.LOCAL.amount >= 10 * 60, "ten times a second"
    monkeypatch.setattr(rate_limits, "LOCAL", RateLimitItemPerSecond(5, 60))
    for _ in range(rate_limits.LIVE.amount + 10):
        api.data(f"{BASE}/current")
    assert until_refused(lambda: api.client.get(f"{BASE}/export/json"), 10) == 5


def test_they_can_be_switched_off(make_runtime: Callable[..., Runtime], signed_in: Runtime) -> None:
    config = signed_in.config.model_copy(update={"ratelimit_enabled": False})
    app = create_app(make_runtime(**config.model_dump(exclude_unset=True)))
    client = app.test_client()
    for _ in range(rate_limits.GUESSES.amount + 10):
        assert client.get("/api/auth/me", headers=bearer("np_no")).status_code == 401
        assert client.get("/api/auth/callback").status_code == 400


def test_without_their_storage_the_server_goes_on_and_says_so_without_its_password(
    server: APIFlask, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StorageError(ValueError("redis://:hunter2@cache is gone"))

    for name in ("acquire_entry", "get_moving_window"):
        monkeypatch.setattr(f"limits.storage.memory.MemoryStorage.{name}", fails)
    assert server.test_client().get("/api/auth/me", headers=bearer(token)).status_code == 200
    assert "RATELIMIT_STORAGE_URI" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.fixture
def limited() -> Flask:
    """An application of one page, whose requests are counted."""
    app = Flask(__name__)
    rate_limits.register_rate_limits(app, storage_uri="memory://", is_enabled=True, is_local=False)
    app.add_url_rule("/", view_func=lambda: "")
    app.register_error_handler(RateLimited, lambda _: ("", 429))
    return app


def test_requests_at_the_same_time_are_each_counted_once(limited: Flask) -> None:
    """Two that start the clean-up of limits' memory at once made one of them fail."""
    turn = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            addresses = [f"192.0.2.{number % 5}" for number in range(4_000)]
            statuses = list(pool.map(lambda one: asked_from(limited.test_client(), one, "/").status_code, addresses))
    finally:
        sys.setswitchinterval(turn)
    assert statuses.count(200) == min(4_000, 5 * rate_limits.ADDRESS.amount)
    assert set(statuses) <= {200, 429}


def test_counting_starts_no_threads(limited: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits would have one clean up behind nearly every request."""
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    for number in range(20):
        assert asked_from(limited.test_client(), f"192.0.2.{number}", "/").status_code == 200
    assert started == []


def test_addresses_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits kept an empty list of each."""
    monkeypatch.setattr(rate_limit_sweep, "_EVERY_S", 0.02)
    storage = MemoryStorage()
    rate_limit_sweep.sweep_seldom(storage)
    counting = MovingWindowRateLimiter(storage)
    assert counting.hit(RateLimitItemPerMinute(1), "busy")
    assert all(counting.hit(RateLimitItemPerSecond(1), f"{number}") for number in range(50))
    until(lambda: len(storage.events) == 1, "those are gone that are over")
    assert not counting.test(RateLimitItemPerMinute(1), "busy")  # the other is there still


def test_an_application_that_is_gone_is_swept_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit_sweep, "_EVERY_S", 0.02)
    storage = MemoryStorage()
    rate_limit_sweep.sweep_seldom(storage)
    thread = storage.timer
    del storage
    gc.collect()
    until(lambda: not thread.is_alive(), "its thread has ended")


def test_every_dear_endpoint_is_one(app: APIFlask) -> None:
    assert set(rate_limits._DEAR) <= set(app.view_functions)


@pytest.mark.parametrize("by_moving_one", [False, True])
def test_many_routers_of_one_account_share_the_limit_on_contacts(
    signed_in: Runtime, hosted: HostedRouter, by_moving_one: bool
) -> None:
    app = create_app(signed_in)
    anna = tenant(signed_in, app, "anna")
    router_id = register(signed_in, hosted, anna.account).router_id
    client = as_browser(app, anna.secret)
    body = {"name": "x", "host": "127.0.0.1", "port": 1, "password": "x"}

    def scan() -> TestResponse:
        body["port"] += 1  # type: ignore[operator]
        method, path = ("PUT", f"/api/routers/{router_id}") if by_moving_one else ("POST", "/api/routers")
        return client.open(path, method=method, json=body, headers={"X-CSRFToken": anna.csrf})

    assert until_refused(scan, 100) == rate_limits.ROUTER_CONTACT.amount
