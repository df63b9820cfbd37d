"""/api/docs: the OpenAPI document in Swagger UI, whose files come with a package: no CDN, it works offline."""

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

docs = Blueprint("docs", __name__)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>NetPilot device usage: API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/api/docs/assets/css/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/api/docs/assets/js/swagger-ui-bundle.js"></script>
  <script src="/api/docs/start.js"></script>
</body>
</html>
"""

#: A file of its own, so that the page needs no inline script and the content security policy can forbid it.
_START = """SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true });
"""


def _assets() -> Path:
    package = find_spec("flask_openapi3_swagger")
    if package is None or package.origin is None:
        raise RuntimeError("flask-openapi3-swagger is not installed; run: pip install -r requirements.txt")
    return Path(package.origin).parent / "templates" / "swagger"


@docs.get("/")
def show_start() -> BaseResponse:
    """The way in for people."""
    return redirect("/api/docs")


@docs.get("/api/docs")
def show_docs() -> Response:
    return Response(_PAGE, mimetype="text/html")


@docs.get("/api/docs/start.js")
def send_start_script() -> Response:
    return Response(_START, mimetype="text/javascript")


@docs.get("/api/docs/assets/<path:name>")
def send_asset(name: str) -> Response:
    return send_from_directory(_assets(), name, max_age=86_400)
