"""/api/auth/login and /callback: the way to an OpenID Connect provider and back."""

import logging
import re
import unicodedata
from typing import Any, cast

import requests
from apiflask import APIBlueprint
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, current_app, redirect, request, session
from joserfc.errors import JoseError
from pydantic import Field

from endpoints.app_services import app_services
from endpoints.callers import cookie_name
from endpoints.common_schemas import In
from endpoints.rate_limits import rate_limits
from endpoints.refusals import log_refusal
from services.accounts import Identity
from services.audit import Doer
from services.sessions import Browser
from utils.errors import NotFound, SignInUnavailable, ValidationFailed

logger = logging.getLogger(__name__)

sign_in = APIBlueprint("sign_in", __name__, url_prefix="/api/auth", tag="Sign-in")

_PROVIDER = "oidc"
_EXTENSION = "netpilot-oidc"
_NEXT = "next"
_PROVIDER_TIMEOUT_S = 10

#: Characters of what identifies somebody, and of his e-mail address (RFC 5321: 64 and 255 around the @).
_MOST_NAME, _MOST_EMAIL = 255, 320

#: A path of this server: no other host, and nothing that a browser might read as one.
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def register_sign_in(app: Flask, *, client_id: str, client_secret: str, discovery_url: str, public_url: str) -> None:
    """Let people sign in at the provider that ``discovery_url`` describes; it is asked at the first sign-in."""
    oauth = OAuth(app)
    oauth.register(
        _PROVIDER,
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=discovery_url,
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "timeout": _PROVIDER_TIMEOUT_S,
        },
    )
    app.extensions[_EXTENSION] = (getattr(oauth, _PROVIDER), f"{public_url}/api/auth/callback")


class LoginQuery(In):
    next: str = Field(default="/", max_length=2_000, description="a path of this server to come back to")


@sign_in.get("/login")
@sign_in.input(LoginQuery, location="query", arg_name="query")
@sign_in.output({}, status_code=302, description="on to the provider")
def login(query: LoginQuery) -> Response:
    """On to the provider. A browser follows the redirect, and comes back to /api/auth/callback."""
    provider, callback_url = _provider()
    if not _OWN_PATH.fullmatch(query.next):
        message = "must be a path of this server, such as /"
        raise ValidationFailed(f"next {message}.", details={_NEXT: [message]})
    session.clear()  # of a sign-in that was begun and given up
    try:
        response = provider.authorize_redirect(callback_url)
    except (AuthlibBaseError, requests.RequestException, RuntimeError, ValueError, KeyError) as error:
        logger.warning("the sign-in provider can't be asked: %s", type(error).__name__)
        raise SignInUnavailable from None
    session[_NEXT] = query.next
    return cast(Response, response)


@sign_in.get("/callback")
@sign_in.output({}, status_code=302, description="on to where the browser wanted to go, signed in")
def callback() -> Response:
    """Where the provider sends people back to. Signs the browser in and goes on to where it wanted to go."""
    provider, _ = _provider()
    path = session.get(_NEXT, "/")
    try:
        claims = _claims(provider)
    finally:
        session.clear()  # each way to the provider is good for one return, however it ended
    services = app_services()
    user = services.accounts.sign_in(claims)
    _sign_out_this_browser()
    browser = Browser(address=request.remote_addr or "", user_agent=request.headers.get("User-Agent", ""))
    secret = services.sessions.open(user.session_id, browser, email=user.email or "")
    rate_limits().count_guess(secret, was_good=True)  # it is heard even where a neighbour has guessed too often
    response = redirect(path)
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


def _provider() -> tuple[Any, str]:
    """The provider's client, and where it sends people back to. Raises NotFound in the local mode."""
    if _EXTENSION not in current_app.extensions:
        raise NotFound("This server has no sign-in: it is only for this machine.")
    return cast(tuple[Any, str], current_app.extensions[_EXTENSION])


def _claims(provider: Any) -> Identity:
    """What the provider says of who comes back. Raises ValidationFailed, SignInUnavailable."""
    try:
        token = provider.authorize_access_token()
        if not provider.load_server_metadata().get("issuer"):
            raise RuntimeError("the issuer of the token was not compared with anything")
    except (requests.RequestException, RuntimeError) as error:  # the latter: it leaves out what it has to say
        logger.warning("the sign-in provider does not answer as it should: %s", type(error).__name__)
        raise SignInUnavailable from None
    except (AuthlibBaseError, JoseError, ValueError, KeyError) as error:
        # Begun in another browser, used before, refused, or made up: all the same to who comes back.
        log_refusal(f"no way back of a sign-in begun here: {type(error).__name__}")
        raise ValidationFailed("This sign-in is not one that was begun here just now. Begin it again.") from None
    claims = token.get("userinfo") or {}
    issuer, subject, email, name = (_text(claims.get(claim)) for claim in ("iss", "sub", "email", "name"))
    email = email.strip().lower()
    if not issuer or not subject or max(len(issuer), len(subject)) > _MOST_NAME or not _is_line(issuer + subject):
        log_refusal("the provider does not say who it is")
        raise ValidationFailed("The sign-in provider does not say who you are.")
    if len(email) > _MOST_EMAIL or not _is_line(email):
        log_refusal("the provider tells an e-mail address that can't be one")
        raise ValidationFailed("What the sign-in provider says is your e-mail address can't be one.")
    return Identity(
        issuer=issuer,
        subject=subject,
        email=email,
        is_email_verified=claims.get("email_verified") in (True, "true"),
        name=name.encode(errors="replace").decode(),
    )


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""


def _is_line(text: str) -> bool:
    """Whether all of it can be stored and shown: NUL and halves of characters can not."""
    return all(unicodedata.category(character) not in ("Cc", "Cs") for character in text)


def _sign_out_this_browser() -> None:
    """Whoever was signed in here before: a new sign-in never goes on in an old session."""
    services = app_services()
    if (cookie := request.cookies.get(cookie_name())) and (old := services.sessions.find(cookie)):
        services.sessions.revoke(old.session_id, old.id, by=Doer(actor=old.id, address=request.remote_addr or ""))
