# ruff: noqa: PT012 - what is raised is raised by the whole transaction, several lines long
"""A transaction commits, rolls back, and always gives its connection back."""

import contextlib
import threading
from collections.abc import Callable

import psycopg2
import pytest

from db_operations.database import Database
from tests.db_operations.database.notes import ask, backend, count
from utils.errors import DatabaseUnavailable, NotFound


def test_it_commits(database: Database) -> None:
    with database.transaction() as conn:
        ask(conn, "INSERT INTO notes VALUES (1, 'one')")
    assert count(database) == 1


@pytest.mark.parametrize("error", [NotFound, KeyError, KeyboardInterrupt, GeneratorExit])
def test_it_rolls_back_and_gives_back_whatever_is_raised(
    make: Callable[..., Database], database: Database, error: type[BaseException]
) -> None:
    one = make(max_connections=1, checkout_timeout_s=0.2)
    with pytest.raises(error), one.transaction() as conn:
        ask(conn, "INSERT INTO notes VALUES (1, 'one')")
        raise error
    assert count(one) == 0


def test_a_mistake_in_sql_passes_as_it_is(make: Callable[..., Database]) -> None:
    one = make(max_connections=1)
    before = backend(one)
    with pytest.raises(psycopg2.errors.UndefinedTable), one.transaction() as conn:
        ask(conn, "SELECT * FROM nowhere")
    assert backend(one) == before, "the connection is still good"


def test_a_mistake_with_a_cursor_is_no_lost_database(database: Database) -> None:
    with pytest.raises(psycopg2.InterfaceError), database.transaction() as conn:
        cursor = conn.cursor()
        cursor.close()
        cursor.execute("SELECT 1")


def test_a_block_that_hides_a_failed_statement_does_not_look_committed(database: Database) -> None:
    with pytest.raises(psycopg2.InternalError, match="nothing was stored"), database.transaction() as conn:
        ask(conn, "INSERT INTO notes VALUES (1, 'one')")
        with contextlib.suppress(psycopg2.DataError):
            ask(conn, "SELECT 1/0")
    assert count(database) == 0


def test_one_inside_another_is_a_transaction_of_its_own(database: Database) -> None:
    with database.transaction() as outer:
        ask(outer, "INSERT INTO notes VALUES (1, 'outer')")
        with database.transaction() as inner:
            assert ask(inner, "SELECT count(*) FROM notes") == 0
            ask(inner, "INSERT INTO notes VALUES (2, 'inner')")
    assert count(database) == 2


def test_a_deadlock_asks_for_another_try(database: Database) -> None:
    with database.transaction() as conn:
        ask(conn, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    met = threading.Barrier(2)
    raised: list[BaseException] = []

    def update(first: int, second: int) -> None:
        try:
            with database.transaction() as conn:
                ask(conn, f"UPDATE notes SET text = 'x' WHERE id = {first}")
                met.wait()
                ask(conn, f"UPDATE notes SET text = 'x' WHERE id = {second}")
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=update, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in raised] == [DatabaseUnavailable]
    assert isinstance(raised[0].__cause__, psycopg2.errors.DeadlockDetected)
