"""From a service's answer to an HTTP response: the envelope around it, the exceptions into it."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, current_app, g, request
from pydantic import BaseModel
from pydantic_core import to_json
from werkzeug.exceptions import HTTPException

from endpoints.common_schemas import RouterFreshness, Warned
from endpoints.refusals import RefusalLog, route
from services.routers.freshness import Freshness
from utils.errors import (
    DatabaseUnavailable,
    MethodNotAllowed,
    NetPilotError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthenticated,
    ValidationFailed,
)
from utils.responses import error_body, success_body

logger = logging.getLogger(__name__)

_JSON = "application/json"

#: What Flask raises by itself -> our error of the same status.
_BY_STATUS: dict[int, type[NetPilotError]] = {
    error.status: error for error in (ValidationFailed, NotFound, MethodNotAllowed, PayloadTooLarge)
}

#: Where APIFlask says a bad value was -> nothing to add: the field's name is enough.
_LOCATIONS = ("query", "json", "path")


def answer(
    data: BaseModel,
    *,
    status: int = 200,
    pagination: Mapping[str, int] | None = None,
    freshness: Freshness | None = None,
) -> Response:
    """The success envelope around ``data``; ``freshness`` where the request itself found out more than was stored."""
    body = success_body(
        data,
        request_id=g.request_id,
        router_id=g.get("router_id"),
        router=_router_view(freshness or g.get("freshness")),
        pagination=pagination,
    )
    return current_app.response_class(to_json(body, by_alias=True), status=status, mimetype=_JSON)


def _router_view(freshness: Freshness | None) -> RouterFreshness | None:
    if freshness is None:
        return None
    warning = freshness.warning
    return RouterFreshness(
        last_reading_at=freshness.last_reading_at,
        stale=freshness.is_stale,
        warning=Warned(code=warning.code, message=warning.message) if warning else None,
    )


def failure(error: NetPilotError, headers: Mapping[str, str] | None = None) -> Response:
    """The failure envelope of ``error``."""
    body = error_body(error.code, error.message, request_id=g.request_id, details=error.details)
    response = current_app.response_class(to_json(body), status=error.status, mimetype=_JSON)
    response.headers.extend(headers or {})
    return response


def register_error_handlers(app: APIFlask) -> None:
    """Turn every exception into the failure envelope, those that Flask raises by itself too."""
    refusals = RefusalLog()

    @app.error_processor
    def from_apiflask(error: HTTPError) -> Response:
        # Reached for bad parameters and bodies; detail is {location: {field: [what is wrong]}}.
        details: dict[str, Any] = {}
        for location, fields in error.detail.items() if isinstance(error.detail, dict) else ():
            details |= fields if location in _LOCATIONS and isinstance(fields, dict) else {location: fields}
        if "_schema" in details:  # about the body as a whole
            details["body"] = details.pop("_schema")
        return failure(ValidationFailed(_name_fields(details), details=_plain(details)))

    @app.errorhandler(NetPilotError)
    def from_service(error: NetPilotError) -> Response:
        refusals.note(error)
        if isinstance(error, DatabaseUnavailable):
            logger.warning("%s: %s", route(), error.message)
        elif error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("%s: %s", route(), error.message)
        if isinstance(error, RateLimited):
            return failure(error, {"Retry-After": str(error.retry_after_s)})
        return failure(error, {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None)

    @app.errorhandler(HTTPException)
    def from_flask(error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.code or 500)
        if kind is ValidationFailed:
            wrong = "is not valid JSON" if request.content_length else "is missing"
            return failure(ValidationFailed(f"The request's body {wrong}.", details={"body": [wrong]}))
        allow = dict(error.get_headers()).get("Allow")
        if kind is not None:
            return failure(kind(), {"Allow": allow} if allow else None)
        if error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return failure(ValidationFailed(error.description))
        return failure(NetPilotError())

    @app.errorhandler(RecursionError)
    def from_nesting(error: RecursionError) -> Response:
        # Only a body can be nested this deep; json.loads gives up on it.
        logger.info("%s: %s", route(), error)
        return failure(ValidationFailed("The request's body is nested far too deep.", details={"body": ["too deep"]}))

    @app.errorhandler(Exception)
    def from_anything(error: Exception) -> Response:
        logger.exception("%s failed", route(), exc_info=error)
        return failure(NetPilotError())


def _name_fields(details: Mapping[str, Any]) -> str:
    names = ", ".join(sorted(details))
    return f"The request has a value that can't be used: {names}." if names else "The request can't be used."


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    """pydantic's messages in words for people."""
    return {
        name: [_in_words(str(message)) for message in messages] if isinstance(messages, list) else messages
        for name, messages in details.items()
    }


def _in_words(message: str) -> str:
    if message.startswith("Input should be a valid dictionary"):
        return "must be a JSON object"
    return _PLAIN.get(message, message.removeprefix("Value error, "))


_PLAIN = {
    "Extra inputs are not permitted": "is not known here",
    "Field required": "is missing",
}
