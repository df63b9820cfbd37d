"""Every operation of the OpenAPI document with values made up from it, good and bad, as who may and as nobody.

Whatever is sent, the answer is one that the document promises: its status, its content type, its envelope, its schema.
The same values in every run; NETPILOT_SOAK=n tries n times as many.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import chain, count

import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from server import Runtime, create_app
from services.accounts.accounts import Identity
from services.accounts.api_tokens import TokenScope
from services.accounts.sessions import Browser
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.accounts.tenants import as_browser, tenant
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
    ("DELETE", "/api/auth/sessions$"),
    ("PUT", "/api/device-usage/device"),
    ("DELETE", "/api/device-usage/(?!.*/merge)"),
    ("POST", "/api/routers/{router_id}/host-key"),
    ("PUT", "/api/routers/{router_id}"),
    ("DELETE", "/api/routers/{router_id}"),
    ("DELETE", "/api/auth/account"),
]

#: These can't succeed here: there is no provider, or what they need is not there.
NEVER = {
    "GET /api/auth/login",
    "GET /api/auth/callback",
    "POST /api/device-usage/device/{mac}/merge",
    "POST /api/routers/{router_id}/host-key",
}


#: Names of nothing, some of which no database can even look for.
ODD_NAMES = ("\0", "a\0b", "é", "x" * 3_000)

#: What is made, and what asks for its id.
LINKED = r"^/api/(routers|auth/tokens|device-usage/(status|history|devices|events))"

#: What somebody sends with a request for an operation.
Credentials = dict[str, dict[str, str]]
CredentialsFor = Callable[[APIOperation], Credentials]


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
def somebody(
    served: tuple[Runtime, APIFlask], hosted: HostedRouter, router: SimulatedRouter
) -> tuple[CredentialsFor, dict[str, str]]:
    """What a program with a token sends, or a browser where that is for browsers; and what is there: a router that was
    read, a device, a token, a browser."""
    runtime, app = served
    anna = tenant(runtime, app, "anna")
    context = register(runtime, hosted, anna.account)
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(RouterContext(anna.account, context.router_id))
    lifetime = timedelta(days=1)
    tokens = runtime.services.tokens
    token = tokens.create(anna.account, name="x", scope=TokenScope.WRITE, lifetime=lifetime)
    other = tokens.create(anna.account, name="y", scope=TokenScope.WRITE, lifetime=lifetime)

    browsers = [browser_credentials(runtime, app)]

    def credentials_for(operation: APIOperation) -> Credentials:
        if not operation.path.startswith("/api/auth/") or operation.path == "/api/auth/me":
            return {"headers": {"Authorization": f"Bearer {token.secret}"}}
        if not is_signed_in(app, browsers[-1]):  # or its account deleted
            browsers.append(browser_credentials(runtime, app))
        return browsers[-1]

    return credentials_for, {
        "router_id": context.router_id,
        "mac": PHONE,
        "id": other.record.id,
        "session": anna.session,
    }


def browser_credentials(runtime: Runtime, app: APIFlask) -> Credentials:
    """Of Anna's browser, signed in just now."""
    who = Identity(issuer="i", subject="anna", email="anna@example.org", is_email_verified=True, name="anna")
    account = runtime.services.accounts.sign_in(who).session_id
    secret = runtime.services.sessions.open(account, Browser(address="127.0.0.1", user_agent="test"))
    me = as_browser(app, secret).get("/api/auth/me").get_json()
    return {"headers": {"X-CSRFToken": me["data"]["csrfToken"]}, "cookies": {"netpilot_session": secret}}


def is_signed_in(app: APIFlask, browser: Credentials) -> bool:
    return as_browser(app, browser["cookies"]["netpilot_session"]).get("/api/auth/me").status_code == 200


def operations_of(app: APIFlask) -> list[APIOperation]:
    return sorted((found.ok() for found in schema_of(app).get_all_operations()), key=_lateness)


def schema_of(app: APIFlask) -> OpenApiSchema:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    schema.config.generation.update(with_security_parameters=False)  # they are ours to send
    return schema


def _lateness(operation: APIOperation) -> int:
    places = [
        place
        for place, (method, path) in enumerate(LATE, start=1)
        if operation.method.upper() == method and re.match(path, operation.path)
    ]
    return max(places, default=0)


def cases_of(operation: APIOperation, there: dict[str, str]) -> st.SearchStrategy[Case]:
    """Good values and bad ones, most of them for what is there."""
    names = {parameter.name for parameter in operation.path_parameters}
    ways = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    if names:
        known = {name: there["session" if "/sessions/" in operation.path else name] for name in names}
        ways += [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known)] * 5
        ways.append(
            st.sampled_from(ODD_NAMES).flatmap(
                lambda odd: operation.as_strategy(
                    generation_mode=GenerationMode.POSITIVE, path_parameters=dict.fromkeys(names, odd)
                )
            )
        )
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


def try_everything(
    app: APIFlask, credentials_for: CredentialsFor, there: dict[str, str], expect: Callable[..., None]
) -> None:
    """Each operation as who sends the headers; ``expect`` sees each case with its answer."""
    for operation in operations_of(app):

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases_of(operation, there))
        def ask(case: Case) -> None:
            expect(case, call(case, credentials_for(case.operation)))

        ask()


def call(case: Case, credentials: Credentials) -> Response:
    """The answer, which is as the document promises."""
    headers = credentials.get("headers", {}) | {"Accept-Encoding": "identity"}
    answer = case.call(headers=headers, cookies=credentials.get("cookies"))
    case.validate_response(answer, checks=PROMISES, headers=headers)
    assert answer.status_code < 500 or answer.status_code in PLANNED, answer.text
    _has_the_envelope(answer)
    return answer


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


def test_who_may_gets_what_the_document_promises(
    served: tuple[Runtime, APIFlask], somebody: tuple[CredentialsFor, dict[str, str]]
) -> None:
    statuses: dict[str, set[int]] = {}

    def note(case: Case, answer: Response) -> None:
        statuses.setdefault(case.operation.label, set()).add(answer.status_code)
        assert answer.status_code != 401, case.operation.label

    credentials_for, there = somebody
    try_everything(served[1], credentials_for, there, note)
    assert {label for label, seen in statuses.items() if not seen & {200, 201}} == NEVER


def test_nobody_gets_in_with_anything(
    served: tuple[Runtime, APIFlask], somebody: tuple[CredentialsFor, dict[str, str]]
) -> None:
    def is_turned_away(case: Case, answer: Response) -> None:
        is_open = case.operation.path.startswith(("/health/", "/api/auth/login", "/api/auth/callback"))
        assert is_open or answer.status_code in (400, 401, 404, 405), answer.status_code

    try_everything(served[1], lambda _: {}, somebody[1], is_turned_away)


def test_what_is_made_by_one_request_is_what_the_next_ones_are_about(
    served: tuple[Runtime, APIFlask],
    somebody: tuple[CredentialsFor, dict[str, str]],
    ssh: SshServer,
    clock: ManualClock,
) -> None:
    """Routers and tokens made, looked at, changed and removed, in the order that the document's links allow."""
    credentials_for, _ = somebody
    # Each address is taken once. Behind the first ones are routers; behind the others nothing, which is no obstacle.
    hosted = [ssh.add(empty_router(clock)) for _ in range(3)]
    addresses = chain(((one.port, one.password) for one in hosted), ((port, "x") for port in count(1)))
    schema = schema_of(served[1]).include(path_regex=LINKED)
    followed: set[str] = set()

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Case) -> None:
            if isinstance(case.body, dict) and "host" in case.body:
                port, password = next(addresses)
                case.body |= {"host": "127.0.0.1", "port": port, "username": "root", "password": password}
                case.body.pop("privateKey", None)

        def call(self, case: Case, **_: object) -> Response:
            credentials = credentials_for(case.operation)
            return case.call(headers=credentials["headers"], cookies=credentials.get("cookies"))

        def validate_response(self, response: Response, case: Case, **_: object) -> None:
            assert response.status_code < 500 or response.status_code in PLANNED, response.text
            assert response.status_code != 401, case.operation.label
            case.validate_response(response, checks=PROMISES[:-1])  # bad data may well name what is there
            if response.status_code < 300 and {"router_id", "id"} & set(case.path_parameters or {}):
                followed.add(case.operation.label)

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=40 * SOAK,
            stateful_step_count=8,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert "DELETE /api/auth/tokens/{id}" in followed
    assert any("{router_id}" in label for label in followed)
