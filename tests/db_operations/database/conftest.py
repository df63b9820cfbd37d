"""An embedded server that tests may stop and kill, with a table of notes, and pools on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres
from tests.db_operations.database.notes import ask
from tests.postgres import FAST, temporary_home


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The server's DATA_DIR."""
    with temporary_home() as home:
        yield home


@pytest.fixture(scope="session")
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
    """Makes pools on it: make(max_connections=1, ...)."""
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
