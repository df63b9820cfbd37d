"""/api/docs: the OpenAPI document in Swagger UI, whose files come with a package: no CDN, it works offline."""

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse
from werkzeug.wsgi import wrap_file

from utils.errors import NotFound

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

#: A file of its own, so that the page needs no inline script and the content security policy can forbid it. What is
#: tried out there is sent with the CSRF token of whoever is signed in.
_START = """async function addCsrfToken(request) {
  if (!["GET", "HEAD"].includes((request.method || "GET").toUpperCase())) {
    const me = await (await fetch("/api/auth/me")).json();
    if (me.data?.csrfToken) request.headers["X-CSRFToken"] = me.data.csrfToken;
  }
  return request;
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  requestInterceptor: addCsrfToken,
});
"""


@dataclass(frozen=True)
class _Asset:
    content: bytes
    digest: str


@cache
def _assets() -> dict[str, _Asset]:
    """The package's files by the path below its directory; 2 MB.

    From memory: whoever asks for one and reads it slowly, which anybody may, would keep a file open, and of those a
    process has few.
    """
    package = find_spec("flask_openapi3_swagger")
    if package is None or package.origin is None:
        raise RuntimeError("flask-openapi3-swagger is not installed; run: pip install -r requirements.txt")
    directory = Path(package.origin).parent / "templates" / "swagger"
    contents = {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.*")}
    return {name: _Asset(content, hashlib.sha256(content).hexdigest()) for name, content in contents.items()}


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
    asset = _assets().get(name)
    if asset is None:
        raise NotFound
    # A BytesIO shares the bytes that it reads; Flask's send_file would have each answer copy them.
    body = wrap_file(request.environ, BytesIO(asset.content))
    response = Response(body, mimetype=mimetypes.guess_type(name)[0], direct_passthrough=True)
    response.content_length = len(asset.content)
    response.cache_control.max_age = 86_400
    response.set_etag(asset.digest)
    response.make_conditional(request)
    return response
