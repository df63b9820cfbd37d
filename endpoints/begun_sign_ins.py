"""The ways to the sign-in provider that a browser has begun, in its signed cookie until it comes back from there.

Several: a browser that opens its tabs of yesterday begins one in each.
"""

import time
from dataclasses import asdict, dataclass

from flask import session
from pydantic_core import to_json

_KEY = "sign_ins"

#: How long somebody may stay at the provider, in seconds.
_GOOD_FOR_S = 3_600

#: Of more bytes than this, the ones begun first go: signed and in base64, browsers keep 4 KB of a cookie.
MOST_BYTES = 2_700


@dataclass(frozen=True, kw_only=True)
class BegunSignIn:
    """One of them, known again by its ``state``."""

    state: str
    nonce: str
    code_verifier: str
    #: A path of this server: where the browser wants to go when it is signed in.
    next: str


def keep_sign_in(begun: BegunSignIn) -> None:
    """Until the browser comes back. Those that were given up long ago are forgotten."""
    now = time.time()
    kept = [one for one in session.get(_KEY, []) if now - one["at"] < _GOOD_FOR_S]
    kept.append(asdict(begun) | {"at": int(now)})
    while len(kept) > 1 and len(to_json(kept)) > MOST_BYTES:
        del kept[0]
    session[_KEY] = kept


def take_sign_in(state: str) -> BegunSignIn | None:
    """The one with ``state``, which is good for this return alone, however it ends; None: it was not begun here."""
    kept = session.get(_KEY, [])
    found = next((one for one in kept if one["state"] == state), None)
    if found is None:
        return None
    session[_KEY] = [one for one in kept if one is not found]
    if not session[_KEY]:
        session.clear()
    if time.time() - found.pop("at") >= _GOOD_FOR_S:
        return None
    return BegunSignIn(**found)
