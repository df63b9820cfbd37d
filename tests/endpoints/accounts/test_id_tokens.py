"""What a provider's answers must say, claim by claim, before anybody gets in."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Response, request
from joserfc.jwk import RSAKey

from tests.endpoints.accounts.conftest import OpenServer
from tests.endpoints.accounts.made_up_provider import DESCRIPTION, MadeUpProvider, as_json, made_up_provider

NOW = int(time.time())


@pytest.fixture
def made_up() -> Iterator[MadeUpProvider]:
    with made_up_provider() as provider:
        yield provider


@pytest.fixture
def url(open_server: OpenServer, made_up: MadeUpProvider) -> Iterator[str]:
    with open_server(oidc_discovery_url=made_up.discovery_url, ratelimit_enabled=False) as running:
        yield running


def told(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 302 else answer.json()["error"]["code"]


GETS_IN, REFUSED, UNAVAILABLE = (302, ""), (400, "VALIDATION_ERROR"), (503, "SIGN_IN_UNAVAILABLE")


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        ({}, GETS_IN),
        ({"aud": ["netpilot"]}, GETS_IN),
        ({"aud": ["netpilot", "other"], "azp": "netpilot"}, GETS_IN),
        ({"aud": ["netpilot", "other"]}, REFUSED),
        ({"aud": ["netpilot", "other"], "azp": "other"}, REFUSED),
        ({"aud": "other"}, REFUSED),
        ({"aud": ["other"], "azp": "netpilot"}, REFUSED),
        ({"aud": []}, REFUSED),
        ({"aud": ""}, REFUSED),
        ({"aud": None}, REFUSED),
        ({"iss": "https://other.example"}, REFUSED),
        ({"iss": None}, REFUSED),
        ({"nonce": "of another sign-in"}, REFUSED),
        ({"nonce": None}, REFUSED),
        ({"exp": NOW - 3_600}, REFUSED),
        ({"exp": None}, REFUSED),
        ({"exp": "9999999999"}, REFUSED),
        ({"iat": NOW + 3_600}, REFUSED),
        ({"nbf": NOW + 3_600}, REFUSED),
        ({"sub": 5}, REFUSED),
        ({"at_hash": "of another token"}, REFUSED),
    ],
)
def test_an_id_token_is_for_this_server_for_this_sign_in_and_for_now(
    url: str, made_up: MadeUpProvider, claims: dict[str, Any], outcome: tuple[int, str]
) -> None:
    made_up.claims = claims
    browser = requests.Session()
    assert told(made_up.sign_in(browser, url)) == outcome
    assert browser.get(f"{url}/api/auth/me").status_code == (200 if outcome == GETS_IN else 401)


@pytest.mark.parametrize("email", ["example.org", "@example.org", "mia@", "mia@example.or\u212a"])
def test_what_is_no_address_is_compared_with_no_list(
    open_server: OpenServer, made_up: MadeUpProvider, email: str
) -> None:
    allowed = "@example.org,@example.ork"
    with open_server(oidc_discovery_url=made_up.discovery_url, allowed_emails=allowed) as url:
        made_up.claims = {"email": email}
        assert told(made_up.sign_in(requests.Session(), url)) == REFUSED


def test_a_token_that_is_signed_with_nothing_or_by_somebody_else_is_refused(url: str, made_up: MadeUpProvider) -> None:
    def signed_with_nothing() -> Response:
        header = urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
        return as_json({"access_token": "x", "id_token": f"{header}.{made_up.id_token().split('.')[1]}."})

    def signed_by_another() -> Response:
        ours, made_up.key = made_up.key, RSAKey.generate_key(2048, {"kid": made_up.key.kid})
        token, made_up.key = made_up.id_token(), ours
        return as_json({"access_token": "x", "id_token": token})

    for made in (signed_with_nothing, signed_by_another):
        made_up.answers["/token"] = made
        assert told(made_up.sign_in(requests.Session(), url)) == REFUSED
    made_up.answers.clear()
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN


def test_new_keys_are_fetched_also_where_they_have_the_old_ones_name(url: str, made_up: MadeUpProvider) -> None:
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN
    made_up.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN
    made_up.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert told(made_up.sign_in(requests.Session(), url)) == REFUSED
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN, "the next one asks for the keys"


# --- claims that are elsewhere ---------------------------------------------------------------------------

ELSEWHERE = {"email": None, "email_verified": None, "name": None}
MIA = {"sub": "mia", "email": "Mia@example.org", "email_verified": True, "name": "Mia"}


@pytest.mark.parametrize(
    ("userinfo", "outcome"),
    [
        (MIA, GETS_IN),
        (MIA | {"sub": "eve"}, UNAVAILABLE),
        ({name: value for name, value in MIA.items() if name != "sub"}, UNAVAILABLE),
        (MIA | {"email_verified": False}, (403, "SIGN_IN_REFUSED")),
        (MIA | {"email": None}, (403, "SIGN_IN_REFUSED")),
    ],
)
def test_who_it_is_may_be_told_at_the_userinfo_endpoint_alone(
    url: str, made_up: MadeUpProvider, userinfo: dict[str, Any], outcome: tuple[int, str]
) -> None:
    made_up.claims, made_up.userinfo = ELSEWHERE, userinfo
    browser = requests.Session()
    assert told(made_up.sign_in(browser, url)) == outcome
    if outcome == GETS_IN:
        user = browser.get(f"{url}/api/auth/me").json()["data"]["user"]
        assert (user["email"], user["name"]) == ("mia@example.org", "Mia")


def test_an_address_and_that_it_was_verified_are_told_at_the_same_place(url: str, made_up: MadeUpProvider) -> None:
    made_up.claims = {"email": "boss@example.org", "email_verified": None}
    made_up.userinfo = MIA | {"email": None}
    assert told(made_up.sign_in(requests.Session(), url)) == (403, "SIGN_IN_REFUSED")


# --- who this server is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "is_in_body"),
    [
        (None, False),
        (["client_secret_post", "client_secret_basic"], False),
        (["client_secret_post"], True),
        (["private_key_jwt"], False),
    ],
)
def test_the_secret_is_said_as_the_provider_takes_it(
    url: str, made_up: MadeUpProvider, taken: list[str] | None, is_in_body: bool
) -> None:
    said: list[bool] = []

    def answer() -> Response:
        said.append("client_secret" in request.form)
        assert said[-1] is not ("Authorization" in request.headers)
        return as_json({"access_token": "x", "id_token": made_up.id_token()})

    methods = {} if taken is None else {"token_endpoint_auth_methods_supported": taken}
    made_up.answers = {DESCRIPTION: lambda: as_json(made_up.description() | methods), "/token": answer}
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN
    assert said == [is_in_body]


def test_a_wrong_secret_of_this_server_is_for_who_runs_it(
    url: str, made_up: MadeUpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    for error, outcome in (("invalid_client", UNAVAILABLE), ("invalid_grant", REFUSED)):
        made_up.answers["/token"] = lambda error=error: as_json({"error": error})  # type: ignore[misc]
        assert told(made_up.sign_in(requests.Session(), url)) == outcome
    assert "GOOGLE_CLIENT_SECRET" in caplog.text


# --- answers that are none -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/token", "/keys", "/userinfo"])
@pytest.mark.parametrize("body", ["[]", "null", '"x"', "<html>", "", "[" * 5_000, '{"id_token": null}', '{"keys": 5}'])
def test_an_answer_that_is_none_is_no_failure_of_this_server_and_is_not_kept(
    url: str, made_up: MadeUpProvider, path: str, body: str
) -> None:
    made_up.claims, made_up.userinfo = ELSEWHERE, MIA
    made_up.answers[path] = lambda: Response(body, mimetype="application/json")
    assert told(made_up.sign_in(requests.Session(), url)) in (UNAVAILABLE, REFUSED)
    made_up.answers.clear()
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN


@pytest.mark.parametrize("body", ["[]", "null", "{}", "<html>", '{"authorization_endpoint": 5}', "[" * 5_000])
def test_a_description_that_is_none_is_not_kept_either(url: str, made_up: MadeUpProvider, body: str) -> None:
    made_up.answers[DESCRIPTION] = lambda: Response(body, mimetype="application/json")
    assert told(requests.get(f"{url}/api/auth/login", allow_redirects=False)) == UNAVAILABLE
    made_up.answers.clear()
    assert told(made_up.sign_in(requests.Session(), url)) == GETS_IN
