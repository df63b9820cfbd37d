# ruff: noqa: PT012 - what is raised is raised by the whole transaction, several lines long
"""A server that goes away, stops or is slow: its transactions are given up in time, and the next ones succeed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres
from tests.db_operations.database.notes import ask, backend, count
from tests.postgres import server_processes, stopping
from utils.errors import DatabaseUnavailable


def test_the_first_transaction_after_a_restart_succeeds(database: Database, server: EmbeddedPostgres) -> None:
    with database.transaction(), database.transaction():
        pass  # two idle connections
    server.stop()
    server.start()
    assert count(database) == 0
    assert count(database) == 0


def test_a_killed_server_is_unavailable_and_then_fine(database: Database, server: EmbeddedPostgres, home: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as caught, database.transaction() as conn:
        for pid in server_processes(home):
            os.kill(pid, signal.SIGKILL)
        ask(conn, "SELECT 1")
    assert isinstance(caught.value.__cause__, psycopg2.Error)
    with pytest.raises(DatabaseUnavailable), database.transaction():
        pass
    server.ensure_running()
    assert count(database) == 0


def test_a_session_ended_by_the_server_is_replaced(database: Database, make: Callable[..., Database]) -> None:
    before = backend(database)
    with make().transaction() as conn:
        ask(conn, f"SELECT pg_terminate_backend({before}, 1000)")
    assert backend(database) != before


def test_a_commit_without_an_answer_is_unavailable(database: Database, make: Callable[..., Database]) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as conn:
        ask(conn, "INSERT INTO notes VALUES (1, 'one')")
        with make().transaction() as other:
            ask(other, f"SELECT pg_terminate_backend({conn.info.backend_pid}, 1000)")
    assert count(database) == 0


@pytest.mark.parametrize("moment", ["begin", "middle", "copy", "commit"])
def test_a_stopped_server_is_given_up_within_the_deadline(
    make: Callable[..., Database], database: Database, home: Path, moment: str
) -> None:
    hasty = make(transaction_timeout_s=0.5)
    backend(hasty)
    with stopping(home) as stop:
        if moment == "begin":
            stop()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable), hasty.transaction() as conn, conn.cursor() as cursor:
            cursor.execute("INSERT INTO notes VALUES (1, 'one')")
            if moment in ("middle", "copy"):
                stop()
            if moment == "copy":
                with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
                    try:
                        cursor.copy_expert("COPY notes FROM STDIN", endless.stdout)
                    finally:
                        endless.kill()
            cursor.execute("SELECT 1")
            stop()
        assert time.monotonic() - began < 1.5
    assert backend(hasty)


def test_a_new_connection_to_a_stopped_server_is_given_up_too(make: Callable[..., Database], home: Path) -> None:
    hasty = make(transaction_timeout_s=0.5)
    with stopping(home) as stop:
        stop()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable), hasty.transaction():
            pass
        assert time.monotonic() - began < 4, "libpq's least is two seconds"
    assert backend(hasty)


def test_a_slow_query_ends_with_the_transaction(make: Callable[..., Database]) -> None:
    hasty = make(transaction_timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"within 0\.3 s"), hasty.transaction() as conn:
        ask(conn, "SELECT pg_sleep(5)")
    assert time.monotonic() - began < 1


def test_many_quick_queries_end_with_the_transaction(make: Callable[..., Database]) -> None:
    hasty = make(transaction_timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"within 0\.3 s"), hasty.transaction() as conn:
        while True:
            ask(conn, "SELECT 1")
    assert time.monotonic() - began < 1


def test_a_transaction_may_have_a_limit_of_its_own(make: Callable[..., Database]) -> None:
    hasty = make(transaction_timeout_s=0.3)
    with hasty.transaction(timeout_s=5) as conn:
        ask(conn, "SELECT pg_sleep(0.6)")
    patient = make()
    backend(patient)  # the watchdog sleeps for 15 s now
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable), patient.transaction(timeout_s=0.2) as conn:
        ask(conn, "SELECT pg_sleep(5)")
    assert time.monotonic() - began < 1
    with patient.transaction() as conn:
        assert ask(conn, "SHOW statement_timeout") == "15s", "and only for itself"
