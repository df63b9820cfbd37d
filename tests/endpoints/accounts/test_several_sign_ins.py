"""Several sign-ins at once: in the tabs of one browser, and of many people at a provider that hangs."""

import secrets
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


def test_tabs_that_begin_in_the_same_moment_lose_none(url: str) -> None:
    """Neither has told the browser yet what it is to keep."""
    browser, at_once = BrowserOf(url), BrowserOf(url)
    backs = [browser.come_back(ANNA), at_once.come_back(ANNA)]
    browser.http.cookies.update(at_once.http.cookies)
    assert [browser.http.get(back, allow_redirects=False).status_code for back in backs] == [302, 302]
    assert [one.name for one in browser.http.cookies] == ["netpilot_session"], "nothing is left of the ways there"


def test_a_cookie_of_another_way_or_with_a_letter_changed_is_none(url: str) -> None:
    browser = BrowserOf(url)
    first, second = browser.come_back(ANNA), browser.come_back(ANNA)
    (one, value), (other, others) = browser.http.cookies.get_dict().items()
    for back, cookies in ((first, {one: others}), (second, {other: value}), (first, {one: value[:-1] + "!"})):
        assert requests.get(back, cookies=cookies, allow_redirects=False).status_code == 400


def test_what_comes_from_elsewhere_ends_no_sign_in(url: str) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    assert browser.http.get(f"{url}/api/auth/callback?code=x&state=made-up").status_code == 400
    assert browser.follow(back).status_code == 200


def test_of_many_the_first_are_forgotten_before_their_cookies_are_too_much_for_a_proxy(url: str) -> None:
    browser = BrowserOf(url)
    backs = [browser.come_back(ANNA, f"/?{secrets.token_hex(500)}") for _ in range(10)]
    kept = [one.value or "" for one in browser.http.cookies if one.name.startswith("netpilot_sign_in_")]
    assert sum(map(len, kept)) <= begun_sign_ins.MOST_CHARACTERS
    assert browser.http.get(backs[0], allow_redirects=False).status_code == 400
    assert browser.http.get(backs[-1], allow_redirects=False).status_code == 302
    longest = "/?" + "ä" * 300 + "x" * 198
    assert browser.http.get(browser.come_back(ANNA, longest), allow_redirects=False).status_code == 302
    too_long = browser.http.get(f"{url}/api/auth/login", params={"next": longest + "x"}, allow_redirects=False)
    assert (too_long.status_code, list(too_long.json()["error"]["details"])) == (400, ["next"])


def test_one_that_was_begun_long_ago_is_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    monkeypatch.setattr(begun_sign_ins, "_GOOD_FOR_S", -1)
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
