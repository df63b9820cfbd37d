"""The web application: endpoints over the services, and around them what every request passes through, in order."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from endpoints.answers import register_error_handlers
from endpoints.app_services import AppServices
from endpoints.cross_origin import register_cross_origin
from endpoints.middleware import MAX_BODY_BYTES, register_middleware, register_request_ids
from endpoints.openapi import register_openapi
from endpoints.rate_limits import register_rate_limits
from endpoints.requests_at_once import register_requests_at_once
from endpoints.resources import BLUEPRINTS
from endpoints.security_headers import register_security_headers
from endpoints.sign_in import register_sign_in
from utils.config import Config
from utils.networks import address_in

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def make_application(services: AppServices, config: Config) -> APIFlask:
    """The application that answers with ``services``."""
    app = APIFlask(
        "netpilot",
        title="NetPilot device usage",
        version="0.1.0",
        spec_path="/openapi.json",
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]  # Flask itself takes None
    )
    app.url_map.merge_slashes = False  # else //routers would be answered by a redirect to a page
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["VALIDATION_ERROR_STATUS_CODE"] = HTTPStatus.BAD_REQUEST
    register_openapi(app, has_sign_in=config.has_sign_in, is_https=config.is_https)
    services.attach_to(app.extensions)
    register_error_handlers(app)
    register_request_ids(app)
    _register_proxies(app, config.trusted_proxies, has_name=config.has_sign_in)
    register_rate_limits(
        app,
        storage_uri=config.ratelimit_storage_uri.get_secret_value(),
        is_enabled=config.ratelimit_enabled,
        is_local=not config.has_sign_in,
    )
    # In the local mode the one caller is who works on the machine.
    register_requests_at_once(app, is_limited=config.has_sign_in and config.ratelimit_enabled)
    register_security_headers(app, is_https=config.is_https)
    register_middleware(
        app,
        allowed_origins=frozenset(config.cors_origins),
        public_url=config.base_url if config.has_sign_in else None,
    )
    if config.cors_origins:
        register_cross_origin(app, config.cors_origins)
    _let_people_sign_in(app, config)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def _register_proxies(app: APIFlask, count: int, *, has_name: bool) -> None:
    """Believe what ``count`` proxies in front say of the client, and nothing of what it says of itself.

    Each adds the address it was asked from to X-Forwarded-For, so the client's own is the ``count``-th from the right.
    The other two each proxy writes anew: only the nearest one's word is there. Without a name of its own the server
    goes by the Host header alone: it is what keeps other sites out, and their scripts can write any other header.
    """
    if count:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            _only_addresses(app.wsgi_app), x_for=count, x_proto=1, x_host=int(has_name)
        )


def _only_addresses(application: "WSGIApplication") -> "WSGIApplication":
    """What a proxy calls the client without its port, or each of its connections would count for itself; where it names
    no address, the proxy's own: else whoever gets past it would be anything that he writes, of any length.
    """

    def handle(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        proxy = environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"]
        environ["REMOTE_ADDR"] = address_in(environ["REMOTE_ADDR"]) or proxy
        return application(environ, start_response)

    return handle


def _let_people_sign_in(app: APIFlask, config: Config) -> None:
    """Cookies and the provider. In the local mode nobody signs in."""
    app.config.update(
        SESSION_COOKIE_SECURE=config.is_https,
        PERMANENT_SESSION_LIFETIME=timedelta(days=config.session_max_days),
    )
    if config.has_sign_in and config.secret_key and config.google_client_secret:
        app.secret_key = config.secret_key.get_secret_value()
        register_sign_in(
            app,
            client_id=config.google_client_id or "",
            client_secret=config.google_client_secret.get_secret_value(),
            discovery_url=config.oidc_discovery_url,
            public_url=config.base_url,
        )
