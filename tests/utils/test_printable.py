"""Names as they can stand on paper: whole where they fit, and harmless to what is around them."""

import pytest

from utils.printable import printable

BREAK = "\u200b"


@pytest.mark.parametrize(
    "text", ["Anna's iPhone", "客厅电视", "طابعة المكتب", "เครื่องพิมพ์", "<b>x</b> #let *y*", "=cmd|' /C calc'!A0", ""]
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "❤️", "👍🏽", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم"])
def test_so_do_joined_characters(text: str) -> None:
    assert printable(text) == text


def test_what_moves_or_hides_its_surroundings_goes() -> None:
    assert printable("bell\x07 \x1b[31m\r\n\x00\x9b") == "bell� �[31m����"
    assert printable("\u202eevil\u2066\u200f\ufeff") == "evil"
    assert printable("a\u2028b\u00a0c") == "a b c"


def test_long_names_are_cut_with_an_ellipsis_and_can_be_broken() -> None:
    shown = printable("x" * 255)
    assert shown.replace(BREAK, "") == "x" * 59 + "…"
    assert max(map(len, shown.split(BREAK))) <= 20
    assert printable("x" * 60).replace(BREAK, "") == "x" * 60
    assert printable("客" * 255).replace(BREAK, "") == "客" * 59 + "…"


@pytest.mark.parametrize("one", ["👩‍👩‍👧", "❤️", "👍🏽", "🇩🇪", "กี้", "e\u0301"])
def test_nothing_is_cut_in_two(one: str) -> None:
    for before in range(len(one) + 1):
        shown = printable("x" * before + one * 100)
        whole = shown.removesuffix("…").replace(BREAK, "").lstrip("x")
        assert whole == one * (len(whole) // len(one))
        for part in shown.removesuffix("…").split(BREAK):
            assert part.lstrip("x") == one * (len(part.lstrip("x")) // len(one))
