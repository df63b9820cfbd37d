from collections.abc import Iterator

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from db_operations.arrays import int_array, text_array
from tests.postgres import start_embedded

# What a PostgreSQL text can hold: everything but the character zero and halves of surrogate pairs.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
BIGINTS = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def conn() -> Iterator[connection]:
    url, stop = start_embedded()
    connection = psycopg2.connect(url)
    yield connection
    connection.close()
    stop()


def unnested(conn: connection, kind: str, literal: str) -> list[object]:
    with conn.cursor() as cursor:
        cursor.execute(f"SELECT unnest(%s::{kind}[])", (literal,))
        return [value for (value,) in cursor.fetchall()]


@settings(max_examples=200)
@given(st.lists(st.none() | TEXTS))
def test_any_texts_come_back_as_they_were(conn: connection, values: list[str | None]) -> None:
    assert unnested(conn, "text", text_array(values)) == values


@settings(max_examples=100)
@given(st.lists(st.none() | BIGINTS))
def test_any_integers_come_back_as_they_were(conn: connection, values: list[int | None]) -> None:
    assert unnested(conn, "bigint", int_array(values)) == values


def test_the_word_null_is_a_text_and_not_nothing(conn: connection) -> None:
    assert unnested(conn, "text", text_array(["NULL", "null", "", None])) == ["NULL", "null", "", None]


@pytest.mark.parametrize("value", [1.5, "1", "1,2"])
def test_an_int_array_takes_integers_only(value: object) -> None:
    with pytest.raises(ValueError):
        int_array([value])  # type: ignore[list-item]
