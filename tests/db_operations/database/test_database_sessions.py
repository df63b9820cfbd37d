"""How a session is set up, which options of the URL it keeps, and that errors never show the password."""

from collections.abc import Callable
from pathlib import Path

import pytest

from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres
from tests.db_operations.database.notes import ask
from utils.errors import DatabaseUnavailable


def test_sessions_are_in_utc_and_say_who_they_are(database: Database) -> None:
    with database.transaction() as conn:
        assert ask(conn, "SHOW timezone") == "UTC"
        assert ask(conn, "SHOW application_name") == "netpilot"
        assert ask(conn, "SHOW statement_timeout") == "15s"


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
