"""An application with sign-in behind proxies, with a path that tells what it takes for the client, scheme and host."""

from collections.abc import Callable

from apiflask import APIFlask
from flask import request

from server import Runtime, create_app


def probed_app(
    make_runtime: Callable[..., Runtime], provider: str, *, public_url: str, trusted_proxies: int
) -> APIFlask:
    runtime = make_runtime(
        auth_mode="google",
        public_url=public_url,
        trusted_proxies=trusted_proxies,
        google_client_id="netpilot",
        google_client_secret="a secret of the provider's",
        oidc_discovery_url=provider,
        secret_key="kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
    )
    app = create_app(runtime)
    app.testing = False
    app.add_url_rule("/probe", view_func=lambda: [request.remote_addr, request.scheme, request.host])
    return app
