"""Several users of one embedded server, in one process and in several: the last of them stops it."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from db_operations.embedded_postgres import EmbeddedPostgres
from tests.db_operations.embedded_postgres.processes import is_running, query, until_up
from tests.postgres import FAST


def test_the_last_of_two_in_one_process_stops_it(home: Path, server: EmbeddedPostgres) -> None:
    other = EmbeddedPostgres(home, settings=FAST)
    assert server.start() == other.start()
    server.stop()
    assert query(other.url, "SELECT 1") == 1
    other.stop()
    assert not is_running(home)


def test_the_last_of_two_processes_stops_it(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    assert server.start() == until_up(other)
    server.stop()
    assert is_running(home)
    other.communicate()
    assert other.returncode == 0
    assert not is_running(home)


def test_a_user_that_was_killed_does_not_count(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    server.start()
    other.kill()
    other.wait()
    assert query(server.url, "SELECT 1") == 1
    server.stop()
    assert not is_running(home)


def test_many_may_start_it_at_once(tmp_path: Path) -> None:
    servers = [EmbeddedPostgres(tmp_path, settings=FAST) for _ in range(5)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        assert query(server.url, "SELECT 1") == 1
        server.stop()
    assert not is_running(tmp_path)


def test_a_fork_does_not_let_go_for_its_parent(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    if (child := os.fork()) == 0:
        server.stop()
        os._exit(0)
    os.waitpid(child, 0)
    other = EmbeddedPostgres(home, settings=FAST)
    other.start()
    other.stop()
    assert query(server.url, "SELECT 1") == 1
