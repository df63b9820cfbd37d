"""The PostgreSQL the suite runs on: a container where Docker answers, the embedded server where it does not.

Either is a real one. Its data survives a kill but no power cut.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from docker.errors import DockerException

from db_operations.embedded_postgres import EmbeddedPostgres

IMAGE = "postgres:17-alpine"
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


def start_postgres() -> tuple[str, Callable[[], None]]:
    """Start a server for the whole run: its libpq URL, and what stops it and removes its data."""
    try:
        return _start_container()
    except DockerException:
        warnings.warn("Docker does not answer: the suite runs on the embedded PostgreSQL instead", stacklevel=2)
        return start_embedded()


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory for an embedded server.

    pytest's tmp_path won't do for root, whose server runs under another account: every pytest that starts closes
    their common parent to others.
    """
    home = Path(tempfile.mkdtemp(prefix="netpilot-test-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def start_embedded() -> tuple[str, Callable[[], None]]:
    """The embedded server in a temporary directory."""
    with contextlib.ExitStack() as stack:
        server = EmbeddedPostgres(stack.enter_context(temporary_home()), settings=FAST)
        stack.callback(server.stop)
        url = server.start()
        return url, stack.pop_all().close


@contextlib.contextmanager
def stopping(home: Path) -> Iterator[Callable[[], None]]:
    """Something to call that stops the server like Ctrl-Z; it goes on at the end."""
    stopped: list[int] = []

    def stop() -> None:
        for pid in server_processes(home):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    try:
        yield stop
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):  # the postmaster, awake again, may have ended it
                os.kill(pid, signal.SIGCONT)


def server_processes(home: Path) -> list[int]:
    """The postmaster and all its children."""
    postmaster = (home / "postgres" / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [int(pid) for pid in (postmaster, *children)]


def _start_container() -> tuple[str, Callable[[], None]]:
    try:
        from testcontainers.community.postgres import PostgresContainer
    except ImportError:  # its place before 4.14
        from testcontainers.postgres import PostgresContainer
    container = PostgresContainer(IMAGE, driver=None)
    container.with_command(["postgres", *(part for name, value in FAST.items() for part in ("-c", f"{name}={value}"))])
    container.start()
    return container.get_connection_url(), container.stop
