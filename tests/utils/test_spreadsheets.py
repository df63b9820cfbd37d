"""No text becomes a formula; the others stay as they are."""

import csv
import io

import pytest

from utils.spreadsheets import inert_cell

STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]


@pytest.mark.parametrize(
    "text", ["", "a", "1", "'=", "a=b", "客厅", "x@y", "Sam's phone-2", " blank = ", "a, b", "a;b"]
)
def test_a_harmless_text_stays_as_it_is(text: str) -> None:
    assert inert_cell(text) == text


@pytest.mark.parametrize("start", STARTS)
def test_a_text_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert inert_cell(f"{start}x") == f"'{start}x"


def test_blanks_hide_no_formula() -> None:
    assert inert_cell(" =1") == "' =1"
    assert inert_cell("\t=1").startswith("'\t'")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "\n", "\r", ';"', "; '", "\n "])
@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_begins_like_a_formula_whatever_a_spreadsheet_takes_for_a_separator(separator: str, start: str) -> None:
    text = inert_cell(f"phone{separator}{start}")
    line = io.StringIO(newline="")
    csv.writer(line).writerow(["02:00", text, 1])
    for delimiter in ",;\t|":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=delimiter, quoting=quoting):
                assert not [cell for cell in row if cell.lstrip(" \"'").startswith(start) and "'" not in cell]


@pytest.mark.parametrize("text", ["\t", "\n", " ", ",", ",\t", '\t"', "', "])
def test_a_name_of_nothing_but_separators_costs_nothing(text: str) -> None:
    """Where repetitions give back what they took, these 255 characters alone take hours."""
    assert len(inert_cell(text * 10_000)) >= 10_000
