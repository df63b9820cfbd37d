"""/api/auth/login and /callback: the way to an OpenID Connect provider and back."""

import re
from contextlib import suppress
from typing import cast

from apiflask import APIBlueprint
from flask import Flask, Response, current_app, redirect, request
from pydantic import Field
from werkzeug.urls import iri_to_uri

from endpoints.app_services import app_services
from endpoints.begun_sign_ins import keep_sign_in, take_sign_in
from endpoints.callers import cookie_name
from endpoints.common_schemas import In
from endpoints.identity_provider import IdentityProvider, NotBegunHere
from endpoints.rate_limits import rate_limits
from endpoints.refusals import log_refusal
from endpoints.requests_at_once import requests_at_once
from services.accounts.sessions import Browser
from services.audit import Doer
from utils.errors import AccountGone, NotFound, SignInRefused, ValidationFailed

sign_in = APIBlueprint("sign_in", __name__, url_prefix="/api/auth", tag="Sign-in")

_EXTENSION = "netpilot-oidc"

#: As an account of their own all who sign in at the same time: a provider that hangs must not hold every web thread.
_ALL_WHO_SIGN_IN = "sign-in"

_MOST_NEXT = 2_000

#: A path of this server: no other host, and nothing that a browser might read as one.
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")

#: Of OAuth 2 (RFC 6749, 4.1.2.1) and OpenID Connect: access_denied, login_required, … Others' words are not repeated.
_ERROR_CODE = re.compile("[a-z_]{1,40}")


def register_sign_in(app: Flask, *, client_id: str, client_secret: str, discovery_url: str, public_url: str) -> None:
    """Let people sign in at the provider that ``discovery_url`` describes."""
    app.extensions[_EXTENSION] = IdentityProvider(
        app,
        client_id=client_id,
        client_secret=client_secret,
        discovery_url=discovery_url,
        callback_url=f"{public_url}/api/auth/callback",
    )


class LoginQuery(In):
    next: str = Field(default="/", max_length=_MOST_NEXT, description="a path of this server to come back to")


@sign_in.get("/login")
@sign_in.input(LoginQuery, location="query", arg_name="query")
@sign_in.output({}, status_code=302, description="on to the provider")
def login(query: LoginQuery) -> Response:
    """On to the provider. A browser follows the redirect, and comes back to /api/auth/callback."""
    provider = _provider()
    path = iri_to_uri(query.next)  # as it is sent on in the end, and kept in a cookie until then
    if not _OWN_PATH.fullmatch(query.next) or len(path) > _MOST_NEXT:
        message = "must be a path of this server, such as /"
        raise ValidationFailed(f"next {message}.", details={"next": [message]})
    requests_at_once().enter(_ALL_WHO_SIGN_IN)
    url, begun = provider.begin(path)
    response = cast(Response, redirect(url))
    keep_sign_in(begun, response)
    return response


@sign_in.get("/callback")
@sign_in.output({}, status_code=302, description="on to where the browser wanted to go, signed in")
def callback() -> Response:
    """Where the provider sends people back to. Signs the browser in and goes on to where it wanted to go."""
    provider = _provider()
    begun = take_sign_in(request.args.get("state", ""))
    code, error = request.args.get("code"), request.args.get("error")
    if begun and error:
        reason = error if _ERROR_CODE.fullmatch(error) else "no reason told"
        raise SignInRefused(f"The sign-in provider did not sign you in ({reason}). Begin it again.")
    if begun is None or not code:  # begun in another browser, used before, or made up: all the same to who comes back
        log_refusal("no way back of a sign-in begun here")
        raise NotBegunHere
    requests_at_once().enter(_ALL_WHO_SIGN_IN)
    who = provider.identify(begun, code)
    services = app_services()
    user = services.accounts.sign_in(who)
    _sign_out_this_browser()
    browser = Browser(address=request.remote_addr or "", user_agent=request.headers.get("User-Agent", ""))
    secret = services.sessions.open(user.session_id, browser, email=user.email or "")
    rate_limits().count_guess(secret, was_good=True)  # it is heard even where a neighbour has guessed too often
    response = redirect(begun.next)
    response.set_cookie(
        cookie_name(),
        secret,
        max_age=int(current_app.permanent_session_lifetime.total_seconds()),
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return cast(Response, response)


def _provider() -> IdentityProvider:
    """Raises NotFound in the local mode."""
    if _EXTENSION not in current_app.extensions:
        raise NotFound("This server has no sign-in: it is only for this machine.")
    return cast(IdentityProvider, current_app.extensions[_EXTENSION])


def _sign_out_this_browser() -> None:
    """Whoever was signed in here before: a new sign-in never goes on in an old session."""
    services = app_services()
    if (cookie := request.cookies.get(cookie_name())) and (old := services.sessions.find(cookie)):
        by = Doer(actor=old.id, address=request.remote_addr or "")
        with suppress(NotFound, AccountGone):  # another tab ends it just now
            services.sessions.revoke(old.session_id, old.id, by=by)
