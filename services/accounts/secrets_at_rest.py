"""Secrets that a caller keeps and we only recognise: what is handed out, and what is stored of it."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class NewSecret:
    """A secret as it is handed out once, and what is stored."""

    text: str = field(repr=False)
    hash: bytes


def new_secret(prefix: str = "") -> NewSecret:
    """256 random bits: nobody guesses them, so that a plain hash at rest is enough."""
    text = prefix + secrets.token_urlsafe(32)
    return NewSecret(text, hash_of(text))


def hash_of(text: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def new_id() -> str:
    """A random name for something of an account, no secret."""
    return secrets.token_hex(8)


def is_id(text: str) -> bool:
    """Whether `new_id` makes such. Anything else names nothing and is not even looked up."""
    return bool(_ID.fullmatch(text))
