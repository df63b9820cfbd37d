"""What the embedded server gives, and that its errors say what to do."""

import os
import stat
import time
from pathlib import Path

import psycopg2
import pytest

from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.db_operations.embedded_postgres.processes import is_running, postmaster, query
from tests.postgres import FAST

# --- what it gives -------------------------------------------------------------------------------------------


def test_it_answers_on_a_socket_for_its_owner_only_and_on_no_port(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    assert query(url, "SHOW listen_addresses") == ""
    assert query(url, "SELECT inet_server_addr()") is None
    socket = home / "postgres" / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_its_database_is_utf8_sorted_alike_everywhere_and_ours_without_being_superuser(
    server: EmbeddedPostgres,
) -> None:
    url = server.start()
    kind = "format('%s %s %s', pg_encoding_to_char(encoding), datlocprovider, datlocale)"
    assert query(url, f"SELECT {kind} FROM pg_database WHERE datname = current_database()") == "UTF8 b C.UTF-8"
    assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    query(url, "CREATE TABLE things (id int)")


def test_it_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    url = server.start()
    try:
        assert (query(url, "SHOW fsync"), query(url, "SHOW synchronous_commit")) == ("on", "on")
    finally:
        server.stop()


def test_it_does_not_hear_the_ctrl_c_of_our_terminal(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    assert os.getsid(postmaster(home)) != os.getsid(0)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="Linux tells what a process was given")
def test_it_is_given_no_secret_of_ours(home: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_KEYS", "a key to every router")
    monkeypatch.setenv("PGPASSWORD", "a password")
    server.start()
    given = Path(f"/proc/{postmaster(home)}/environ").read_bytes()
    assert b"PATH=" in given
    assert b"a key" not in given
    assert b"a password" not in given


def test_its_log_quotes_no_statement_and_no_row(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE named (name text PRIMARY KEY)")
    query(url, "INSERT INTO named VALUES ('Annas-iPhone')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        query(url, "INSERT INTO named VALUES ('Annas-iPhone')")
    server.stop()
    log = (home / "postgres.log").read_text()
    assert "duplicate key value" in log
    assert "Annas" not in log


def test_start_and_stop_may_be_repeated(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE kept_1 AS SELECT 7 AS n")
    assert server.start() == url
    server.stop()
    server.stop()
    assert not is_running(home)
    assert server.ensure_running() is False, "a late call brings nothing back"
    assert query(server.start(), "SELECT n FROM kept_1") == 7


# --- errors say what to do -------------------------------------------------------------------------------------


def test_data_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(parents=True)
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16.*pg_dump"):
        EmbeddedPostgres(tmp_path).start()


def test_a_directory_without_data_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="holds no PostgreSQL data"):
        EmbeddedPostgres(tmp_path).start()


def test_what_postgresql_says_is_passed_on_at_once(home: Path) -> None:
    server = EmbeddedPostgres(home, settings={**FAST, "shared_buffers": "plenty"})
    began = time.monotonic()
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers": "plenty"'):
        server.start()
    assert time.monotonic() - began < 10
    server.stop()


def test_a_long_log_is_begun_anew(home: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db_operations.postgres_server._LOG_MAX_BYTES", 10)
    server.start()
    assert server.ensure_running() is False
    assert (home / "postgres.log").stat().st_size == 0
    assert (home / "postgres.log.1").stat().st_size > 10
