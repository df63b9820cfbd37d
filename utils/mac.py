"""MAC addresses: one spelling inside, three accepted from outside."""

import re
from functools import lru_cache

#: What nlbwmon writes for a host whose MAC it could not look up.
ZERO_MAC = "00:00:00:00:00:00"

_CANONICAL = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_ACCEPTED = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|[0-9a-f]{10})")


@lru_cache(maxsize=8192)
def is_canonical_mac(text: str) -> bool:
    """Whether ``text`` is lower case with colons, as nlbwmon writes it: ``aa:bb:cc:dd:ee:ff``.

    Remembered, because every reading of a router brings the same few addresses again.
    """
    return _CANONICAL.fullmatch(text) is not None


def parse_mac(text: str) -> str:
    """``AA-BB-CC-DD-EE-FF``, ``AABBCCDDEEFF`` or ``aa:bb:…`` as ``aa:bb:cc:dd:ee:ff``.

    Raises ValueError for anything else, mixed separators among it.
    """
    lowered = text.strip().lower()
    if not _ACCEPTED.fullmatch(lowered):
        raise ValueError("not a MAC address; write it as aa:bb:cc:dd:ee:ff")
    digits = lowered.replace(":", "").replace("-", "")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def is_locally_administered(mac: str) -> bool:
    """Whether the address was made up by the device (a "private address"), not given by its maker."""
    return bool(int(mac[:2], 16) & 0x02)
