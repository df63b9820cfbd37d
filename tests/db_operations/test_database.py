# ruff: noqa: PT012 - what is raised is raised by the whole transaction, several lines long
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection

from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres
from tests.postgres import FAST, server_processes, stopping, temporary_home
from utils.errors import DatabaseUnavailable, NotFound


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with temporary_home() as home:
        yield home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server, because these tests stop and kill it."""
    server = EmbeddedPostgres(home, settings=FAST)
    connection = psycopg2.connect(server.start())
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
    connection.close()
    yield server
    server.stop()


@pytest.fixture
def make(server: EmbeddedPostgres) -> Iterator[Callable[..., Database]]:
    made: list[Database] = []

    def make(url: str | None = None, **limits: float) -> Database:
        database = Database(url or server.url, **limits)  # type: ignore[arg-type]
        made.append(database)
        return database

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(make: Callable[..., Database]) -> Database:
    database = make()
    with database.transaction() as conn:
        ask(conn, "TRUNCATE notes")
    return database


def ask(conn: connection, sql: str) -> object:
    with conn.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def count(database: Database) -> object:
    with database.transaction() as conn:
        return ask(conn, "SELECT count(*) FROM notes")


def backend(database: Database) -> object:
    with database.transaction() as conn:
        return ask(conn, "SELECT pg_backend_pid()")


# --- a transaction -------------------------------------------------------------------------------------------


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


def test_sessions_are_in_utc_and_say_who_they_are(database: Database) -> None:
    with database.transaction() as conn:
        assert ask(conn, "SHOW timezone") == "UTC"
        assert ask(conn, "SHOW application_name") == "netpilot"
        assert ask(conn, "SHOW statement_timeout") == "15s"


# --- the pool ------------------------------------------------------------------------------------------------


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


# --- a server that goes away ---------------------------------------------------------------------------------


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


# --- what it says --------------------------------------------------------------------------------------------


def test_neither_message_nor_url_error_shows_the_password(make: Callable[..., Database], tmp_path: Path) -> None:
    database = make(f"postgresql://alice:s3cret@/netpilot?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable) as caught, database.transaction():
        pass
    assert "s3cret" not in f"{caught.value} {caught.value.details} {caught.value.__cause__}"
    with pytest.raises(ValueError, match="libpq URL") as bad:
        Database("postgresql+psycopg2://alice:s3cret@host:port/x y")
    assert "s3cret" not in str(bad.value)
    assert bad.value.__suppress_context__


def test_options_of_the_url_are_kept(server: EmbeddedPostgres, make: Callable[..., Database]) -> None:
    database = make(server.url + "&options=-c%20work_mem%3D5MB&application_name=mine")
    with database.transaction() as conn:
        assert ask(conn, "SHOW work_mem") == "5MB"
        assert ask(conn, "SHOW timezone") == "UTC"
        assert ask(conn, "SHOW application_name") == "mine"
