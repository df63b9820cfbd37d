"""Streams of rows: bounded, and over when the reader, the deadline or the database says so."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from db_operations.database import Database
from db_operations.export_db import CopyStream
from db_operations.statements import Connection, fetch_one
from services.device_usage_export import _separated, _spreadsheet_safe
from utils.errors import DatabaseUnavailable


@pytest.fixture
def small_pool(database_url: str) -> Iterator[Database]:
    """One connection: whoever doesn't give it back is noticed."""
    database = Database(database_url, max_connections=1, checkout_timeout_s=1)
    yield database
    database.close()


def rows(count: int) -> Callable[[Connection, CopyStream], None]:
    def copy(conn: Connection, sink: CopyStream) -> None:
        with conn.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT repeat('x', 99) FROM generate_series(1, {count})) TO STDOUT", sink)

    return copy


def is_usable(database: Database) -> bool:
    with database.transaction() as conn:
        return fetch_one(conn, "SELECT 1", {}) == (1,)


def test_a_stream_has_every_row(small_pool: Database) -> None:
    chunks = list(CopyStream(small_pool, rows(50_000), 30))
    assert b"".join(chunks) == (b"x" * 99 + b"\n") * 50_000
    assert max(map(len, chunks)) < 70_000
    assert is_usable(small_pool)


def test_no_more_than_a_few_chunks_wait_for_the_reader(small_pool: Database) -> None:
    stream = CopyStream(small_pool, rows(2_000_000), 30)
    threading.Event().wait(0.5)
    assert len(stream._chunks) <= 4
    stream.close()


@pytest.mark.parametrize("read", [0, 1, 3, 40])
def test_a_reader_that_leaves_gives_the_connection_back(small_pool: Database, read: int) -> None:
    for _ in range(5):
        stream = CopyStream(small_pool, rows(1_000_000), 30)
        for _ in range(read):
            next(stream)
        started = time.monotonic()
        stream.close()
        stream.close()
        assert time.monotonic() - started < 2
        assert is_usable(small_pool)


def test_leaving_at_the_end_disturbs_nobody(small_pool: Database) -> None:
    for _ in range(50):
        stream = CopyStream(small_pool, rows(700), 30)
        next(stream)
        stream.close()
        assert is_usable(small_pool)


def test_leaving_while_the_server_still_thinks_ends_that(small_pool: Database) -> None:
    def slow(conn: Connection, sink: CopyStream) -> None:
        with conn.cursor() as cursor:
            cursor.copy_expert(
                "COPY (SELECT repeat('x', 99999) FROM generate_series(1, 2) n WHERE n = 1 OR pg_sleep(20) IS NULL) "
                "TO STDOUT",
                sink,
            )

    stream = CopyStream(small_pool, slow, 30)
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 5
    assert is_usable(small_pool)


def test_a_reader_that_sleeps_past_the_deadline_loses_the_connection_and_is_told(small_pool: Database) -> None:
    stream = CopyStream(small_pool, rows(2_000_000), 1.0)
    threading.Event().wait(1.5)
    assert is_usable(small_pool)
    with pytest.raises(DatabaseUnavailable):
        list(stream)


def test_what_is_wrong_is_said_before_the_first_chunk(small_pool: Database) -> None:
    def fails(conn: Connection, sink: CopyStream) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        CopyStream(small_pool, fails, 30)
    assert is_usable(small_pool)


def test_without_a_connection_it_says_so(small_pool: Database) -> None:
    with small_pool.transaction(), pytest.raises(DatabaseUnavailable):
        CopyStream(small_pool, rows(1), 30)


@pytest.mark.parametrize("cut", range(1, 12))
def test_lines_become_a_list_wherever_the_chunks_are_cut(cut: int) -> None:
    lines = b'{"a":1}\n{"b":2}\n{"c":3}\n'
    chunks = [lines[at : at + cut] for at in range(0, len(lines), cut)]
    assert b"".join(_separated(chunks)) == b'{"a":1},\n{"b":2},\n{"c":3}'


@pytest.mark.parametrize("text", ["", "a", "1", " =", "'=", "a=b", "客厅", "x@y"])
def test_harmless_names_stay_as_they_are(text: str) -> None:
    assert _spreadsheet_safe(text) == text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert _spreadsheet_safe(f"{start}x") == f"'{start}x"
