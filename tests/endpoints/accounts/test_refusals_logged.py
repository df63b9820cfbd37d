"""Who is turned away is in the log: why, which request, from where; without what he brought."""

import logging
import re
from collections.abc import Callable

import pytest
import requests

from endpoints import rate_limits
from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.provider import ANNA, UNVERIFIED, BrowserOf
from tests.endpoints.accounts.test_tokens import call, make


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the log says of refusals, without what differs from request to request."""
    caplog.set_level(logging.INFO)

    def told() -> list[str]:
        said = [one.getMessage() for one in caplog.records if one.name in ("endpoints.refusals", "endpoints.auth")]
        assert all(re.search(r"\(request [0-9a-f]{16} from 127\.0\.0\.1\)$", line) for line in said), said
        caplog.clear()
        return [line.removeprefix("refused: ").rpartition(" (")[0] for line in said]

    return told


def test_wrong_tokens_and_cookies(url: str, lines: Callable[[], list[str]]) -> None:
    bad = "np_not-a-token-at-all"
    requests.get(f"{url}/api/auth/me", headers={"Authorization": f"Bearer {bad}"})
    requests.get(f"{url}/api/routers", cookies={"netpilot_session": bad})
    why = "UNAUTHENTICATED The token or the session is unknown, has ended or has run out."
    said = lines()
    assert said == [f"GET /api/auth/me: {why}", f"GET /api/routers: {why}"]
    requests.get(f"{url}/api/auth/me")
    assert lines() == [], "who brings nothing has only not signed in yet"


def test_what_the_caller_may_not(anna: BrowserOf, lines: Callable[[], list[str]]) -> None:
    token = make(anna)["token"]
    call(anna, token, "DELETE", "/api/routers/x")
    call(anna, token, "GET", "/api/auth/audit")
    call(anna, token, "GET", "/api/routers/0123456789abcdef")
    anna.csrf = None
    anna.call("POST", "/api/auth/logout")
    requests.post(f"{anna.base_url}/api/routers", headers={"Origin": "https://evil.example"})
    said = lines()
    assert [line.split(" ")[:3] for line in said] == [
        ["DELETE", "/api/routers/<router_id>:", "INSUFFICIENT_SCOPE"],
        ["GET", "/api/auth/audit:", "INSUFFICIENT_SCOPE"],
        ["GET", "/api/routers/<router_id>:", "ROUTER_NOT_FOUND"],
        ["POST", "/api/auth/logout:", "CSRF_FAILED"],
        ["POST", "/api/routers:", "CSRF_FAILED"],
    ]
    assert token not in "".join(said)


def test_sign_ins(open_server: OpenServer, lines: Callable[[], list[str]]) -> None:
    with open_server(allowed_emails="boss@example.org") as url:
        for user in (ANNA, UNVERIFIED):
            browser = BrowserOf(url)
            browser.http.get(browser.come_back(user))
        requests.get(f"{url}/api/auth/callback", params={"state": "made-up", "code": "x"})
    listed, unverified, made_up = lines()
    assert "SIGN_IN_REFUSED anna@example.org may not sign in here." in listed
    assert "SIGN_IN_REFUSED Your provider has not verified" in unverified
    assert made_up == "GET /api/auth/callback: no way back of a sign-in begun here"


def test_of_what_limits_hold_back_the_first(url: str, lines: Callable[[], list[str]]) -> None:
    for number in range(rate_limits.GUESSES.amount + 20):
        requests.get(f"{url}/api/auth/me", headers={"Authorization": f"Bearer np_{number}"})
    said = [line.split(" ")[2] for line in lines()]
    assert said == ["UNAUTHENTICATED"] * rate_limits.GUESSES.amount + ["RATE_LIMITED"]


def test_the_end_of_an_account(anna: BrowserOf, lines: Callable[[], list[str]]) -> None:
    account = anna.call("GET", "/api/auth/me").json()["data"]["user"]["id"]
    assert anna.call("DELETE", "/api/auth/account").status_code == 200
    assert lines() == [f"account {account} deleted with everything of it"]
