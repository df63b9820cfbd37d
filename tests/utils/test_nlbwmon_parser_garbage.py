"""Answers cut off, damaged, nested or of another shape altogether become BadRouterOutput and nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.nlbwmon_output import COLUMNS, LIVE, LIVE_CSV, OFFICE
from utils.errors import BadRouterOutput
from utils.nlbwmon_parser import parse_nlbw_csv, parse_nlbw_json


def refuses(answer: bytes) -> bool:
    """Whether BadRouterOutput comes of it. Any other exception passes through and fails the test."""
    try:
        parse_nlbw_json(answer)
    except BadRouterOutput:
        return True
    return False


@pytest.mark.parametrize("end", range(len(LIVE)))
def test_an_answer_cut_off_at_any_byte_is_refused(end: int) -> None:
    assert refuses(LIVE[:end])


@settings(max_examples=150)
@given(st.integers(0, len(OFFICE) - 1))
def test_a_large_answer_cut_off_anywhere_is_refused(end: int) -> None:
    assert refuses(OFFICE[:end])


@pytest.mark.parametrize("end", range(len(LIVE_CSV)))
def test_a_cut_off_csv_gives_rows_that_were_there_or_is_refused(end: int) -> None:
    try:
        rows = parse_nlbw_csv(LIVE_CSV[:end]).rows
    except BadRouterOutput:
        return
    whole = parse_nlbw_csv(LIVE_CSV).rows
    assert rows[:-1] == whole[: len(rows[:-1])]


@given(st.binary(max_size=300))
def test_garbage_is_refused(garbage: bytes) -> None:
    assert refuses(garbage)
    with pytest.raises(BadRouterOutput):
        parse_nlbw_csv(garbage)


@settings(max_examples=300)
@given(st.integers(0, len(LIVE) - 1), st.binary(max_size=6))
def test_bytes_put_into_an_answer_make_rows_or_a_refusal(at: int, noise: bytes) -> None:
    refuses(LIVE[:at] + noise + LIVE[at + len(noise) :])
    refuses(LIVE[:at] + noise + LIVE[at:])


@settings(max_examples=300)
@given(st.integers(0, len(LIVE_CSV) - 1), st.binary(max_size=6))
def test_bytes_put_into_a_csv_make_rows_or_a_refusal(at: int, noise: bytes) -> None:
    try:
        rows = parse_nlbw_csv(LIVE_CSV[:at] + noise + LIVE_CSV[at + len(noise) :]).rows
    except BadRouterOutput:
        return
    assert all(0 <= one.rx_bytes < 2**64 and 0 <= one.tx_bytes < 2**64 for one in rows)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(COLUMNS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["columns", "data", "x"]), inner),
    max_leaves=12,
)


@given(columns=JSON_VALUES | st.just(COLUMNS), data=JSON_VALUES)
def test_json_of_any_other_shape_is_refused(columns: object, data: object) -> None:
    answer = json.dumps({"columns": columns, "data": data}).encode()

    assert refuses(answer) or (columns == COLUMNS and data == [])


DEEP = b"[" * 100_000 + b"]" * 100_000
HEAD = b'{"columns":' + json.dumps(COLUMNS).encode() + b","


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000,
        DEEP,
        b'{"a":' * 100_000,
        b'{"columns":' + DEEP,
        b'{"data":' + DEEP + b"}",
        HEAD + b'"data":' + DEEP + b"}",
        HEAD + b'"data":[[' + DEEP + b"]]}",
        HEAD + b'"data":[],"more":' + DEEP + b"}",
    ],
    ids=range(8),
)
def test_nesting_bombs_are_refused(bomb: bytes) -> None:
    assert refuses(bomb)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'{"columns":[],"data":[]}',
        b'{"columns":null,"data":[]}',
        HEAD[:-1] + b"}",
        HEAD + b'"data":null}',
        HEAD + b'"data":{}}',
        HEAD + b'"data":[{}]}',
        LIVE + b"x",
        LIVE + LIVE,
        b"\xef\xbb\xbf" + LIVE,
        LIVE.decode().encode("utf-16"),
        b"Error while processing command: No data available\n",
    ],
    ids=range(15),
)
def test_what_is_almost_an_answer_is_refused(answer: bytes) -> None:
    assert refuses(answer)


def test_a_line_feed_at_the_end_does_no_harm() -> None:
    assert parse_nlbw_json(LIVE + b"\n").rows == parse_nlbw_json(LIVE).rows


def test_more_rows_than_are_taken_are_refused_undecoded() -> None:
    """To decode and account for them takes a kilobyte each."""
    row = [4, "TCP", 443, "02:11:22:33:44:01", "192.168.1.101", 1, 1, 1, 1, 1, "HTTPS"]
    output = json.dumps({"columns": COLUMNS, "data": [row] * 5}).encode()
    assert len(parse_nlbw_json(output, most_rows=5).rows) == 5
    with pytest.raises(BadRouterOutput, match="more than the 4 rows"):
        parse_nlbw_json(output, most_rows=4)
    wide = json.dumps({"columns": [*COLUMNS, "more"], "data": [[*row, [{}] * 100]]}).encode()
    with pytest.raises(BadRouterOutput, match="rows that are taken"):
        parse_nlbw_json(wide, most_rows=5)
    assert len(parse_nlbw_json(wide).rows) == 1
