"""Pages of other sites: those on the list may call, by their exact origin, and no other learns anything."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from server import Runtime, create_app
from services.context import RouterContext

DASH = "https://dash.example.org"
LISTED = (DASH, "http://[::1]:3000", "https://a.example:8443")

#: What looks like one of them to who compares badly.
LOOKALIKES = [
    "https://dash.example.org.evil.com",
    "https://evil.com/https://dash.example.org",
    "https://dash.example.org@evil.com",
    "https://dashxexample.org",
    "https://xdash.example.org",
    "https://sub.dash.example.org",
    "https://example.org",
    "http://dash.example.org",
    "https://dash.example.org:8443",
    "https://dash.example.org/",
    "https://dash.example.org ",
    "https://a.example",
    "http://:3000",
    "http://1:3000",
    "http://[::1]:3001",
    "file://",
    "null",
    "*",
    "",
]

TOLD_ONLY_TO_THE_LISTED = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")


@pytest.fixture
def client(make_runtime: Callable[..., Runtime]) -> FlaskClient:
    app = create_app(make_runtime(cors_origins=",".join(LISTED)))
    app.testing = False
    return app.test_client()


@pytest.fixture
def signed_in_client(make_runtime: Callable[..., Runtime]) -> FlaskClient:
    runtime = make_runtime(
        auth_mode="google",
        public_url="http://localhost",
        google_client_id="netpilot",
        google_client_secret="a secret of the provider's",
        secret_key="kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
        cors_origins=DASH,
    )
    return create_app(runtime).test_client()


def preflight(client: FlaskClient, origin: str, method: str = "PUT", headers: str = "x-csrftoken") -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options("/api/routers/x", headers=asked)


@pytest.mark.parametrize("origin", LISTED)
def test_a_listed_page_may_read_the_answers(client: FlaskClient, origin: str) -> None:
    for path in ("/api/routers", "/api/nothing", "/api/routers?page=0"):
        headers = client.get(path, headers={"Origin": origin}).headers
        assert headers.getlist("Access-Control-Allow-Origin") == [origin]
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert {"Retry-After", "X-Request-Id"} <= set(headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("origin", LOOKALIKES)
def test_a_page_that_only_looks_like_one_may_not(client: FlaskClient, origin: str) -> None:
    for answer in (client.get("/api/routers", headers={"Origin": origin}), preflight(client, origin)):
        assert [name for name in TOLD_ONLY_TO_THE_LISTED if name in answer.headers] == []
    written = client.post("/api/routers", json={}, headers={"Origin": origin})
    assert (written.status_code, written.get_json()["error"]["code"]) == (403, "CSRF_FAILED")


def test_who_sends_no_origin_is_not_told_who_is_listed(client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/api/routers").headers


@pytest.mark.parametrize("headers", [{}, {"Origin": DASH}, {"Origin": "https://evil.example"}])
def test_caches_keep_the_answers_of_different_pages_apart(
    client: FlaskClient, signed_in_client: FlaskClient, headers: dict[str, str]
) -> None:
    for one in (client, signed_in_client):
        for path in ("/api/routers", "/api/nothing", "/api/auth/me"):
            assert "Origin" in one.get(path, headers=headers).headers["Vary"].split(", ")


def test_a_download_varies_by_both(client: FlaskClient, context: RouterContext) -> None:
    for headers in ({}, {"Origin": DASH}):
        answer = client.get("/api/device-usage/export/csv", headers=headers)
        assert (answer.status_code, set(answer.vary)) == (200, {"Origin", "Accept-Encoding"})


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ("authorization", {"authorization"}),
        ("Authorization, X-CSRFToken, Content-Type", {"Authorization", "X-CSRFToken", "Content-Type"}),
        ("x-router-id,x-request-id", {"x-router-id", "x-request-id"}),
        ("x-forwarded-for, cookie, host", set()),
    ],
)
def test_a_preflight_needs_no_credentials_and_grants_what_the_api_knows(
    client: FlaskClient, signed_in_client: FlaskClient, headers: str, granted: set[str]
) -> None:
    for one in (client, signed_in_client):
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = preflight(one, DASH, method, headers)
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == DASH
            assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
            allowed = answer.headers.get("Access-Control-Allow-Headers", "")
            assert {name for name in allowed.split(", ") if name} == granted
            assert answer.headers["Access-Control-Max-Age"] == "600"


def test_nothing_is_ever_allowed_to_all(client: FlaskClient) -> None:
    for origin in (*LISTED, *LOOKALIKES):
        for answer in (client.get("/api/routers", headers={"Origin": origin}), preflight(client, origin)):
            assert "*" not in [value for name, value in answer.headers if name.startswith("Access-Control")]


def test_health_and_the_page_are_of_no_concern_to_other_sites(client: FlaskClient) -> None:
    for path in ("/health/live", "/openapi.json", "/"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": DASH}).headers


def test_a_listed_page_still_has_to_say_who_it_is(signed_in_client: FlaskClient) -> None:
    for method, path in (("GET", "/api/routers"), ("POST", "/api/routers")):
        answer = signed_in_client.open(path, method=method, headers={"Origin": DASH})
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == DASH, "so that the page can tell its user"
