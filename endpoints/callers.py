"""Who calls: the built-in user of the local mode, a browser that is signed in, or a program with a token."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from flask import current_app, g, request

from endpoints.app_services import app_services
from services.api_tokens import TokenScope
from services.audit import AuditAction
from utils.errors import CsrfFailed, InsufficientScope, Unauthenticated

#: Behind https the name says to browsers that no other host or path may set it.
COOKIE_NAME = "netpilot_session"
SECURE_COOKIE_NAME = f"__Host-{COOKIE_NAME}"

CSRF_HEADER = "X-CSRFToken"

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

#: Those that change nothing although they are no GET.
_READING = {"reports.generate_report"}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sent a request; ``session_id`` is the account."""

    session_id: str
    kind: Literal["local", "browser", "token"]
    #: Which of the account's browsers or tokens; empty in the local mode.
    id: str = ""
    may_write: bool = True
    csrf_token: str | None = field(default=None, repr=False)


def verify_session() -> None:
    """Before every request of an account: whose it is, and whether it may do that. Sets ``g.session_id``.

    Raises Unauthenticated, InsufficientScope, CsrfFailed.
    """
    if request.method == "OPTIONS":
        return  # a browser's preflight brings no credentials
    caller = find_caller()
    if request.method not in _SAFE_METHODS:
        if not caller.may_write and request.endpoint not in _READING:
            raise InsufficientScope
        brought = request.headers.get(CSRF_HEADER, "")
        if caller.csrf_token and not hmac.compare_digest(brought.encode(), caller.csrf_token.encode()):
            raise CsrfFailed
    g.caller, g.session_id = caller, caller.session_id


def find_caller() -> Caller:
    """By token, else by cookie; in the local mode, who brings no token is the built-in user. Raises Unauthenticated."""
    services = app_services()
    if header := request.headers.get("Authorization"):
        scheme, _, secret = header.partition(" ")
        token = services.tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Unauthenticated("The token is unknown, deleted or has run out.")
        may_write = token.scope == TokenScope.WRITE
        return Caller(session_id=token.session_id, kind="token", id=token.id, may_write=may_write)
    if services.local_session_id is not None:
        return Caller(session_id=services.local_session_id, kind="local")
    cookie = request.cookies.get(cookie_name())
    session = services.sessions.find(cookie) if cookie else None
    if cookie is None or session is None:
        raise Unauthenticated
    return Caller(session_id=session.session_id, kind="browser", id=session.id, csrf_token=_csrf_token(cookie))


def cookie_name() -> str:
    return SECURE_COOKIE_NAME if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE_NAME


def audit(action: AuditAction, subject: str) -> None:
    """Write down what the caller did."""
    caller: Caller = g.caller
    app_services().audit.record(caller.session_id, action, subject, actor=caller.id, address=request.remote_addr or "")


def _csrf_token(cookie: str) -> str:
    """Bound to this browser's sign-in: of use to nobody else, and gone with it."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, b"csrf " + cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
