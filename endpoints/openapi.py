"""The OpenAPI document: APIFlask makes it from the schemas that validate; here it gets the envelope."""

from typing import Any

from apiflask import APIFlask

from endpoints.common_schemas import Failure, Metadata

_REFS = "#/components/schemas/{model}"

_INFO = {
    "description": (
        "Which device on the network uses how much, read from nlbwmon on OpenWrt routers. "
        "Bytes are exact integers, times ISO 8601 in UTC, dates days in the router's time zone."
    )
}


def register_openapi(app: APIFlask, *, has_sign_in: bool) -> None:
    """Serve the document at /openapi.json, every answer in it inside its envelope."""
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
        for path in spec["paths"].values():
            for operation in path.values():
                _wrap(operation["responses"])
        return spec


def _wrap(responses: dict[str, Any]) -> None:
    for answer in responses.values():
        if content := answer.get("content", {}).get("application/json"):  # a CSV download has no envelope
            content["schema"] = _in_envelope(content["schema"])
    failure = {"application/json": {"schema": {"$ref": _REFS.format(model=Failure.__name__)}}}
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
