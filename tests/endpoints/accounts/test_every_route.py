"""Every route with every method, as somebody who may not: a new one that is not covered here fails."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from db_operations.database import Database
from endpoints import rate_limits
from server import Runtime
from services.accounts.api_tokens import TokenScope
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.tenants import as_browser, tenant
from tests.homes import PHONE, TABLES, ask, register

#: Whoever has no session may see these.
OPEN = {
    "health.get_live",
    "health.get_ready",
    "sign_in.login",
    "sign_in.callback",
    "openapi.spec",
    "docs.show_start",
    "docs.show_docs",
    "docs.send_start_script",
    "docs.send_asset",
}

#: Those that change nothing although they are no GET: a token that may only read may call them.
READING = {"reports.generate_report"}

#: What a request brings, where one is needed to get as far as the check.
BODIES: dict[str, dict[str, Any]] = {
    "routers.register_router": {"name": "x", "host": "192.0.2.1", "password": "x"},
    "routers.update_router": {"name": "mine now"},
    "routers.accept_host_key": {"fingerprint": "SHA256:" + "x" * 43},
    "devices.update_device": {"name": "mine now"},
    "devices.merge_device": {"into": "02:00:00:00:00:99"},
    "reports.generate_report": {"period": "day"},
    "auth.create_token": {"name": "x"},
}

#: What is about the account itself is for who is signed in, in a browser; of all that a token may ask who it is.
FOR_TOKENS = "auth.get_me"

SAFE = {"GET", "HEAD"}

LIFETIME = timedelta(days=1)


def routes(app: APIFlask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield rule, method


def path_of(rule: Rule, values: dict[str, str]) -> str:
    wanted = {name: values[name] for name in rule.arguments}
    path = rule.rule
    for name, value in wanted.items():
        path = path.replace(f"<{name}>", value).replace(f"<path:{name}>", value)
    return path


def call(client: FlaskClient, rule: Rule, method: str, values: dict[str, str], **headers: str) -> TestResponse:
    body = BODIES.get(rule.endpoint)
    query = {"routerId": values["router_id"]} if rule.rule.startswith("/api/device-usage") else {}
    return client.open(path_of(rule, values), method=method, json=body, query_string=query, headers=headers)


def told(response: TestResponse) -> tuple[int, Any]:
    """Status and body, but for what differs from request to request. The answer to a HEAD has none."""
    body = response.get_json() if response.data else None
    if isinstance(body, dict):
        body["metadata"].pop("requestId")
    return response.status_code, body


def refusal(response: TestResponse) -> tuple[int, str]:
    """Status and code; the answer to a HEAD has no code, so the one that the status has is taken for it."""
    status, body = told(response)
    of_head = {401: "UNAUTHENTICATED", 403: "INSUFFICIENT_SCOPE"}
    return status, of_head.get(status, "") if body is None else body["error"]["code"]


@pytest.fixture
def values(signed_in: Runtime, server: APIFlask, hosted: HostedRouter, router: SimulatedRouter) -> dict[str, str]:
    """What is Anna's: a router with usage, a device, a token that may read and one that may write."""
    anna = tenant(signed_in, server, "anna")
    context = register(signed_in, hosted, anna.account)
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    signed_in.collector.collect(RouterContext(anna.account, context.router_id))
    token, writing = (
        signed_in.services.tokens.create(anna.account, name="x", scope=scope, lifetime=LIFETIME)
        for scope in (TokenScope.READ, TokenScope.WRITE)
    )
    return {
        "router_id": context.router_id,
        "mac": PHONE,
        "id": token.record.id,
        "name": "x",
        "secret": anna.secret,
        "token": token.secret,
        "writing": writing.secret,
        "csrf": anna.csrf,
        "session": anna.session,
        "account": anna.account,
    }


# --- nobody ----------------------------------------------------------------------------------------------


def test_nobody_gets_past_the_door(server: APIFlask, values: dict[str, str]) -> None:
    for rule, method in routes(server):
        if rule.endpoint not in OPEN:
            assert told(call(server.test_client(), rule, method, values))[0] == 401, f"{method} {rule}"


def test_neither_does_who_is_signed_out(
    signed_in: Runtime, server: APIFlask, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "GUESSES", rate_limits.ADDRESS)  # or soon there would be 429 alone
    signed_in.services.sessions.revoke(values["account"], values["session"])
    client = as_browser(server, values["secret"])
    for rule, method in routes(server):
        if rule.endpoint not in OPEN:
            answer = call(client, rule, method, values, **{"X-CSRFToken": values["csrf"]})
            assert refusal(answer) == (401, "UNAUTHENTICATED"), f"{method} {rule}"


def test_neither_does_a_token_that_has_run_out(
    server: APIFlask, values: dict[str, str], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "GUESSES", rate_limits.ADDRESS)
    clock.advance(LIFETIME)
    for rule, method in routes(server):
        if rule.endpoint not in OPEN:
            for token in (values["token"], values["writing"]):
                answer = call(server.test_client(), rule, method, values, Authorization=f"Bearer {token}")
                assert refusal(answer) == (401, "UNAUTHENTICATED"), f"{method} {rule}"


def test_neither_does_who_brings_rubbish(server: APIFlask, values: dict[str, str]) -> None:
    for secret in ("", "x", values["session"], values["csrf"], values["account"]):
        client = as_browser(server, secret)
        assert client.get("/api/auth/me").status_code == 401
        header = {"Authorization": f"Bearer {secret}"}
        assert server.test_client().get("/api/auth/me", headers=header).status_code == 401


# --- who may only read -----------------------------------------------------------------------------------


def test_a_token_that_may_read_changes_nothing(server: APIFlask, values: dict[str, str]) -> None:
    for rule, method in routes(server):
        if rule.endpoint in OPEN:
            continue
        answer = call(server.test_client(), rule, method, values, Authorization=f"Bearer {values['token']}")
        is_for_browsers = rule.endpoint.startswith("auth.") and rule.endpoint != FOR_TOKENS
        if (method in SAFE or rule.endpoint in READING) and not is_for_browsers:
            assert answer.status_code == 200, f"{method} {rule}: {answer.get_data(as_text=True)[:300]}"
        else:
            assert refusal(answer) == (403, "INSUFFICIENT_SCOPE"), f"{method} {rule}"


def test_a_token_that_may_write_has_no_say_in_who_may_act_here(server: APIFlask, values: dict[str, str]) -> None:
    asked = 0
    for rule, method in routes(server):
        if rule.endpoint.startswith("auth.") and rule.endpoint != FOR_TOKENS:
            asked += 1
            answer = call(server.test_client(), rule, method, values, Authorization=f"Bearer {values['writing']}")
            assert refusal(answer) == (403, "INSUFFICIENT_SCOPE"), f"{method} {rule}"
    assert asked > 8
    assert as_browser(server, values["secret"]).get("/api/auth/me").status_code == 200


def test_no_write_passes_without_the_browsers_csrf_token(server: APIFlask, values: dict[str, str]) -> None:
    client = as_browser(server, values["secret"])
    for rule, method in routes(server):
        if rule.endpoint not in OPEN and method not in SAFE:
            status, body = told(call(client, rule, method, values))
            assert (status, body["error"]["code"]) == (403, "CSRF_FAILED"), f"{method} {rule}"


# --- somebody else ---------------------------------------------------------------------------------------


def test_what_is_anothers_answers_as_what_does_not_exist(
    signed_in: Runtime, server: APIFlask, values: dict[str, str]
) -> None:
    ben = tenant(signed_in, server, "ben")
    client = as_browser(server, ben.secret)
    nowhere = values | {"router_id": "f" * len(values["router_id"]), "id": "f" * len(values["id"])}
    asked = 0
    for rule, method in routes(server):
        if rule.endpoint in OPEN or not ({"router_id", "id"} & rule.arguments or "device-usage" in rule.rule):
            continue
        asked += 1
        mine = told(call(client, rule, method, values, **{"X-CSRFToken": ben.csrf}))
        none = told(call(client, rule, method, nowhere, **{"X-CSRFToken": ben.csrf}))
        assert mine[0] == 404, f"{method} {rule}: {mine}"
        assert repr(mine).replace(values["router_id"], nowhere["router_id"]) == repr(none), f"{method} {rule}"
    assert asked > 30


def test_what_is_anothers_is_in_no_list(signed_in: Runtime, server: APIFlask, values: dict[str, str]) -> None:
    ben = tenant(signed_in, server, "ben")
    client = as_browser(server, ben.secret)
    for rule, method in routes(server):
        if method in SAFE and rule.endpoint not in OPEN and not rule.arguments and "device-usage" not in rule.rule:
            text = call(client, rule, method, values).get_data(as_text=True)
            for name in ("router_id", "id", "session", "account", "mac", "secret", "token", "writing"):
                assert values[name] not in text, f"{rule} tells {name}"


def test_after_all_that_nothing_of_annas_was_touched(
    signed_in: Runtime, server: APIFlask, values: dict[str, str]
) -> None:
    ben = tenant(signed_in, server, "ben")
    anna = as_browser(server, values["secret"])
    paths = ["/api/routers", "/api/auth/tokens", "/api/device-usage/devices", "/api/device-usage/history"]
    before = [told(anna.get(path)) for path in paths]
    client = as_browser(server, ben.secret)
    for rule, method in routes(server):
        if rule.endpoint not in OPEN and rule.endpoint != "auth.delete_account":
            call(client, rule, method, values, **{"X-CSRFToken": ben.csrf})
    assert [told(anna.get(path)) for path in paths] == before


def test_deleting_an_account_leaves_nothing_of_it_and_all_of_others(
    signed_in: Runtime, server: APIFlask, values: dict[str, str], database: Database
) -> None:
    ben = tenant(signed_in, server, "ben")
    anna = as_browser(server, values["secret"])
    assert anna.delete("/api/auth/account", headers={"X-CSRFToken": values["csrf"]}).status_code == 200
    for table in TABLES:
        columns = ask(database, "SELECT session_id FROM " + table)
        assert {one for (one,) in columns} <= {ben.account}, table
    assert as_browser(server, ben.secret).get("/api/auth/me").status_code == 200
    assert anna.get("/api/auth/me").status_code == 401
