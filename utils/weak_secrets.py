"""Secrets that somebody could guess: short ones, and what was typed, counted on, repeated or copied. Pure.

It can't tell every sentence from chance: who makes secrets as the errors say is right in any case.
"""

from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

#: What examples and people who are in a hurry write; in 48 random characters one in many thousands has one of them.
_PLACEHOLDERS = ("secret", "change", "passw", "default", "example", "insecure", "netpilot", "qwert", "asdf")

_SHORTEST_TEXT = 32

#: Characters of a text, bytes of a key: 32 random bytes have about 30 different ones.
_LEAST_DIFFERENT_CHARACTERS, _LEAST_DIFFERENT_BYTES = 10, 12


def is_guessable_text(text: str) -> bool:
    """Of a secret that people may write as they like."""
    return (
        len(text) < _SHORTEST_TEXT
        or len(set(text)) < _LEAST_DIFFERENT_CHARACTERS
        or is_placeholder(text)
        or _is_regular([ord(character) for character in text])
    )


def is_guessable_key(fernet_key: str) -> bool:
    """Of 32 bytes in URL-safe Base64, what may well not come from chance: of random ones, one in four billion."""
    key = urlsafe_b64decode(fernet_key)
    return len(set(key)) < _LEAST_DIFFERENT_BYTES or key.isascii() or _is_regular(key)


def is_placeholder(text: str) -> bool:
    """Whether it looks like what a person is meant to replace."""
    return any(word in text.lower() for word in _PLACEHOLDERS)


def _is_regular(numbers: Sequence[int]) -> bool:
    """Whether it says itself again, or most of it goes on as it began (abcd, 4321)."""
    again = any(numbers[start:] == numbers[:-start] for start in range(1, len(numbers) // 2 + 1))
    steps = Counter(after - before for before, after in pairwise(numbers))
    return again or max(steps.values()) > len(numbers) / 2
