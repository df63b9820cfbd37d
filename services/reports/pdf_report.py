"""A report as PDF: its page set by Typst, with fonts that come along for most of the world's scripts.

Typst shapes Arabic and Indic scripts, runs right-to-left texts the right way, takes each letter from the first font
that has it, and embeds what is used. It needs nothing of the machine's: no fonts, no browser, no network. What a page
says is given to the template as data, so no name can be markup.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import manimgx_fonts
import manimgx_fonts_cjk
import typst

#: One page at a time, always in the same thread: in each thread Typst keeps some 30 MB of its own for the next page.
_printer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pdf")

_TEMPLATE = Path(__file__).with_suffix(".typ")


def render_pdf(page: dict[str, Any], made_at: datetime) -> bytes:
    """The PDF of what `report_page` has made; the same for the same page and moment."""
    return _printer.submit(_print, page, made_at).result()


def _print(page: dict[str, Any], made_at: datetime) -> bytes:
    document = typst.compile(
        str(_TEMPLATE),
        root=str(_TEMPLATE.parent),
        font_paths=_fonts(),
        sys_inputs={"page": json.dumps({**page, "fonts": _families()})},
        timestamp=int(made_at.timestamp()),
    )
    assert isinstance(document, bytes)  # noqa: S101  # it is a list only where pages become pictures
    return document


@cache
def _fonts() -> typst.Fonts:
    """Noto in most scripts, opened once."""
    folders = [str(files(package)) for package in (manimgx_fonts, manimgx_fonts_cjk)]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


@cache
def _families() -> list[str]:
    """In the order in which a letter is looked for: that of Latin texts first, pictures last."""
    first, last = ["Noto Sans"], ["Noto Sans CJK SC", "Noto Sans Symbols", "Noto Emoji"]
    others = [one for one in _fonts().families() if one not in (*first, *last) and not one.startswith("Noto Sans CJK")]
    return [*first, *others, *last]
