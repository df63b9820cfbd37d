"""The OpenAPI document: APIFlask makes it from the schemas that validate; here it gets the envelope."""

from typing import Any

from apiflask import APIFlask

from endpoints.callers import COOKIE_NAME, CSRF_HEADER, SECURE_COOKIE_NAME
from endpoints.common_schemas import MAC_PATTERN, Failure, Metadata

_REFS = "#/components/schemas/{model}"

_INFO = {
    "description": (
        "Which device on the network uses how much, read from nlbwmon on OpenWrt routers. "
        "Bytes are exact integers, times ISO 8601 in UTC, dates days in the router's time zone."
    )
}

_TOKEN, _BROWSER, _CSRF = "token", "browser", "csrf"

#: Whoever calls these has not signed in yet, or is a program that watches the server.
_OPEN = ("/health/", "/api/auth/login", "/api/auth/callback")

#: Where something is made, and what other operations call its id.
_MADE = {"/api/routers": ("router_id", "routerId"), "/api/auth/tokens": ("id",)}

#: What is about the account itself is for browsers alone, but for this one.
_ACCOUNT, _ME = "/api/auth/", "/api/auth/me"


def register_openapi(app: APIFlask, *, has_sign_in: bool, is_https: bool) -> None:
    """Serve the document at /openapi.json, every answer in it inside its envelope.

    ``has_sign_in``: whether one has to say who one is. ``is_https``: decides on the cookie's name.
    """
    app.config.update(
        AUTO_SERVERS=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        INFO=_INFO,
    )

    @app.spec_processor
    def add_envelope(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        if isinstance(spec, str):
            return spec  # YAML is not served
        schemas = spec.setdefault("components", {}).setdefault("schemas", {})
        for model in (Metadata, Failure):
            schema = model.model_json_schema(ref_template=_REFS)
            schemas |= schema.pop("$defs", {})
            schemas[model.__name__] = schema
        spec["components"]["securitySchemes"] = _security_schemes(SECURE_COOKIE_NAME if is_https else COOKIE_NAME)
        spec["tags"] = list({tag["name"]: tag for tag in spec["tags"]}.values())  # two blueprints may share one
        for path, operations in spec["paths"].items():
            for method, operation in operations.items():
                _wrap(operation["responses"])
                _complete(operation)
                if path.startswith(_OPEN):
                    operation["security"] = []
                else:
                    for_programs = not path.startswith(_ACCOUNT) or path == _ME
                    operation["security"] = _ways_in(
                        writes=method != "get", has_sign_in=has_sign_in, for_programs=for_programs
                    )
        _link(spec["paths"])
        return spec


def _complete(operation: dict[str, Any]) -> None:
    """What APIFlask can't know: a body that is taken has to be there, and what a MAC in a path looks like."""
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    for parameter in operation["parameters"]:
        if (parameter["in"], parameter["name"]) == ("path", "mac"):
            parameter["schema"]["pattern"] = MAC_PATTERN


def _link(paths: dict[str, Any]) -> None:
    """Say of what is made where its id is asked for."""
    for made_at, names in _MADE.items():
        paths[made_at]["post"]["responses"]["201"]["links"] = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {f"{parameter['in']}.{parameter['name']}": "$response.body#/data/id"},
            }
            for path, operations in paths.items()
            for operation in operations.values()
            for parameter in operation["parameters"]
            if parameter["name"] in names and (parameter["in"] == "query" or path.startswith(made_at))
        }


def _security_schemes(cookie: str) -> dict[str, Any]:
    return {
        _TOKEN: {"type": "http", "scheme": "bearer", "description": "A token of POST /api/auth/tokens."},
        _BROWSER: {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "A browser that was signed in by way of GET /api/auth/login.",
        },
        _CSRF: {
            "type": "apiKey",
            "in": "header",
            "name": CSRF_HEADER,
            "description": "csrfToken of GET /api/auth/me; browsers send it with every write.",
        },
    }


def _ways_in(*, writes: bool, has_sign_in: bool, for_programs: bool) -> list[dict[str, list[str]]]:
    """Any one of them does. Without sign-in a token is taken as well, but need not be there."""
    tokens: list[dict[str, list[str]]] = [{_TOKEN: []}] if for_programs else []
    if not has_sign_in:
        return [{}, *tokens]
    return [*tokens, {_BROWSER: [], _CSRF: []} if writes else {_BROWSER: []}]


def _wrap(responses: dict[str, Any]) -> None:
    for status, answer in responses.items():
        if status.startswith("3"):
            answer["headers"] = {"Location": {"schema": {"type": "string"}}}
            del answer["content"]
        elif content := answer.get("content", {}).get("application/json"):  # a CSV download has no envelope
            content["schema"] = _in_envelope(content["schema"])
    failure = {"application/json": {"schema": {"$ref": _REFS.format(model=Failure.__name__)}}}
    responses["429"] = {
        "description": "Too many requests.",
        "headers": {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}},
        "content": failure,
    }
    responses["4XX"] = {"description": "The request can't be served as it is.", "content": failure}
    responses["5XX"] = {"description": "The router, the database or the server failed.", "content": failure}


def _in_envelope(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "data", "metadata"],
        "properties": {
            "success": {"type": "boolean", "const": True},
            "data": data,
            "metadata": {"$ref": _REFS.format(model=Metadata.__name__)},
        },
    }
