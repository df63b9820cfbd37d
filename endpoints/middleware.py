"""What every request passes through: its id, whose it is, which router it means, and what keeps strangers out.

Sets ``g.request_id``, ``g.session_id`` and ``g.router_id``; endpoints pass the last two on as a RouterContext. And
``g.freshness``, which every answer about the chosen router says.
"""

import re
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from endpoints.app_services import app_services
from utils.config import is_loopback
from utils.errors import NotFound, PayloadTooLarge, RequestRefused, ValidationFailed

#: Bodies are small JSON documents; a router's private key is the largest thing in one.
MAX_BODY_BYTES = 256 * 1024

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def register_request_ids(app: Flask) -> None:
    """Give every request an id, first of all: what refuses one says it too."""

    @app.before_request
    def give_it_an_id() -> None:
        """A caller may bring its own, to find the request in both logs."""
        brought = request.headers.get("X-Request-Id", "")
        g.request_id = brought if _REQUEST_ID.fullmatch(brought) else secrets.token_hex(8)

    @app.after_request
    def tell_its_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        return response


def register_middleware(app: Flask, *, allowed_origins: frozenset[str], public_url: str | None) -> None:
    """``allowed_origins``: pages of which other sites may call, exact (CORS_ORIGINS). ``public_url``: where the server
    is reached, besides by the names of its own machine; None in the local mode.
    """
    own_host = urlsplit(public_url).hostname if public_url else None

    @app.before_request
    def refuse_foreign_hosts() -> None:
        """A name that somebody else points at this machine must not get in: the local mode has no sign-in."""
        host = _host_of_request()
        if host != own_host and not is_loopback(host):
            raise NotFound(
                f"This server answers only to {own_host} (PUBLIC_URL)."
                if own_host
                else "Without sign-in this server answers only to names of its own machine, such as localhost."
            )

    @app.before_request
    def refuse_writes_from_other_sites() -> None:
        origin = request.headers.get("Origin")
        if request.method in _SAFE_METHODS or origin is None or origin in allowed_origins:
            return
        # A proxy in front may have another name for the server and another scheme than the browser; PUBLIC_URL is what
        # the browser has. Only on this machine it is whatever the browser calls it.
        is_ours = origin == public_url or (
            is_loopback(_host_of_request()) and origin == f"{request.scheme}://{request.host}"
        )
        if not is_ours:
            raise RequestRefused

    @app.before_request
    def refuse_large_bodies() -> None:
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise PayloadTooLarge(f"The request's body may have at most {MAX_BODY_BYTES // 1024} KiB.")

    @app.before_request
    def refuse_other_bodies() -> None:
        """JSON has to say that it is: a form of another site can send text, but not that header."""
        if request.content_length and not request.is_json:
            message = "Send the body with Content-Type: application/json."
            raise ValidationFailed(message, details={"body": [message]})

    @app.before_request
    def refuse_bodies_that_nobody_reads() -> None:
        """Where APIFlask's schemas take a body, they check all but null, which they take for an empty object."""
        if request.endpoint is None:
            return  # nothing at this address, which is said later
        body = b"".join(request.get_data().split())
        if "body" in getattr(app.view_functions[request.endpoint], "_spec", {}):
            wrong = "must be a JSON object" if body == b"null" else None
        else:
            wrong = "must be empty here" if body not in (b"", b"{}") else None
        if wrong:
            raise ValidationFailed(f"The request's body {wrong}.", details={"body": [wrong]})

    @app.before_request
    def refuse_repeated_parameters() -> None:
        repeated = [name for name, values in request.args.lists() if len(values) > 1]
        if repeated and request.endpoint is not None:
            message = f"The request has a parameter more than once: {', '.join(repeated)}."
            raise ValidationFailed(message, details={name: ["is given more than once"] for name in repeated})


def _host_of_request() -> str:
    """The name it was sent to, in lower case and without a port."""
    return urlsplit(f"//{request.host}").hostname or ""


def choose_router() -> None:
    """Which of the account's routers the request means. Raises RouterRequired, RouterNotFound."""
    if request.method == "OPTIONS":
        return  # a browser's preflight asks what is allowed, before it says for which router
    named = request.args.get("routerId") or request.headers.get("X-Router-Id") or None
    router = app_services().routers.choose(g.session_id, named)
    g.router_id = router.id
    g.freshness = app_services().routers.freshness_of(router)
