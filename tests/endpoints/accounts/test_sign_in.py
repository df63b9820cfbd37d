"""Signing in at an OpenID Connect provider, over real HTTP: the way there and back, and everything that is not it."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from db_operations.database import Database
from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.provider import ANNA, BEN, NAMELESS, UNVERIFIED, BrowserOf
from tests.homes import ask


def test_signing_in_makes_an_account_and_signing_in_again_finds_it(url: str, database: Database) -> None:
    browser, other = BrowserOf(url), BrowserOf(url)
    user = browser.sign_in(ANNA).json()["data"]["user"]
    assert (user["name"], user["email"], user["authMode"]) == ("Anna", "anna@example.org", "google")
    assert other.sign_in(ANNA).json()["data"]["user"]["id"] == user["id"]
    assert BrowserOf(url).sign_in(BEN).json()["data"]["user"]["id"] != user["id"]
    assert ask(database, "SELECT count(*) FROM users") == [(2,)]


def test_without_signing_in_nothing_is_told(url: str) -> None:
    for path in ("/api/auth/me", "/api/routers", "/api/device-usage/current", "/api/auth/tokens"):
        answer = requests.get(url + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert requests.get(f"{url}/health/ready").status_code == 200


def test_the_cookie_is_out_of_reach_and_its_secret_is_not_stored(anna: BrowserOf, database: Database) -> None:
    (cookie,) = [one for one in anna.http.cookies if one.name == "netpilot_session"]
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    (stored,) = ask(database, "SELECT secret_hash, row_to_json(sessions)::text FROM sessions")
    assert cookie.value not in stored[1]
    assert len(bytes(stored[0])) == 32


def test_the_way_there_has_state_nonce_and_pkce(url: str) -> None:
    begun = requests.get(f"{url}/api/auth/login", allow_redirects=False)
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [f"{url}/api/auth/callback"]
    assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 16


# --- what is not the way back ----------------------------------------------------------------------------


def test_a_way_back_is_good_once(url: str) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    assert browser.follow(back).status_code == 200
    assert browser.http.get(back).status_code == 400


def test_a_way_back_used_again_with_the_cookies_from_before_is_refused(url: str) -> None:
    browser = BrowserOf(url)
    back = browser.come_back(ANNA)
    before = browser.http.cookies.get_dict()
    assert browser.follow(back).status_code == 200
    assert requests.get(back, cookies=before).status_code == 400


def test_the_way_back_of_another_browser_is_refused(url: str) -> None:
    mine, other = BrowserOf(url), BrowserOf(url)
    back = other.come_back(BEN)
    assert mine.http.get(back).status_code == 400, "without having begun"
    mine.come_back(ANNA)
    assert mine.http.get(back).status_code == 400, "with a sign-in of its own begun"
    assert mine.http.get(f"{url}/api/auth/me").status_code == 401


@pytest.mark.parametrize("change", [{"state": None}, {"state": "x"}, {"code": None}, {"code": "x"}])
def test_a_way_back_with_something_missing_or_made_up_is_refused(url: str, change: dict[str, str | None]) -> None:
    browser = BrowserOf(url)
    parts = urlsplit(browser.come_back(ANNA))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | change
    made_up = parts._replace(query=urlencode({name: value for name, value in query.items() if value})).geturl()
    answer = browser.http.get(made_up)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("error", "reason"),
    [("access_denied", "access_denied"), ("<script>alert(1)</script>", "no reason told")],
)
def test_who_is_not_signed_in_by_the_provider_learns_why_in_a_word(url: str, error: str, reason: str) -> None:
    browser = BrowserOf(url)
    state = parse_qs(urlsplit(browser.come_back(ANNA)).query)["state"][0]
    told = {"state": state, "error": error, "error_description": "<script>alert(1)</script>"}
    answer = browser.http.get(f"{url}/api/auth/callback", params=told)
    assert answer.status_code == 403
    message = f"The sign-in provider did not sign you in ({reason}). Begin it again."
    assert answer.json()["error"] == {"code": "SIGN_IN_REFUSED", "message": message}
    assert browser.http.get(f"{url}/api/auth/callback", params=told).status_code == 400, "each is good once"


def test_an_error_of_no_sign_in_that_was_begun_here_is_none_of_ours(url: str) -> None:
    answer = requests.get(f"{url}/api/auth/callback", params={"error": "access_denied", "state": "made-up"}, timeout=10)
    assert answer.status_code == 400


@pytest.mark.parametrize("user", [UNVERIFIED, NAMELESS])
def test_who_has_no_verified_e_mail_does_not_get_in(url: str, user: object) -> None:
    browser = BrowserOf(url)
    answer = browser.http.get(browser.come_back(user))  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "SIGN_IN_REFUSED")
    assert browser.http.get(f"{url}/api/auth/me").status_code == 401


@pytest.mark.parametrize(
    ("allowed", "gets_in"),
    [("anna@example.org", True), ("@example.org", True), ("ANNA@Example.ORG", True), ("@ample.org", False)],
)
def test_only_those_on_the_list_get_in(open_server: OpenServer, allowed: str, gets_in: bool) -> None:
    with open_server(allowed_emails=f"boss@corp.example,{allowed}") as url:
        browser = BrowserOf(url)
        assert browser.follow(browser.come_back(ANNA)).status_code == (200 if gets_in else 403)


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/\\evil.example", "/ /x", "javascript:alert(1)", "/a\nb", ""]
)
def test_one_comes_back_to_this_server_only(url: str, next: str) -> None:
    answer = requests.get(f"{url}/api/auth/login", params={"next": next}, allow_redirects=False)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]) == ["next"]


def test_one_comes_back_to_where_one_wanted_to_go(url: str) -> None:
    browser = BrowserOf(url)
    back = browser.http.get(browser.come_back(ANNA, next="/api/docs?a=b#c"), allow_redirects=False)
    assert (back.status_code, back.headers["Location"]) == (302, "/api/docs?a=b#c")


def test_a_provider_that_is_down_is_said_and_may_be_up_later(open_server: OpenServer) -> None:
    with open_server(oidc_discovery_url="http://127.0.0.1:9/.well-known/openid-configuration") as url:
        answer = requests.get(f"{url}/api/auth/login", allow_redirects=False)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SIGN_IN_UNAVAILABLE")


def test_a_new_sign_in_ends_the_one_before_in_this_browser(anna: BrowserOf) -> None:
    old = anna.cookie
    assert anna.sign_in(BEN).json()["data"]["user"]["name"] == "Ben"
    assert anna.cookie != old
    assert requests.get(f"{anna.base_url}/api/auth/me", cookies={"netpilot_session": old}).status_code == 401
