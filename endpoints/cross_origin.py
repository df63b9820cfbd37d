"""Pages of other sites that may call the API (CORS_ORIGINS). Those of all others are not answered."""

import re
from collections.abc import Sequence

from flask import Flask, Response, request
from flask_cors import CORS

from endpoints.callers import CSRF_HEADER

#: What a page may send beyond what every page may.
_REQUEST_HEADERS = ["Authorization", "Content-Type", CSRF_HEADER, "X-Request-Id", "X-Router-Id"]

#: What its script may see beyond the usual.
_RESPONSE_HEADERS = ["Content-Disposition", "Retry-After", "X-Request-Id"]

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]

#: How long a browser need not ask again whether it may, in seconds.
_PREFLIGHT_HOLDS_S = 600


def register_cross_origin(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of ``origins`` call /api, with the browser's cookie too; each is compared as a whole."""

    @app.after_request
    def vary_by_origin(response: Response) -> Response:
        """Also where none was sent or it isn't listed: a cache must not hand that answer to a page that is."""
        if request.path.startswith("/api/"):
            response.vary.add("Origin")
        return response

    CORS(
        app,
        resources=r"/api/.*",
        # As patterns: flask-cors takes a text for one where it has a bracket, such as http://[::1]:3000.
        origins=[re.compile(re.escape(origin) + r"\Z") for origin in origins],
        methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_RESPONSE_HEADERS,
        supports_credentials=True,
        max_age=_PREFLIGHT_HOLDS_S,
        always_send=False,  # else who sends no Origin is told them all
        vary_header=False,
    )
