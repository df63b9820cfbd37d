"""Streams of rows: bounded, and over when the reader, the deadline or the database says so."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

import pytest

from db_operations.copy_stream import CopyStream, StreamLimits
from db_operations.database import Database
from db_operations.statements import Connection, fetch_one
from utils.errors import DatabaseUnavailable


@pytest.fixture
def small_pool(database_url: str) -> Iterator[Database]:
    """One connection: whoever doesn't give it back is noticed."""
    database = Database(database_url, max_connections=1, checkout_timeout_s=1)
    yield database
    database.close()


Copy = Callable[[Connection, IO[bytes]], None]


def stream_of(
    database: Database, copy: Copy, *, timeout_s: float = 30, stall_s: float = 30, streams: int = 3, **more: Any
) -> CopyStream:
    limits = StreamLimits(timeout_s=timeout_s, stall_s=stall_s)
    return CopyStream(database, copy, limits, **{"at_once": threading.Semaphore(streams), **more})


def rows(count: int) -> Copy:
    def copy(conn: Connection, sink: IO[bytes]) -> None:
        with conn.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT repeat('x', 99) FROM generate_series(1, {count})) TO STDOUT", sink)

    return copy


def is_usable(database: Database) -> bool:
    with database.transaction() as conn:
        return fetch_one(conn, "SELECT 1", {}) == (1,)


def test_a_stream_has_every_row(small_pool: Database) -> None:
    chunks = list(stream_of(small_pool, rows(50_000)))
    assert b"".join(chunks) == (b"x" * 99 + b"\n") * 50_000
    assert max(map(len, chunks)) < 125_000
    assert is_usable(small_pool)


def test_no_more_than_a_few_chunks_wait_for_the_reader(small_pool: Database) -> None:
    stream = stream_of(small_pool, rows(2_000_000))
    threading.Event().wait(0.5)
    assert len(stream._chunks) <= 4
    stream.close()


@pytest.mark.parametrize("read", [0, 1, 3, 40])
def test_a_reader_that_leaves_gives_the_connection_back(small_pool: Database, read: int) -> None:
    for _ in range(5):
        stream = stream_of(small_pool, rows(1_000_000))
        for _ in range(read):
            next(stream)
        started = time.monotonic()
        stream.close()
        stream.close()
        assert time.monotonic() - started < 2
        assert is_usable(small_pool)


def test_leaving_at_the_end_disturbs_nobody(small_pool: Database) -> None:
    for _ in range(50):
        stream = stream_of(small_pool, rows(2_700))
        next(stream)
        stream.close()
        assert is_usable(small_pool)


def slow(conn: Connection, sink: IO[bytes]) -> None:
    """A row of a whole chunk at once, the next one in 20 s."""
    with conn.cursor() as cursor:
        cursor.copy_expert(
            "COPY (SELECT repeat('x', 999999) FROM generate_series(1, 2) n WHERE n = 1 OR pg_sleep(20) IS NULL) "
            "TO STDOUT",
            sink,
        )


def running(database_url: str) -> int:
    """How many COPYs the server is at."""
    watcher = Database(database_url, max_connections=1)
    with watcher.transaction() as conn:
        row = fetch_one(
            conn, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%%'", {}
        )
    watcher.close()
    assert row is not None
    return int(row[0])


def test_leaving_while_the_server_still_thinks_ends_that(small_pool: Database) -> None:
    stream = stream_of(small_pool, slow)
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 5
    assert is_usable(small_pool)


@pytest.mark.parametrize("limit", [{"timeout_s": 1.0}, {"stall_s": 1.0}])
def test_a_reader_that_sleeps_past_a_limit_loses_the_connection_and_is_told(
    small_pool: Database, limit: dict[str, float]
) -> None:
    stream = stream_of(small_pool, rows(2_000_000), **limit)
    threading.Event().wait(1.5)
    assert is_usable(small_pool)
    with pytest.raises(DatabaseUnavailable):
        list(stream)


def test_what_is_wrong_is_said_before_the_first_chunk(small_pool: Database) -> None:
    def fails(conn: Connection, sink: IO[bytes]) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        stream_of(small_pool, fails)
    assert is_usable(small_pool)


def test_without_a_connection_it_says_so(small_pool: Database) -> None:
    with small_pool.transaction(), pytest.raises(DatabaseUnavailable):
        stream_of(small_pool, rows(1))


@pytest.mark.parametrize("read", [0, 1])
def test_a_reader_that_is_seen_to_be_gone_while_the_server_thinks_ends_that(
    small_pool: Database, database_url: str, read: int
) -> None:
    has_left = threading.Event()
    threading.Timer(0.7, has_left.set).start()
    copy = slow if read else thinks
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        list(stream_of(small_pool, copy, has_left=has_left.is_set))
    assert 0.5 < time.monotonic() - started < 5
    assert is_usable(small_pool)
    assert running(database_url) == 0


def thinks(conn: Connection, sink: IO[bytes]) -> None:
    with conn.cursor() as cursor:
        cursor.copy_expert("COPY (SELECT pg_sleep(20)) TO STDOUT", sink)


def test_closing_ends_the_query_in_the_server(small_pool: Database, database_url: str) -> None:
    stream = stream_of(small_pool, rows(50_000_000))
    next(stream)
    assert running(database_url) == 1
    stream.close()
    assert running(database_url) == 0


def test_there_are_no_more_streams_than_there_may_be(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db_operations.copy_stream._TURN_TIMEOUT_S", 0.2)
    at_once = threading.Semaphore(2)
    first, second = (stream_of(database, rows(2_000_000), at_once=at_once) for _ in range(2))
    with pytest.raises(DatabaseUnavailable, match="Several exports"):
        stream_of(database, rows(1), at_once=at_once)
    first.close()
    assert list(stream_of(database, rows(1), at_once=at_once))
    second.close()


def test_the_rows_that_came_before_a_failure_are_there_before_it_is_raised(small_pool: Database) -> None:
    def fails_late(conn: Connection, sink: IO[bytes]) -> None:
        rows(30_000)(conn, sink)
        raise ValueError("wrong")

    stream = stream_of(small_pool, fails_late)
    assert len(next(stream)) > 100_000
    with pytest.raises(ValueError, match="wrong"):
        list(stream)
