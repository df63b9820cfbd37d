"""Browsers that are signed in: how long, from where, and signed out from anywhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import requests
from apiflask import APIFlask

from server import Runtime, create_app
from services.accounts.sessions import Browser
from simulator.clock import ManualClock
from tests.endpoints.accounts.provider import ANNA, BrowserOf
from tests.endpoints.accounts.tenants import tenant


def test_signing_out_ends_it_here_and_at_the_server(anna: BrowserOf) -> None:
    secret = anna.cookie
    assert anna.call("POST", "/api/auth/logout").status_code == 200
    assert not anna.http.cookies
    assert requests.get(f"{anna.base_url}/api/auth/me", cookies={"netpilot_session": secret}).status_code == 401


def test_browsers_are_listed_and_one_is_signed_out_from_another(url: str, anna: BrowserOf, ben: BrowserOf) -> None:
    phone = BrowserOf(url)
    phone.http.headers["User-Agent"] = "A phone"
    phone.sign_in(ANNA)
    sessions = anna.call("GET", "/api/auth/sessions").json()["data"]["sessions"]
    assert len(sessions) == 2
    (other,) = [one for one in sessions if not one["isCurrent"]]
    assert other["address"] == "127.0.0.1"
    assert ben.call("DELETE", f"/api/auth/sessions/{other['id']}").status_code == 404
    assert phone.call("GET", "/api/auth/me").status_code == 200
    assert anna.call("DELETE", f"/api/auth/sessions/{other['id']}").status_code == 200
    assert phone.call("GET", "/api/auth/me").status_code == 401
    assert anna.call("GET", "/api/auth/me").status_code == 200


def test_signing_out_everywhere_is_of_this_account_alone(url: str, anna: BrowserOf, ben: BrowserOf) -> None:
    phone = BrowserOf(url)
    phone.sign_in(ANNA)
    assert anna.call("DELETE", "/api/auth/sessions").json()["data"] == {"signedOut": 2}
    assert [one.call("GET", "/api/auth/me").status_code for one in (anna, phone, ben)] == [401, 401, 200]


@pytest.mark.parametrize(
    ("steps", "holds"),
    [
        ([timedelta(hours=167)], True),
        ([timedelta(hours=169)], False),
        ([timedelta(days=6)] * 4, True),
        ([timedelta(days=6)] * 5, False),  # used all the time, and over all the same
    ],
)
def test_it_ends_unused_after_a_week_and_used_after_a_month(
    anna: BrowserOf, clock: ManualClock, steps: list[timedelta], holds: bool
) -> None:
    for step in steps:
        clock.advance(step)
        status = anna.call("GET", "/api/auth/me").status_code
    assert status == (200 if holds else 401)


def test_what_outlasts_a_sign_in_or_can_not_be_undone_needs_one_within_the_hour(
    anna: BrowserOf, clock: ManualClock
) -> None:
    def statuses() -> list[int]:
        token = anna.call("POST", "/api/auth/tokens", json={"name": "script"})
        return [token.status_code, anna.call("GET", "/api/auth/tokens").status_code]

    clock.advance(timedelta(minutes=59))
    assert statuses() == [201, 200]
    clock.advance(timedelta(minutes=2))
    assert statuses() == [401, 200]
    refused = anna.call("DELETE", "/api/auth/account")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert "Sign in again" in refused.json()["error"]["message"]
    assert anna.call("GET", "/api/auth/me").status_code == 200, "all else goes on"
    anna.sign_in(ANNA)
    assert statuses() == [201, 200]
    assert anna.call("DELETE", "/api/auth/account").status_code == 200


def test_where_that_is_seconds_who_asks_all_the_time_stays(
    make_runtime: Callable[..., Runtime], signed_in: Runtime, clock: ManualClock
) -> None:
    config = signed_in.config.model_copy(update={"session_idle_hours": 10 / 3_600})
    brief = make_runtime(**config.model_dump(exclude_unset=True))
    secret = tenant(brief, create_app(brief), "anna").secret
    for _ in range(20):
        clock.advance(timedelta(seconds=5))
        assert brief.services.sessions.find(secret) is not None
    clock.advance(timedelta(seconds=10))
    assert brief.services.sessions.find(secret) is None


def test_of_many_browsers_those_that_were_not_used_for_longest_go(
    signed_in: Runtime, server: APIFlask, clock: ManualClock
) -> None:
    anna, ben = tenant(signed_in, server, "anna"), tenant(signed_in, server, "ben")
    sessions, browser = signed_in.services.sessions, Browser(address="127.0.0.1", user_agent="x")
    second = sessions.open(anna.account, browser)
    clock.advance(timedelta(minutes=2))
    assert sessions.find(anna.secret) is not None, "the first is in use"
    opened = [sessions.open(anna.account, browser) for _ in range(99)]
    assert len(sessions.list_all(anna.account)) == 100
    assert sessions.find(second) is None
    assert all(sessions.find(secret) for secret in (anna.secret, ben.secret, *opened))


# --- writes of other sites -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_a_write_without_the_browsers_own_token_is_refused(anna: BrowserOf, ben: BrowserOf, token: str | None) -> None:
    for wrong in (token, ben.csrf):
        anna.csrf = wrong.encode().decode("latin-1") if wrong is not None else None
        answer = anna.call("POST", "/api/auth/tokens", json={"name": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "CSRF_FAILED")
    assert ben.call("GET", "/api/auth/tokens").status_code == 200


def test_the_token_of_an_earlier_sign_in_is_of_no_use(anna: BrowserOf) -> None:
    old = anna.csrf
    anna.sign_in(ANNA)
    assert anna.csrf != old
    anna.csrf = old
    assert anna.call("POST", "/api/auth/logout").status_code == 403
