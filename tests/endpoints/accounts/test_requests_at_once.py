"""How many requests of one account are served at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import pytest
from apiflask import APIFlask

from endpoints import requests_at_once
from endpoints.requests_at_once import RequestsAtOnce
from endpoints.web_server import WEB_THREADS
from server import Runtime, create_app
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.tenants import as_browser, tenant
from tests.homes import Api, register
from utils.errors import RateLimited

BASE = "/api/device-usage"


@pytest.fixture
def one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_at_once, "MOST_AT_ONCE", 1)


def test_an_account_has_so_many_and_the_others_are_served_all_the_same(
    signed_in: Runtime, server: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = requests_at_once.MOST_AT_ONCE
    anna, ben = (tenant(signed_in, server, name) for name in ("anna", "ben"))
    begun, may_end = Semaphore(0), Event()

    def take_long(*_: object, **__: object) -> Any:
        begun.release()
        assert may_end.wait(30)
        return [], 0

    def ask(secret: str, path: str = "/api/auth/me") -> Any:
        return as_browser(server, secret).get(path)

    monkeypatch.setattr(signed_in.services.routers, "list_page", take_long)
    with ThreadPoolExecutor(most) as pool:
        asked = [pool.submit(ask, anna.secret, "/api/routers") for _ in range(most)]
        for _ in asked:
            assert begun.acquire(timeout=30)
        refused = ask(anna.secret)
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert refused.headers["Retry-After"] == "1"
        assert ask(ben.secret).status_code == 200
        may_end.set()
        assert {future.result().status_code for future in asked} == {200}
    assert ask(anna.secret).status_code == 200


def test_many_accounts_that_take_all_they_can_leave_threads_for_others(server: APIFlask) -> None:
    """However many there are: as requests end, those that have many get fewer."""
    at_once = RequestsAtOnce(is_limited=True)
    greedy = [f"greedy-{number}" for number in range(6)]

    def try_to_enter(session_id: str) -> bool:
        with server.test_request_context():
            try:
                at_once.enter(session_id)
            except RateLimited:
                return False
            return True

    for name in greedy:
        while try_to_enter(name):
            pass
    assert sum(try_to_enter(f"newcomer-{number}") for number in range(8)) == 8
    for _ in range(200):
        for name in greedy:
            if at_once._served[name]:
                at_once._leave(name)
            try_to_enter(name)
    assert at_once._served.total() < WEB_THREADS - 8


@pytest.mark.usefixtures("one_at_once")
def test_a_request_that_fails_is_over_too(
    signed_in: Runtime, server: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = tenant(signed_in, server, "anna")
    client = as_browser(server, anna.secret)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(signed_in.services.routers, "list_page", fails)
    asked = [
        client.get("/api/routers?page=x"),
        client.get("/api/routers/nosuchrouter"),
        client.delete("/api/routers/nosuchrouter"),
        client.get("/api/routers"),
        client.get("/api/auth/me"),
    ]
    assert [answer.status_code for answer in asked] == [400, 404, 403, 500, 200]


@pytest.mark.usefixtures("one_at_once")
def test_a_download_is_one_until_it_ends(signed_in: Runtime, server: APIFlask, hosted: HostedRouter) -> None:
    anna = tenant(signed_in, server, "anna")
    signed_in.collector.collect(register(signed_in, hosted, anna.account))
    client = as_browser(server, anna.secret)
    head = client.head(f"{BASE}/export/csv")
    head.close()
    assert head.status_code == 200
    download = client.get(f"{BASE}/export/csv", buffered=False)
    assert download.status_code == 200
    assert client.get("/api/auth/me").status_code == 429
    download.close()
    assert client.get("/api/auth/me").status_code == 200


@pytest.mark.usefixtures("one_at_once")
def test_in_the_local_mode_and_without_limits_there_is_none(
    api: Api, signed_in: Runtime, make_runtime: Callable[..., Runtime], hosted: HostedRouter, runtime: Runtime
) -> None:
    runtime.collector.collect(register(runtime, hosted))
    download = api.client.get(f"{BASE}/export/csv", buffered=False)
    api.data("/api/auth/me")
    download.close()
    config = signed_in.config.model_copy(update={"ratelimit_enabled": False})
    unlimited = make_runtime(**config.model_dump(exclude_unset=True))
    app = create_app(unlimited)
    anna = tenant(unlimited, app, "anna")
    unlimited.collector.collect(register(unlimited, hosted, anna.account))
    client = as_browser(app, anna.secret)
    download = client.get(f"{BASE}/export/csv", buffered=False)
    assert client.get("/api/auth/me").status_code == 200
    download.close()
