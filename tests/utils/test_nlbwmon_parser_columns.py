"""Columns are found by their names, in any order; one that is missing, doubled or without a cell is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.nlbwmon_output import COLUMNS, COUNTERS, output, row, values
from utils.errors import BadRouterOutput
from utils.nlbwmon_parser import parse_nlbw_json


@given(st.permutations(COLUMNS))
def test_columns_are_read_by_name_in_any_order(columns: list[str]) -> None:
    assert parse_nlbw_json(output(values(), columns=columns)).rows == [row()]


@given(st.permutations([*COLUMNS, "host", "future"]))
def test_columns_nobody_knows_are_passed_over(columns: list[str]) -> None:
    answer = output(values(host=[1, {"a": None}], future=1.5), columns=columns)

    assert parse_nlbw_json(answer).rows == [row()]


def test_layer7_may_be_left_out() -> None:
    assert parse_nlbw_json(output(values(), columns=COLUMNS[:-1])).rows == [row(layer7=None)]


@pytest.mark.parametrize("missing", COLUMNS[:-1])
def test_a_missing_column_is_named(missing: str) -> None:
    answer = output(values(), columns=[name for name in COLUMNS if name != missing])

    with pytest.raises(BadRouterOutput, match=rf"lacks the column {missing}\."):
        parse_nlbw_json(answer)


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(BadRouterOutput, match="twice"):
        parse_nlbw_json(output(values(), columns=[*COLUMNS, "rx_bytes"]))


@pytest.mark.parametrize("cells", [COLUMNS[:-1], [*COLUMNS, "one more"], []])
def test_a_row_of_another_length_is_refused(cells: list[str]) -> None:
    usual = values()
    answer = json.dumps({"columns": COLUMNS, "data": [[usual.get(name, 1) for name in cells]]}).encode()

    with pytest.raises(BadRouterOutput):
        parse_nlbw_json(answer)


def test_a_coarser_grouping_leaves_the_other_columns_blank() -> None:
    answer = output(values(), columns=["mac", *COUNTERS])

    assert parse_nlbw_json(answer, group_by=["mac"]).rows == [
        row(family=0, proto="", port=0, ip="", layer7=None),
    ]


def test_a_coarser_grouping_is_not_taken_for_the_usual_one() -> None:
    with pytest.raises(BadRouterOutput, match="lacks the column family, proto, port, ip"):
        parse_nlbw_json(output(values(), columns=["mac", *COUNTERS]))
