"""Texts that a spreadsheet opens as texts. Pure."""

import re

#: What begins a formula, the wide forms included, wherever a cell may begin: at the start of the text, or after what
#: a spreadsheet that expects another separator takes for the end of a cell. Blanks and quotes may hide it. None of the
#: repetitions gives back what it took: a name of 255 tabs would else take seconds.
_FORMULA = re.compile(r"""(?P<before>^(?=\s*+[=+\-@＝＋－＠])|[,;|\t\r\n]\s*+(?:["']\s*+)?+(?=[=+\-@＝＋－＠]))""")

#: What a terminal obeys, and no spreadsheet shows.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

#: What hides a formula from us but not from every spreadsheet.
_HIDING_START = re.compile(r"(?=[\t\r\n])")


def inert_cell(text: str) -> str:
    """``text`` with an apostrophe wherever a spreadsheet might find a formula, and without control characters.

    Tabs and line ends stay; everything else is as it was.
    """
    marked = _FORMULA.sub(r"\g<before>'", _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))
    return _HIDING_START.sub("'", marked, count=1) if marked[:1] in ("\t", "\r", "\n") else marked
