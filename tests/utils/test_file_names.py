"""What people and strangers' devices are called, as names of files."""

import re
from urllib.parse import unquote

import pytest

from utils.file_names import content_disposition, file_name_part


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Home", "Home"),
        ("Anna's iPhone (2)", "Anna-s-iPhone-(2)"),
        ("客厅电视", "客厅电视"),
        ("طابعة المكتب", "طابعة-المكتب"),
        ("👩‍👩‍👧 phone", "👩‍👩‍👧-phone"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\x*?.exe", "C-x-.exe"),
        ("a\r\nSet-Cookie: x", "a-Set-Cookie-x"),
        ("bell\x07\x00\x7f", "bell"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_part_is_a_plain_word_in_any_script(text: str, part: str) -> None:
    assert file_name_part(text) == part


def test_a_part_is_cut_between_characters() -> None:
    assert file_name_part("x" * 255) == "x" * 80
    assert file_name_part("客" * 85) == "客" * 26


@pytest.mark.parametrize("name", ["netpilot_客厅_day.csv", "Jürgen_week.json", "a'b;c\"d.csv", "100%.csv", "plain.csv"])
def test_the_header_has_the_name_whole_and_in_ascii(name: str) -> None:
    header = content_disposition(name)
    match = re.fullmatch(r"attachment; filename=\"([A-Za-z0-9._-]+)\"; filename\*=UTF-8''([!-~]+)", header)
    assert match
    assert unquote(match[2]) == name
    assert match[1].rpartition(".")[2] == name.rpartition(".")[2]
