"""A connection that only reads: no transaction around its statements, and no way to write with it."""

from collections.abc import Callable

import psycopg2
import pytest

from db_operations.database import Database
from tests.db_operations.database.notes import ask, backend, count
from utils.errors import NotFound


def read_count(database: Database) -> object:
    with database.reading() as conn:
        return ask(conn, "SELECT count(*) FROM notes")


def insert(database: Database, id: int) -> None:
    with database.transaction() as conn:
        ask(conn, f"INSERT INTO notes VALUES ({id}, 'note')")


def test_each_statement_reads_what_is_committed_by_then(database: Database) -> None:
    with database.reading() as conn:
        assert ask(conn, "SELECT count(*) FROM notes") == 0
        insert(database, 1)
        assert ask(conn, "SELECT count(*) FROM notes") == 1


@pytest.mark.parametrize(
    "statement", ["INSERT INTO notes VALUES (1, 'one')", "SELECT * FROM notes FOR UPDATE", "CREATE TABLE more (id int)"]
)
def test_the_server_refuses_what_would_write_or_lock(database: Database, statement: str) -> None:
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), database.reading() as conn:
        ask(conn, statement)
    assert count(database) == 0


def test_one_connection_serves_both_in_turn(make: Callable[..., Database], database: Database) -> None:
    one = make(max_connections=1, checkout_timeout_s=0.2)
    before = backend(one)
    for number in range(3):
        assert read_count(one) == number
        insert(one, number)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), one.reading() as conn:
        ask(conn, "INSERT INTO notes VALUES (7, 'after a transaction')")
    assert backend(one) == before


def test_each_gets_a_connection_that_was_used_alike(make: Callable[..., Database]) -> None:
    two = make(max_connections=2)
    with two.reading() as reading, two.transaction() as writing:
        reader, writer = (ask(conn, "SELECT pg_backend_pid()") for conn in (reading, writing))
    for _ in range(3):
        with two.reading() as conn:
            assert ask(conn, "SELECT pg_backend_pid()") == reader
        assert backend(two) == writer


@pytest.mark.parametrize(
    ("statement", "error"), [("SELECT 1", NotFound), ("SELECT 1/0", psycopg2.errors.DivisionByZero)]
)
def test_whatever_is_raised_it_comes_back_fit_for_use(
    make: Callable[..., Database], database: Database, statement: str, error: type[Exception]
) -> None:
    one = make(max_connections=1, checkout_timeout_s=0.2)

    def read_and_find_nothing() -> None:
        with one.reading() as conn:
            ask(conn, statement)
            raise NotFound

    with pytest.raises(error):
        read_and_find_nothing()
    assert read_count(one) == 0
    insert(one, 1)
