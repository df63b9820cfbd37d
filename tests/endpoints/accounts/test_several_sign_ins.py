"""Several sign-ins at once: in the tabs of one browser, and of many people at a provider that hangs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
import requests
from flask import Response

from endpoints import begun_sign_ins, identity_provider, requests_at_once
from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.made_up_provider import DESCRIPTION, MadeUpProvider, made_up_provider
from tests.endpoints.accounts.provider import ANNA, BrowserOf


@pytest.fixture
def made_up() -> Iterator[MadeUpProvider]:
    with made_up_provider() as provider:
        yield provider


# --- the tabs of one browser -----------------------------------------------------------------------------


def test_each_tab_comes_back_to_where_it_wanted_to_go(url: str) -> None:
    browser = BrowserOf(url)
    paths = ["/api/docs?a", "/api/docs?b", "/api/docs?c"]
    for path, back in reversed([(path, browser.come_back(ANNA, path)) for path in paths]):
        answer = browser.http.get(back, allow_redirects=False)
        assert (answer.status_code, answer.headers.get("Location")) == (302, path)
        assert browser.http.get(back, allow_redirects=False).status_code == 400, "good once"
    assert browser.http.get(f"{url}/api/auth/me").status_code == 200


def test_what_comes_from_elsewhere_ends_no_sign_in(url: str) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    assert browser.http.get(f"{url}/api/auth/callback?code=x&state=made-up").status_code == 400
    assert browser.follow(back).status_code == 200


def test_of_many_the_first_are_forgotten_and_the_cookie_stays_one_that_browsers_keep(url: str) -> None:
    browser = BrowserOf(url)
    backs = [browser.come_back(ANNA, f"/?{'ä' * 150}{number}") for number in range(10)]
    (cookie,) = [one.value or "" for one in browser.http.cookies if one.name == "netpilot_sign_in"]
    assert len(cookie) < 4_000
    assert browser.http.get(backs[0], allow_redirects=False).status_code == 400
    assert browser.http.get(backs[-1], allow_redirects=False).status_code == 302
    longest = "/?" + "ä" * 300 + "x" * 198
    assert browser.http.get(browser.come_back(ANNA, longest), allow_redirects=False).status_code == 302
    too_long = browser.http.get(f"{url}/api/auth/login", params={"next": longest + "x"}, allow_redirects=False)
    assert (too_long.status_code, list(too_long.json()["error"]["details"])) == (400, ["next"])


def test_one_that_was_begun_long_ago_is_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    monkeypatch.setattr(begun_sign_ins, "_GOOD_FOR_S", 0)
    assert browser.http.get(back).status_code == 400


# --- a provider that hangs -------------------------------------------------------------------------------


def test_a_provider_that_never_answers_is_unavailable(
    open_server: OpenServer, made_up: MadeUpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "PROVIDER_TIMEOUT_S", 0.2)
    may_end = Event()

    def hang() -> Response:
        may_end.wait(30)
        return Response()

    with open_server(oidc_discovery_url=made_up.discovery_url) as url:
        browser = requests.Session()
        try:
            for path in (DESCRIPTION, "/token", "/keys"):
                made_up.answers[path] = hang
                if path == DESCRIPTION:
                    answer = browser.get(f"{url}/api/auth/login", allow_redirects=False)
                else:
                    answer = made_up.sign_in(browser, url)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SIGN_IN_UNAVAILABLE"), path
                del made_up.answers[path]
        finally:
            may_end.set()
        assert made_up.sign_in(browser, url).status_code == 302


def test_all_who_sign_in_at_one_hold_a_part_of_the_web_threads(
    open_server: OpenServer, made_up: MadeUpProvider
) -> None:
    asked, may_end = Semaphore(0), Event()

    def hang() -> Response:
        asked.release()
        may_end.wait(30)
        return Response("{}")

    made_up.answers[DESCRIPTION] = hang
    with open_server(oidc_discovery_url=made_up.discovery_url) as url, ThreadPoolExecutor(30) as pool:
        begun = [pool.submit(requests.get, f"{url}/api/auth/login") for _ in range(requests_at_once.MOST_AT_ONCE)]
        try:
            for _ in begun:
                assert asked.acquire(timeout=30)
            answer = requests.get(f"{url}/api/auth/login", timeout=30)
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
            assert requests.get(f"{url}/health/live", timeout=30).status_code == 200
        finally:
            may_end.set()
        assert {one.result(30).status_code for one in begun} == {503}
