"""The pool: few connections for many threads, none after its close, and none shared with a fork."""

import os
import threading
import time
from collections.abc import Callable

import psycopg2
import pytest

from db_operations.database import Database
from tests.db_operations.database.notes import ask, backend, count
from utils.errors import DatabaseUnavailable


def test_an_exhausted_pool_is_waited_for(make: Callable[..., Database]) -> None:
    one = make(max_connections=1)
    taken = threading.Event()

    def hold() -> None:
        with one.transaction():
            taken.set()
            time.sleep(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    assert backend(one)
    thread.join()


def test_an_exhausted_pool_is_not_waited_for_any_longer_than_agreed(make: Callable[..., Database]) -> None:
    one = make(max_connections=1, checkout_timeout_s=0.2)
    began = time.monotonic()
    with one.transaction(), pytest.raises(DatabaseUnavailable, match="in use"), one.transaction():
        pass
    assert 0.2 <= time.monotonic() - began < 1


def test_many_threads_share_few_connections(make: Callable[..., Database]) -> None:
    few = make(max_connections=3)
    backends: list[object] = []
    threads = [threading.Thread(target=lambda: backends.extend(backend(few) for _ in range(50))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(backends) == 500
    assert len(set(backends)) <= 3


def test_after_close_nothing_begins_and_nothing_stays_open(make: Callable[..., Database]) -> None:
    database = make()
    with database.transaction() as conn:
        database.close()
        assert ask(conn, "SELECT 1") == 1, "what runs may finish"
    assert conn.closed
    with pytest.raises(DatabaseUnavailable, match="shutting down"), database.transaction():
        pass
    database.close()


def test_a_session_left_in_the_middle_of_a_copy_is_not_handed_on(make: Callable[..., Database]) -> None:
    one = make(max_connections=1)
    before = backend(one)
    with pytest.raises(psycopg2.Error), one.transaction() as conn:
        ask(conn, "COPY notes FROM STDIN")
    assert backend(one) is not None
    assert before is not None


def test_a_fork_uses_connections_of_its_own(make: Callable[..., Database]) -> None:
    database = make(max_connections=1)
    before = backend(database)
    read, write = os.pipe()
    with database.transaction() as conn:
        ask(conn, "SELECT 1")
        if (child := os.fork()) == 0:
            os.write(write, str(backend(database)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert int(os.read(read, 20)) != before
        assert ask(conn, "SELECT pg_backend_pid()") == before
    assert backend(database) == before, "the child's end did not end the parent's session"


def test_a_fork_does_not_end_its_parents_transaction(database: Database) -> None:
    child = None
    try:
        with database.transaction() as conn:
            ask(conn, "INSERT INTO notes VALUES (1, 'one')")
            child = os.fork()
    except DatabaseUnavailable:
        os._exit(7 if child == 0 else 1)
    finally:
        if child == 0:
            os._exit(1)
    assert child is not None
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert count(database) == 1
