"""The ways to the sign-in provider that a browser has begun: a signed cookie each, until it comes back from there.

Several: a browser that opens its tabs of yesterday begins one in each, all in the same moment.
"""

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

#: Begins the name of each. Behind https it says to browsers that no other host or path may set it.
COOKIE_NAME = "netpilot_sign_in_"
SECURE_COOKIE_NAME = f"__Host-{COOKIE_NAME}"

#: How long somebody may stay at the provider, in seconds.
_GOOD_FOR_S = 3_600

#: Characters of all of them together; of more, the ones begun first go. nginx takes 8 KB of cookies, usually.
MOST_CHARACTERS = 5_000


@dataclass(frozen=True, kw_only=True)
class BegunSignIn:
    """One of them, known again by its ``state``."""

    state: str
    nonce: str
    code_verifier: str
    #: A path of this server: where the browser wants to go when it is signed in.
    next: str


def keep_sign_in(begun: BegunSignIn, response: Response) -> None:
    """Until the browser comes back."""
    value = str(_serializer().dumps(asdict(begun)))
    # Browsers name the one that they have had for longest first.
    kept = {name: text for name, text in request.cookies.items() if name.startswith(_prefix())}
    while kept and len(value) + sum(map(len, kept.values())) > MOST_CHARACTERS:
        oldest = next(iter(kept))
        del kept[oldest]
        _forget(oldest, response)
    _tell(response, _name(begun.state), value, max_age=_GOOD_FOR_S)


def take_sign_in(state: str) -> BegunSignIn | None:
    """The one with ``state``, which is good for this return alone, however it ends; None: it was not begun here."""
    name = _name(state)

    @after_this_request
    def forget(response: Response) -> Response:
        if name in request.cookies:
            _forget(name, response)
        return response

    with suppress(BadData):
        begun = BegunSignIn(**_serializer().loads(request.cookies.get(name, ""), max_age=_GOOD_FOR_S))
        return begun if begun.state == state else None
    return None


def _name(state: str) -> str:
    """One a state, so that none is lost of those which two tabs begin at once."""
    return _prefix() + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:16]


def _prefix() -> str:
    return SECURE_COOKIE_NAME if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE_NAME


def _forget(name: str, response: Response) -> None:
    _tell(response, name, "", max_age=0)


def _tell(response: Response, name: str, value: str, *, max_age: int) -> None:
    is_secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(name, value, max_age=max_age, path="/", secure=is_secure, httponly=True, samesite="Lax")


def _serializer() -> URLSafeTimedSerializer:
    """Signed with SHA-256; itsdangerous' own is SHA-1."""
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="sign-in", signer_kwargs=how)
