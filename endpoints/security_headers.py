"""What every answer tells browsers not to do with it."""

from flask import Flask, Response, request

#: No script and no style but from files of this server. Images of Swagger UI are in its style sheet.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
}

#: Where every way to the server is https, for a year. Of this name alone: others below it may not have https.
_HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


def register_security_headers(app: Flask, *, is_https: bool) -> None:
    """Add them to all answers. ``is_https``: browsers reach the server by https alone (PUBLIC_URL)."""
    headers = _HEADERS | (_HTTPS_HEADERS if is_https else {})

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        is_json = request.path.startswith("/api/") and response.mimetype == "application/json"
        if is_json or request.blueprint == "sign_in":
            response.headers.setdefault("Cache-Control", "no-store")
        return response
