"""An embedded server that was killed, hangs or lost its files starts again with its data, and can be stopped."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.db_operations.embedded_postgres.processes import is_running, postmaster, query, until_up
from tests.postgres import FAST


def test_a_server_left_by_a_killed_process_is_used_again(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    before = postmaster(home)
    other.kill()
    other.wait()
    assert query(server.start(), "SELECT 1") == 1
    assert postmaster(home) == before
    server.stop()
    assert not is_running(home)


def test_a_killed_server_is_started_again_with_its_data(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE kept_2 AS SELECT 7 AS n")
    backend = psycopg2.connect(url)  # outlives the postmaster for a moment, and its shared memory with it
    os.kill(postmaster(home), signal.SIGKILL)
    time.sleep(0.05)
    assert server.ensure_running() is True
    assert server.ensure_running() is False
    assert query(url, "SELECT n FROM kept_2") == 7
    backend.close()


def test_it_starts_after_both_were_killed(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    os.kill(postmaster(home), signal.SIGKILL)
    other.kill()
    assert query(server.start(), "SELECT 1") == 1


def test_a_killed_server_can_be_stopped(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    os.kill(postmaster(home), signal.SIGKILL)
    server.stop()
    assert query(server.start(), "SELECT 1") == 1


def test_a_creation_that_was_killed_leaves_nothing(
    tmp_path: Path, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(tmp_path)
    deadline = time.monotonic() + 10
    while not list(tmp_path.glob("postgres.new-*/global")) and time.monotonic() < deadline:
        time.sleep(0.005)
    other.kill()
    assert not (tmp_path / "postgres").exists()
    assert list(tmp_path.glob("postgres.new-*"))
    server = EmbeddedPostgres(tmp_path, settings=FAST)
    assert query(server.start(), "SELECT 1") == 1
    assert not list(tmp_path.glob("postgres.new-*/base"))
    server.stop()


def test_a_recycled_process_number_does_not_stop_it_from_starting(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    file = home / "postgres" / "postmaster.pid"
    left = file.read_text()
    server.stop()
    owner = file.parent.stat()
    # Only a process of the same account looks like a server to PostgreSQL.
    kwargs = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], cwd="/", **kwargs) as recycled:
        file.write_text(f"{recycled.pid}\n" + left.partition("\n")[2])
        os.chown(file, owner.st_uid, owner.st_gid)
        try:
            assert query(server.start(), "SELECT 1") == 1
        finally:
            recycled.kill()


def test_a_server_whose_socket_was_cleaned_away_is_started_again(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    (home / "postgres" / ".s.PGSQL.5432").unlink()
    assert server.ensure_running() is True
    assert query(server.url, "SELECT 1") == 1


def test_stop_ends_a_server_that_hangs(home: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2), (signal.SIGKILL, 5.0))
    monkeypatch.setattr("db_operations.postgres_server._STOP_STEPS", steps)
    server.start()
    os.kill(postmaster(home), signal.SIGSTOP)
    server.stop()
    assert not is_running(home)


def test_stop_ends_a_start_under_way_in_another_thread(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    late = EmbeddedPostgres(home, settings=FAST)
    raised: list[Exception] = []

    def start() -> None:
        try:
            late.start()
        except EmbeddedPostgresError as error:
            raised.append(error)

    os.kill(postmaster(home), signal.SIGSTOP)
    thread = threading.Thread(target=start)
    thread.start()
    time.sleep(0.2)
    late.stop()
    thread.join(5)
    os.kill(postmaster(home), signal.SIGCONT)
    assert raised
    assert query(server.url, "SELECT 1") == 1


def test_stop_copes_with_a_removed_data_directory(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings=FAST)
    server.start()
    pid = postmaster(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
