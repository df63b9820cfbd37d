"""Names of files that people download: made of what other people wrote, so nothing in them is trusted. Pure."""

import re
import unicodedata
from urllib.parse import quote

#: What some file system or shell takes for something else.
_FORBIDDEN = re.compile(r"""(?:[\s/\\:*?"'<>|%$`;&#~]|\.{2,})+""")

#: Joiners that emoji and some scripts need; all other characters without a shape of their own go.
_JOINERS = "\u200c\u200d"


def file_name_part(text: str, most_bytes: int = 80) -> str:
    """``text`` as one part of a file name: a plain word in any script, at most so long in UTF-8; maybe empty."""
    visible = "".join(
        character
        for character in text
        if character in _JOINERS or unicodedata.category(character)[0] not in "CZ" or character.isspace()
    )
    word = _FORBIDDEN.sub("-", visible)
    return word.encode()[:most_bytes].decode(errors="ignore").strip("-._" + _JOINERS)


def content_disposition(file_name: str) -> str:
    """The header that has a browser save an answer as ``file_name``: in ASCII for old ones, then whole (RFC 6266)."""
    plain = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode()
    plain = re.sub(r"([-_])[-_]+", r"\1", re.sub(r"[^A-Za-z0-9._-]", "-", plain))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
