"""Every operation of the OpenAPI document with values made up from it, good and bad, as a program and as nobody.

Whatever is sent, the answer is one that the document promises: its status, its content type, its envelope, its schema.
The same values in every run; NETPILOT_SOAK=n tries n times as many.
"""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server import Runtime, create_app
from services.api_tokens import TokenScope
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.tenants import tenant
from tests.homes import PHONE, SOAK, TickingClock, register

#: What an operation is tried with, for each of who asks.
EXAMPLES = 20 * SOAK

#: What a router that is out of reach, or a provider that is none, is answered with.
PLANNED = {502, 503, 504}

PROMISES = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

#: What removes comes after what looks, then what changes the router that all of them ask about; its end is the end.
LATE = [
    ("DELETE", "/api/auth"),
    ("DELETE", "/api/device-usage"),
    ("POST", "/api/routers/{router_id}/host-key"),
    ("PUT", "/api/routers/{router_id}"),
    ("DELETE", "/api/routers/{router_id}"),
]

#: These can't succeed here: there is no provider, a token may not do it, or what they need is not there.
NEVER = {
    "GET /api/auth/login",
    "GET /api/auth/callback",
    "POST /api/auth/logout",
    "POST /api/auth/tokens",
    "DELETE /api/auth/account",
    "DELETE /api/auth/sessions/{id}",
    "DELETE /api/auth/tokens/{id}",
    "POST /api/device-usage/device/{mac}/merge",
    "POST /api/routers/{router_id}/host-key",
}


@pytest.fixture
def served(make_runtime: Callable[..., Runtime], clock: ManualClock) -> tuple[Runtime, APIFlask]:
    runtime = make_runtime(
        TickingClock(clock).now,  # two readings in one moment are a conflict
        auth_mode="google",
        public_url="http://localhost",
        google_client_id="netpilot",
        google_client_secret="a secret of the provider's",
        oidc_discovery_url="http://127.0.0.1:9/",
        secret_key="kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
        ratelimit_enabled=False,
        router_connect_timeout_s=1,
    )
    app = create_app(runtime)
    app.testing = False
    return runtime, app


@pytest.fixture
def program(
    served: tuple[Runtime, APIFlask], hosted: HostedRouter, router: SimulatedRouter
) -> tuple[dict[str, str], dict[str, str]]:
    """What a program with a token sends, and what is there: a router that was read, a device."""
    runtime, app = served
    anna = tenant(runtime, app, "anna")
    context = register(runtime, hosted, anna.account)
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(RouterContext(anna.account, context.router_id))
    lifetime = timedelta(days=1)
    token = runtime.services.tokens.create(anna.account, name="x", scope=TokenScope.WRITE, lifetime=lifetime)
    return {"Authorization": f"Bearer {token.secret}"}, {"router_id": context.router_id, "mac": PHONE, "id": "x"}


def operations_of(app: APIFlask) -> list[APIOperation]:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    return sorted((found.ok() for found in schema.get_all_operations()), key=_lateness)


def _lateness(operation: APIOperation) -> int:
    places = [
        place
        for place, (method, path) in enumerate(LATE, start=1)
        if operation.method.upper() == method and operation.path.startswith(path)
    ]
    return max(places, default=0)


def cases_of(operation: APIOperation, there: dict[str, str]) -> st.SearchStrategy[Case]:
    """Good values and bad ones, most of them for what is there."""
    names = {parameter.name for parameter in operation.path_parameters}
    ways = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    if names:
        known = {name: there[name] for name in names}
        ways += [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known)] * 4
    return st.tuples(st.one_of(ways), st.sampled_from([True, True, True, False])).map(
        lambda drawn: _at_home(*drawn, router_id=there["router_id"])
    )


def _at_home(case: Case, is_for_the_router_there: bool, *, router_id: str) -> Case:
    """No name is looked up in the world's DNS; and most requests mean the router that is there, in its days."""
    if isinstance(case.body, dict) and isinstance(case.body.get("host"), str):
        case.body |= {"host": "127.0.0.1", "port": 1}
    if is_for_the_router_there and case.operation.path.startswith("/api/device-usage") and isinstance(case.query, dict):
        case.query["routerId"] = router_id
    for name in ("startDate", "endDate"):
        if isinstance(case.query, dict) and re.fullmatch(r"\d{4}-\d\d-\d\d", str(case.query.get(name))):
            case.query[name] = f"203{int(case.query[name][3]) % 3}{case.query[name][4:]}"
    return case


def try_everything(app: APIFlask, headers: dict[str, str], there: dict[str, str], expect: Callable[..., None]) -> None:
    """Each operation as who sends ``headers``; ``expect`` sees each case with its answer."""
    for operation in operations_of(app):

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases_of(operation, there))
        def ask(case: Case) -> None:
            answer = case.call(headers=headers | {"Accept-Encoding": "identity"})
            case.validate_response(answer, checks=PROMISES, headers=headers)
            assert answer.status_code < 500 or answer.status_code in PLANNED, answer.text
            _has_the_envelope(answer)
            expect(case, answer)

        ask()


def _has_the_envelope(answer: Response) -> None:
    """Once, and with what it is about: nothing else is JSON."""
    kinds = answer.headers.get("content-type", [""])
    if "application/json" in kinds:
        body = answer.json()
        assert set(body) == ({"success", "data", "metadata"} if body["success"] else {"success", "error", "metadata"})
        assert body["success"] is (answer.status_code < 400)
        assert [body["metadata"]["requestId"]] == answer.headers["x-request-id"]
    else:
        assert answer.status_code < 400


def test_a_program_gets_what_the_document_promises(
    served: tuple[Runtime, APIFlask], program: tuple[dict[str, str], dict[str, str]]
) -> None:
    statuses: dict[str, set[int]] = {}

    def note(case: Case, answer: Response) -> None:
        statuses.setdefault(case.operation.label, set()).add(answer.status_code)
        assert answer.status_code != 401

    headers, there = program
    try_everything(served[1], headers, there, note)
    assert {label for label, seen in statuses.items() if not seen & {200, 201}} == NEVER


def test_nobody_gets_in_with_anything(
    served: tuple[Runtime, APIFlask], program: tuple[dict[str, str], dict[str, str]]
) -> None:
    def is_turned_away(case: Case, answer: Response) -> None:
        is_open = case.operation.path.startswith(("/health/", "/api/auth/login", "/api/auth/callback"))
        assert is_open or answer.status_code in (400, 401, 404, 405), answer.status_code

    try_everything(served[1], {}, program[1], is_turned_away)
