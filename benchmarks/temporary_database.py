"""An embedded PostgreSQL as the product runs it, durable as it is there, in a directory that goes away at the end."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from db_operations.embedded_postgres import EmbeddedPostgres
from db_operations.migrations import migrate


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory for a server and whatever else a run leaves behind."""
    home = Path(tempfile.mkdtemp(prefix="netpilot-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a server's empty database."""
    with temporary_home() as home:
        server = EmbeddedPostgres(home)
        try:
            yield server.start()
        finally:
            server.stop()


@contextlib.contextmanager
def migrated_database() -> Iterator[str]:
    """The URL of a database with the product's schema."""
    with running_postgres() as url:
        migrate(url)
        yield url
