"""The OpenAPI document: valid, complete, and true of what the server answers."""

import re
from typing import Any

import pytest
from apiflask import APIFlask

from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE, TV, Api

BASE = "/api/device-usage"

#: Nobody signs in to the local mode, so there is nothing that these could succeed with: see accounts/.
ONLY_WITH_SIGN_IN = {
    ("/api/auth/login", "GET"),
    ("/api/auth/callback", "GET"),
    ("/api/auth/logout", "POST"),
    ("/api/auth/sessions/{id}", "DELETE"),
    ("/api/auth/tokens/{id}", "DELETE"),
    ("/api/auth/account", "DELETE"),
}


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    return response.get_json()


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.validate(document)


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_id(document: dict[str, Any]) -> None:
    for reference in re.findall(r"'\$ref': '([^']+)'", str(document)):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation.get("operationId") for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_every_route_is_in_it_and_nothing_else(app: APIFlask, document: dict[str, Any]) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/health")) and not rule.rule.startswith("/api/docs")
    }
    told = {(path, method.upper()) for path, operations in document["paths"].items() for method in operations}
    assert told == served


def test_every_parameter_of_a_path_is_declared(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path)), path


def test_what_is_declared_as_a_query_parameter_is_taken(api: Api, document: dict[str, Any], context: Any) -> None:
    for path, operations in document["paths"].items():
        if "get" not in operations or "{" in path:
            continue
        names = [one["name"] for one in operations["get"].get("parameters", []) if one["in"] == "query"]
        for name in names:
            response = api.client.get(path, query_string={name: "\x01"})
            details = (response.get_json().get("error") or {}).get("details") or {}
            assert "is not known here" not in str(details), (path, name)


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """Whether ``value`` has exactly the keys that ``schema`` declares, all the way down, and the right types."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one.get("type") != "null"]
        assert value is not None or len(others) < len(schema["anyOf"]), f"{where} may not be null"
        if value is not None:
            check(document, others[0], value, where)
    elif "allOf" in schema:
        check(document, schema["allOf"][0], value, where)
    elif schema.get("type") == "object" and "properties" in schema:
        declared = schema["properties"]
        assert set(value) <= set(declared), f"{where} has {set(value) - set(declared)} undeclared"
        assert set(schema.get("required", [])) <= set(value), f"{where} lacks {set(schema['required']) - set(value)}"
        if not where.endswith("metadata"):
            assert set(value) == set(declared), f"{where} lacks {set(declared) - set(value)}"
        for name, part in value.items():
            check(document, declared[name], part, f"{where}.{name}")
    elif schema.get("type") == "array":
        for number, part in enumerate(value):
            check(document, schema["items"], part, f"{where}[{number}]")
    elif "enum" in schema:
        assert value in schema["enum"], where
    elif "type" in schema:
        kinds = {"string": str, "integer": int, "boolean": bool, "number": (int, float), "object": dict}
        assert isinstance(value, kinds[schema["type"]]), f"{where} is {value!r}"


def test_every_answer_has_exactly_the_keys_that_are_declared(
    api: Api,
    document: dict[str, Any],
    context: RouterContext,
    router: SimulatedRouter,
    hosted: HostedRouter,
    clock: ManualClock,
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.add_host(TV, "192.168.1.3", "phone")
    for step in range(2):
        router.traffic(PHONE, rx=10 + step, tx=20)
        clock.set(clock.now().replace(minute=5 * (step + 1)))
        api.data(f"{BASE}/refresh", "POST")
    one = f"/api/routers/{context.router_id}"
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()
    api.error(f"{BASE}/refresh", "POST")
    shown = {"fingerprint": api.data(one)["presentedHostKeyFingerprint"]}
    other = {"name": "x", "host": "127.0.0.1", "port": 1, "password": "p"}
    calls: list[tuple[str, str, str, dict[str, Any]]] = [
        ("/api/routers/{router_id}/host-key", "POST", f"{one}/host-key", {"json": shown}),
        *[
            (f"{BASE}/{name}", "GET", f"{BASE}/{name}", {})
            for name in ("devices", "history", "summary", "status", "events")
        ],
        *[
            (f"{BASE}/device/{{mac}}/{name}", "GET", f"{BASE}/device/{PHONE}/{name}", {})
            for name in ("info", "current", "history", "protocols")
        ],
        (f"{BASE}/current", "GET", f"{BASE}/current", {}),
        (f"{BASE}/periods", "GET", f"{BASE}/periods", {}),
        (f"{BASE}/people", "GET", f"{BASE}/people", {}),
        (f"{BASE}/devices/merge-suggestions", "GET", f"{BASE}/devices/merge-suggestions", {}),
        (f"{BASE}/device/{{mac}}", "PUT", f"{BASE}/device/{PHONE}", {"json": {"name": "x"}}),
        (f"{BASE}/device/{{mac}}/merge", "POST", f"{BASE}/device/{TV}/merge", {"json": {"into": PHONE}}),
        (f"{BASE}/device/{{mac}}/merge", "DELETE", f"{BASE}/device/{TV}/merge", {}),
        (f"{BASE}/device/{{mac}}", "DELETE", f"{BASE}/device/{TV}", {}),
        (f"{BASE}/protocols", "GET", f"{BASE}/protocols", {}),
        (f"{BASE}/refresh", "POST", f"{BASE}/refresh", {}),
        *[
            (f"{BASE}/{name}", "GET", f"{BASE}/{name}", {})
            for name in ("analytics/trends", "analytics/anomalies", "analytics/compare", "export/json")
        ],
        (f"{BASE}/report/generate", "POST", f"{BASE}/report/generate", {"json": {"period": "day"}}),
        ("/api/routers", "GET", "/api/routers", {}),
        ("/api/routers/{router_id}", "GET", one, {}),
        ("/api/routers/{router_id}", "PUT", one, {"json": {"name": "y"}}),
        ("/api/routers/{router_id}/test", "POST", f"{one}/test", {}),
        *[(f"/api/auth/{name}", "GET", f"/api/auth/{name}", {}) for name in ("me", "sessions", "tokens", "audit")],
        ("/api/auth/tokens", "POST", "/api/auth/tokens", {"json": {"name": "x"}}),
        ("/api/auth/sessions", "DELETE", "/api/auth/sessions", {}),
        ("/health/live", "GET", "/health/live", {}),
        ("/health/ready", "GET", "/health/ready", {}),
        ("/api/routers", "POST", "/api/routers", {"json": other}),
        ("/api/routers/{router_id}", "DELETE", one, {}),
    ]
    told = {(path, method.upper()) for path, operations in document["paths"].items() for method in operations}
    told -= {(f"{BASE}/export/csv", "GET")}  # no JSON: see test_export_endpoints.py
    told -= ONLY_WITH_SIGN_IN
    assert {(path, method) for path, method, _, _ in calls} == told, "a new endpoint: add a call of it here"
    for path, method, url, options in calls:
        clock.set(clock.now().replace(minute=clock.now().minute + 1))
        status = 201 if method == "POST" and path in ("/api/routers", "/api/auth/tokens") else 200
        operation = document["paths"][path][method.lower()]
        declared = operation["responses"][str(status)]["content"]["application/json"]["schema"]
        check(document, declared, api.body(url, method, status=status, **options), f"{method} {path}")
    failure = api.client.get("/api/routers?page=0").get_json()
    assert document["paths"]["/api/routers"]["get"]["responses"]["4XX"]
    check(document, {"$ref": "#/components/schemas/Failure"}, {**failure, "error": failure["error"]}, "failure")


def test_every_operation_says_how_one_shows_who_one_is(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["browser"]["name"], schemes["csrf"]["name"]) == ("netpilot_session", "X-CSRFToken")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = path.startswith("/health/") or path in ("/api/auth/login", "/api/auth/callback")
            is_for_browsers = path.startswith("/api/auth/") and path != "/api/auth/me"
            ways = [{}] if is_for_browsers else [{}, {"token": []}]
            assert operation["security"] == ([] if is_open else ways), path
