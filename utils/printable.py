"""Texts of strangers, such as names of devices, as they can be shown on paper or within a sentence. Pure."""

import unicodedata

#: Stands for a character that can't be seen.
_UNSEEN = "\N{REPLACEMENT CHARACTER}"

#: Without a shape of their own, but they shape what is beside them: joiners and variation selectors.
_SHAPING = "\u200c\u200d\ufe0e\ufe0f"

_JOINER = "\u200d"

#: In longer words a line may be broken anywhere.
_LONGEST_WORD = 20

_BREAK = "\u200b"


def printable(text: str, most: int = 60) -> str:
    """``text`` in at most ``most`` characters, with nothing in it that moves or hides what is around it."""
    return _breakable(harmless(text, most))


def harmless(text: str, most: int = 60) -> str:
    """As `printable`, for a sentence that is not printed: without places to break long words."""
    return _shortened("".join(_seen(character) for character in text), most)


def _seen(character: str) -> str:
    if character in _SHAPING:
        return character
    category = unicodedata.category(character)
    if category == "Cf":  # such as a mark that turns the direction of what follows
        return "" if not 0xE0020 <= ord(character) <= 0xE007F else character  # but flags are spelled with these
    if category in ("Zs", "Zl", "Zp"):
        return " "
    return _UNSEEN if category[0] == "C" else character


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most - 1
    while end > 1 and _belongs_to_what_is_before(text, end):
        end -= 1
    return text[:end].rstrip() + "…"


def _belongs_to_what_is_before(text: str, position: int) -> bool:
    """Whether ``position`` lies inside of what a reader takes for one character."""
    character, before = text[position], text[position - 1]
    is_mark = unicodedata.category(character)[0] == "M" or character in _SHAPING
    is_tone_or_tag = "\U0001f3fb" <= character <= "\U0001f3ff" or 0xE0020 <= ord(character) <= 0xE007F
    return is_mark or is_tone_or_tag or _is_second_of_flag(text, position) or before == _JOINER


def _is_second_of_flag(text: str, position: int) -> bool:
    """A flag is two letters of a kind of their own; of several flags in a row, each is two."""
    first = position
    while first >= 0 and "\U0001f1e6" <= text[first] <= "\U0001f1ff":
        first -= 1
    return (position - first) % 2 == 0 and first < position


def _breakable(text: str) -> str:
    """With places to break the line in words that are too long for it."""
    words = []
    for word in text.split(" "):
        parts = [word]
        while len(parts[-1]) > _LONGEST_WORD:
            rest = parts.pop()
            end = _LONGEST_WORD
            while end > 1 and _belongs_to_what_is_before(rest, end):
                end -= 1
            parts += [rest[:end], rest[end:]]
        words.append(_BREAK.join(parts))
    return " ".join(words)
