"""Embedded servers to start, stop and kill: in a new DATA_DIR, in one with data in it, and used by another process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db_operations.embedded_postgres import EmbeddedPostgres
from tests.db_operations.embedded_postgres.processes import end
from tests.postgres import FAST, temporary_home

ROOT = Path(__file__).parents[3]

#: A second process of the product: uses the server until its standard input ends.
USER = """
import sys
from pathlib import Path
from db_operations.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
print("starting", flush=True)
print(server.start(), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A DATA_DIR that another account can reach, too; its server is killed at the end."""
    with temporary_home() as home:
        yield home
        end(home)


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """A DATA_DIR with data in it, made once: starting takes a twentieth of the time of creating."""
    with temporary_home() as home:
        server = EmbeddedPostgres(home, settings=FAST)
        server.start()
        server.stop()
        yield home


@pytest.fixture
def home(shared_home: Path) -> Iterator[Path]:
    """That DATA_DIR, with no server running before and after."""
    yield shared_home
    end(shared_home)


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, settings=FAST)
    yield server
    server.stop()


@pytest.fixture
def another_process() -> Iterator[Callable[[Path], "subprocess.Popen[str]"]]:
    started = []

    def start(home: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "starting\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
