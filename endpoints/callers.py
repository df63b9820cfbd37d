"""Who calls: the built-in user of the local mode, a browser that is signed in, or a program with a token."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from flask import current_app, g, request

from endpoints.app_services import app_services
from endpoints.rate_limits import rate_limits
from endpoints.requests_at_once import requests_at_once
from services.accounts.api_tokens import TokenScope
from services.audit import AuditAction, Doer
from utils.errors import CredentialsRefused, CsrfFailed, InsufficientScope, SignedInTooLongAgo, Unauthenticated

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
    #: Of a browser, a short while ago; who needs no sign-in always has.
    has_just_signed_in: bool = True


def verify_session() -> None:
    """Before every request of an account: whose it is, and whether it may do that. Sets ``g.session_id``.

    Raises Unauthenticated, RateLimited, InsufficientScope, CsrfFailed.
    """
    if request.method == "OPTIONS":
        return  # a browser's preflight brings no credentials
    caller = find_caller()
    rate_limits().spend_for_account(caller.session_id)
    requests_at_once().enter(caller.session_id)
    if request.method not in _SAFE_METHODS:
        if not caller.may_write and request.endpoint not in _READING:
            raise InsufficientScope
        brought = request.headers.get(CSRF_HEADER, "")
        if caller.csrf_token and not hmac.compare_digest(brought.encode(), caller.csrf_token.encode()):
            raise CsrfFailed
    g.caller, g.session_id = caller, caller.session_id


def find_caller() -> Caller:
    """By token, else by cookie; in the local mode, who brings no token is the built-in user.

    Raises Unauthenticated; RateLimited where an address has brought too much that is neither.
    """
    services = app_services()
    if header := request.headers.get("Authorization"):
        scheme, _, text = header.partition(" ")
        secret, find = text.strip() if scheme.lower() == "bearer" else "", _by_token
    elif services.local_session_id is not None:
        return Caller(session_id=services.local_session_id, kind="local")
    else:
        secret, find = request.cookies.get(cookie_name(), ""), _by_cookie
    if not secret:
        raise Unauthenticated
    limits = rate_limits()
    limits.check_guesses(secret)
    caller = find(secret)
    limits.count_guess(secret, was_good=caller is not None)
    if caller is None:
        raise CredentialsRefused
    return caller


def _by_token(secret: str) -> Caller | None:
    token = app_services().tokens.find(secret)
    if token is None:
        return None
    return Caller(session_id=token.session_id, kind="token", id=token.id, may_write=token.scope == TokenScope.WRITE)


def _by_cookie(secret: str) -> Caller | None:
    sessions = app_services().sessions
    session = sessions.find(secret)
    if session is None:
        return None
    return Caller(
        session_id=session.session_id,
        kind="browser",
        id=session.id,
        csrf_token=_csrf_token(secret),
        has_just_signed_in=sessions.has_just_signed_in(session),
    )


def require_recent_sign_in() -> None:
    """Raises SignedInTooLongAgo."""
    if not g.caller.has_just_signed_in:
        raise SignedInTooLongAgo


def cookie_name() -> str:
    return SECURE_COOKIE_NAME if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE_NAME


def audit(action: AuditAction, subject: str) -> None:
    """Write down what the caller is about to be given. What it changes is written down where it is changed."""
    app_services().audit.record(g.session_id, action, subject, by=doer())


def doer() -> Doer:
    """The caller, for the audit log."""
    return Doer(actor=g.caller.id, address=request.remote_addr or "")


def _csrf_token(cookie: str) -> str:
    """Bound to this browser's sign-in: of use to nobody else, and gone with it."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, b"csrf " + cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
