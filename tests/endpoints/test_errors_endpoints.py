"""What every answer has in common: the envelope, whatever went wrong, and what keeps strangers out."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from db_operations.embedded_postgres import EmbeddedPostgres
from db_operations.migrations import migrate
from server import Runtime, build_runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE, Api, make_config, register
from tests.postgres import FAST, temporary_home

BASE = "/api/device-usage"
HISTORY = f"{BASE}/history"

#: Every parameter of every query string, with values that mean nothing.
RUBBISH = [
    *[(f"{BASE}/devices", "page", value) for value in ("0", "-1", "x", "", "1.5", "1e9", "9" * 40)],
    *[(f"{BASE}/devices", "pageSize", value) for value in ("0", "501", "all", "-5")],
    *[(f"{BASE}/devices", "active", value) for value in ("maybe", "2")],
    *[(f"{BASE}/devices", "search", value) for value in ("x" * 256, "a\0b", "tab\t")],
    *[(f"{BASE}/devices", "sort", value) for value in ("bytes", "name; DROP TABLE devices", "")],
    *[(HISTORY, name, value) for name in ("startDate", "endDate") for value in ("2031-02-30", "yesterday", "20311111")],
    *[(HISTORY, "startDate", value) for value in ("1969-12-31", "9999-12-31", "2031-11-11T00:00:00Z", "0000-00-00")],
    *[(HISTORY, "granularity", value) for value in ("minute", "Day", "", "hour,day")],
    *[(HISTORY, "page", "0"), (HISTORY, "pageSize", "x"), (HISTORY, "unknown", "1"), (HISTORY, "granularty", "day")],
    *[(f"{BASE}/device/{PHONE}/history", "granularity", "x"), (f"{BASE}/device/{PHONE}/history", "page", "1")],
    *[(f"{BASE}/summary", "period", value) for value in ("year", "7", "")],
    *[(f"{BASE}/summary", "top", value) for value in ("0", "101", "ten")],
    *[(f"{BASE}/{path}", "unknown", "1") for path in ("current", "status", f"device/{PHONE}/info")],
    *[("/api/routers", "page", "0"), ("/api/routers", "pageSize", "501"), ("/api/auth/me", "unknown", "1")],
    ("/health/ready", "unknown", "1"),
]


@pytest.mark.parametrize("path", sorted({path for path, _, _ in RUBBISH}))
def test_a_parameter_that_means_nothing_is_named(api: Api, context: RouterContext, path: str) -> None:
    for _, name, value in (entry for entry in RUBBISH if entry[0] == path):
        status, code, details = api.error(path, query_string={name: value})
        assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [name]), value
        assert all(isinstance(line, str) and line for line in details[name])


def test_what_is_too_long_or_too_wide_is_told_in_words(api: Api, context: RouterContext) -> None:
    details = api.error(f"{BASE}/devices", query_string={"search": "x" * 256})[2]
    assert details == {"search": ["String should have at most 255 characters"]}
    details = api.error(f"{BASE}/people", query_string={"startDate": "2020-01-01", "endDate": "2031-11-01"})[2]
    assert details == {"startDate": ["startDate to endDate may be at most 1,100 days"]}


def test_the_start_of_a_range_is_not_after_its_end(api: Api, context: RouterContext) -> None:
    query = {"startDate": "2031-11-02", "endDate": "2031-11-01"}
    assert api.error(HISTORY, query_string=query)[2].keys() == {"startDate"}


def test_every_endpoint_refuses_parameters_that_it_does_not_know_or_gets_twice(
    api: Api, app: APIFlask, context: RouterContext
) -> None:
    asked = 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(("/api/", "/health/")) or rule.rule.startswith("/api/docs"):
            continue
        if rule.rule == "/api/auth/callback":
            continue  # what a provider adds to the way back is its own affair
        path = rule.rule.replace("<router_id>", context.router_id).replace("<mac>", PHONE)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            options = {"json": {}} if method in ("POST", "PUT") else {}
            status, code, details = api.error(f"{path}?unknown=1", method, **options)
            assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["unknown"]), (method, path)
            status, code, details = api.error(f"{path}?page=1&page=2", method, **options)
            assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["page"]), (method, path)
            asked += 1
    assert asked >= 20


def test_a_parameter_given_twice_says_so(api: Api, context: RouterContext) -> None:
    details = api.error(f"{BASE}/devices?page=1&page=2&search=a&search=a&sort=name")[2]
    assert details == {"page": ["is given more than once"], "search": ["is given more than once"]}
    assert api.error("/api/nothing?page=1&page=2")[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing", "/api/device-usage/nothing", "/api/routers/x/y", "/api/"])
def test_an_unknown_path_is_not_found(api: Api, context: RouterContext, path: str) -> None:
    assert api.error(path)[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("router_id", ["x", "", "0123456789abcdef", "%00", "a\0b", "x" * 300, "客厅", "' OR '1'='1"])
def test_a_router_that_is_none_is_refused_by_query_and_by_header(
    api: Api, context: RouterContext, router_id: str
) -> None:
    by_query = api.error(f"{BASE}/devices", query_string={"routerId": router_id}) if router_id else None
    if by_query:
        assert by_query[:2] in ((404, "ROUTER_NOT_FOUND"), (400, "VALIDATION_ERROR"))
    if router_id.isascii() and "\0" not in router_id and router_id:
        by_header = api.error(f"{BASE}/devices", headers={"X-Router-Id": router_id})
        assert by_header[:2] in ((404, "ROUTER_NOT_FOUND"), (400, "VALIDATION_ERROR"))


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (f"{BASE}/devices", "POST", {"GET", "HEAD", "OPTIONS"}),
        (f"{BASE}/refresh", "GET", {"POST", "OPTIONS"}),
        ("/api/routers", "DELETE", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/health/live", "PUT", {"GET", "HEAD", "OPTIONS"}),
        ("/openapi.json", "POST", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_says_which_are_allowed(
    api: Api, client: Any, context: RouterContext, path: str, method: str, allowed: set[str]
) -> None:
    assert api.error(path, method)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert set(client.open(path, method=method).headers["Allow"].split(", ")) == allowed


def test_a_body_too_large_is_refused(api: Api) -> None:
    body = json.dumps({"name": "x" * 300_000})
    assert api.error("/api/routers", "POST", data=body, content_type="application/json")[:2] == (
        *(413, "PAYLOAD_TOO_LARGE"),
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"[]", b"null", b"5", b'"text"', b'{"name": NaN}', b"\xff\xfe", b"[" * 100_000],
    ids=lambda body: repr(body)[:12],
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", None):
        status, code, _ = api.error("/api/routers", "POST", data=body, content_type=content_type)
        assert (status, code) == (400, "VALIDATION_ERROR"), content_type


def test_a_body_of_another_type_is_refused_even_if_it_would_do(api: Api) -> None:
    """A form of another site can send text/plain without asking first."""
    body = json.dumps({"name": "x", "host": "127.0.0.1", "port": 1})
    assert api.error("/api/routers", "POST", data=body, content_type="text/plain")[0] in (400, 415)
    assert api.data("/api/routers")["routers"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{BASE}/refresh"),
        ("POST", "/api/routers/{id}/test"),
        ("DELETE", "/api/routers/{id}"),
        ("GET", f"{BASE}/devices"),
    ],
)
def test_a_body_that_nobody_reads_is_refused(
    api: Api, context: RouterContext, hosted: HostedRouter, method: str, path: str
) -> None:
    path = path.format(id=context.router_id)
    asked = hosted.stats.commands
    for body in (b'{"routerId": "x"}', b"[]", b"null", b"5", b"{", b"nonsense", b"{} {}"):
        status, code, details = api.error(path, method, data=body, content_type="application/json")
        assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["body"]), body
    assert hosted.stats.commands == asked
    assert api.data(f"/api/routers/{context.router_id}")
    empty: list[dict[str, Any]] = [{}, {"data": b""}, {"json": {}}, {"data": b" { }\n"}]
    for options in empty if method != "DELETE" else empty[-1:]:
        # A second reading in a moment that stands still is a conflict.
        assert api.client.open(path, method=method, content_type="application/json", **options).status_code in (
            200,
            409,
        )


def test_null_is_no_body_of_a_change(api: Api, context: RouterContext) -> None:
    path = f"/api/routers/{context.router_id}"
    for body in (b"null", b" null\n"):
        status, code, details = api.error(path, "PUT", data=body, content_type="application/json")
        assert (status, code, details) == (400, "VALIDATION_ERROR", {"body": ["must be a JSON object"]})


def test_a_fault_inside_says_nothing_of_itself(
    api: Api, client: Any, runtime: Runtime, context: RouterContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("password=hunter2 in /srv/secret.py SELECT * FROM users")

    monkeypatch.setattr(runtime.services.status, "get_status", fails)
    assert api.error(f"{BASE}/status")[:2] == (500, "INTERNAL")
    text = client.get(f"{BASE}/status").text
    for word in ("hunter2", "secret.py", "SELECT", "RuntimeError", "Traceback"):
        assert word not in text


# --- without a database ----------------------------------------------------------------------------------


@pytest.fixture
def own_server(clock: ManualClock) -> Iterator[tuple[EmbeddedPostgres, Runtime]]:
    """A runtime over a PostgreSQL that the test may stop."""
    with temporary_home() as home:
        server = EmbeddedPostgres(home, settings=FAST)
        url = server.start()
        migrate(url)
        runtime = build_runtime(make_config(), url, clock=clock.now)
        yield server, runtime
        runtime.close()
        server.stop()


def test_without_the_database_every_answer_says_so_and_with_it_all_is_well_again(
    own_server: tuple[EmbeddedPostgres, Runtime],
    hosted: HostedRouter,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.readiness.KEEP_S", 0.0)
    server, runtime = own_server
    context = register(runtime, hosted)
    api = Api(create_app(runtime).test_client())
    api.data(f"{BASE}/refresh", "POST")
    server.stop()
    unavailable = (503, "DATABASE_UNAVAILABLE")
    paths = ("devices", "current", "history", "summary", "status", f"device/{PHONE}/info", f"device/{PHONE}/current")
    for path in paths:
        assert api.error(f"{BASE}/{path}")[:2] == unavailable
    assert api.error(f"{BASE}/refresh", "POST")[:2] == unavailable
    assert api.error("/api/routers")[:2] == unavailable
    assert api.error("/api/routers", "POST", json={"name": "x", "host": "127.0.0.1"})[:2] == unavailable
    assert api.error(f"/api/routers/{context.router_id}")[:2] == unavailable
    assert api.error("/api/auth/me")[:2] == unavailable
    assert api.error("/health/ready")[:2] == unavailable
    assert api.data("/health/live") == {"status": "live"}
    runtime.collector.collect_due()  # only says so in its log
    server.start()
    assert api.data("/health/ready") == {"status": "ready"}
    clock.advance(timedelta(minutes=5))
    api.data(f"{BASE}/refresh", "POST")


# --- who may ask -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:5000", "0.0.0.0", "[::2]"])
def test_a_name_that_others_point_here_gets_nothing(api: Api, context: RouterContext, host: str) -> None:
    for path in (f"{BASE}/devices", "/api/routers", "/health/ready", "/openapi.json", "/api/docs", "/"):
        assert api.error(path, headers={"Host": host})[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("host", ["[::1", "a b", "[", ":", "x]y", "127.0.0.1:port", "\xff"])
def test_a_host_that_is_none_is_refused_and_no_fault(app: APIFlask, client: Any, host: str) -> None:
    response = client.get("/api/routers", headers={"Host": host})
    assert 400 <= response.status_code < 500
    assert response.get_json()["success"] is False


def test_a_name_that_others_point_here_does_not_become_ours_by_a_header(make_runtime: Callable[..., Runtime]) -> None:
    """A script of such a page can send any header but Host and Origin."""
    for proxies in (0, 1):
        client = create_app(make_runtime(trusted_proxies=proxies)).test_client()
        headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
        assert client.get("/api/routers", headers=headers).status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "LOCALHOST:80", "[::1]:5000", "127.1.2.3"])
def test_loopback_by_any_name_is_welcome(api: Api, host: str) -> None:
    api.data("/api/routers", headers={"Host": host})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:5001", "https://localhost", ""])
def test_a_write_from_another_sites_page_is_refused(
    api: Api, context: RouterContext, hosted: HostedRouter, origin: str
) -> None:
    asked = hosted.stats.commands
    refused = [
        api.error(f"{BASE}/refresh", "POST", headers={"Origin": origin}),
        api.error("/api/routers", "POST", json={}, headers={"Origin": origin}),
        api.error(f"/api/routers/{context.router_id}", "DELETE", headers={"Origin": origin}),
    ]
    assert [answer[:2] for answer in refused] == [(403, "CSRF_FAILED")] * 3
    assert hosted.stats.commands == asked


def test_our_own_page_and_programs_may_write(api: Api, context: RouterContext) -> None:
    api.data(f"{BASE}/refresh", "POST", headers={"Origin": "http://localhost"})
    api.data(f"/api/routers/{context.router_id}", "PUT", json={"name": "x"})


def test_only_listed_sites_may_read_the_answers(make_runtime: Callable[..., Runtime]) -> None:
    client = create_app(make_runtime(cors_origins="https://dash.example, https://other.example")).test_client()
    for origin, allowed in (("https://dash.example", True), ("https://evil.example", False)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for response in (client.get("/api/routers", headers=headers), client.options("/api/routers", headers=headers)):
            assert response.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert (
        "Access-Control-Allow-Origin"
        not in client.get("/health/live", headers={"Origin": "https://dash.example"}).headers
    )
    written = client.post("/api/routers", json={}, headers={"Origin": "https://dash.example"})
    assert written.status_code == 400, "let in, and told what is missing"


def test_without_a_list_no_site_may_read_the_answers(client: Any) -> None:
    response = client.get("/api/routers", headers={"Origin": "https://dash.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/api/routers", "/api/nothing", "/api/docs", "/health/live", "/openapi.json"])
def test_every_answer_has_the_headers_that_keep_browsers_careful(client: Any, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"], "no inline script, no inline style"
    assert "script-src" not in policy, "the default holds"


def test_answers_about_a_home_are_not_kept_by_caches(client: Any) -> None:
    assert client.get("/api/routers").headers["Cache-Control"] == "no-store"


def test_a_request_id_is_taken_up_or_made(client: Any) -> None:
    brought = client.get("/api/routers", headers={"X-Request-Id": "my-request.0001"})
    assert brought.headers["X-Request-Id"] == brought.json["metadata"]["requestId"] == "my-request.0001"
    for rubbish in ("short", "x" * 65, "has space", "<script>", "a\tb" * 4):
        made = client.get("/api/nothing", headers={"X-Request-Id": rubbish})
        assert made.headers["X-Request-Id"] == made.json["metadata"]["requestId"]
        assert made.headers["X-Request-Id"] not in (rubbish, "")
    ids = {client.get("/api/routers").headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20


def test_the_local_user_is_always_signed_in(api: Api) -> None:
    user = api.data("/api/auth/me")["user"]
    assert user == {"id": "local", "name": "Local user", "email": None, "authMode": "local"}
