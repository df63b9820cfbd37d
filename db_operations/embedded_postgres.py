"""The PostgreSQL that comes with this product, for machines where nobody has set DATABASE_URL.

Owns everything under DATA_DIR whose name starts with `postgres`:

    postgres/         the data directory; the server's Unix socket too
    postgres.log      what the server says (and postgres.log.1, the part before)
    postgres.users    every process that uses the server holds a shared lock on it
    postgres.mutex    starting and stopping are done one at a time, under this lock

Locks go away with their holder, however it ends, so a kill -9 leaves no wrong count behind.

Who may connect: there is no TCP port, and the socket is for its owner only, in a directory for its owner only. That
is what lets the server do without passwords. The owner is the account this program runs under; when that is root,
the owner is `nobody` (see `server_account`), so that root and `nobody` get in. Other services that run as `nobody`
could read the data then, as they could read its files: give the product an account of its own where that matters.
The application's role owns its database but is no superuser.

Called by the composition root and by tests; `postgres_server` does the work.
"""

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from db_operations.postgres_server import EmbeddedPostgresError, PostgresServer

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One PostgreSQL under DATA_DIR/postgres, shared by every process of this product with that DATA_DIR.

    The last one out stops it. Methods may be called from any thread. `settings` are added to PostgreSQL's own
    (tests: `{"fsync": "off"}`); they count for the process that starts the server.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, start_timeout_s: float = 60.0
    ) -> None:
        self._home = data_dir.resolve()
        self._server = PostgresServer(self._home, settings or {})
        self._start_timeout_s = start_timeout_s
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._share: int | None = None  # the descriptor that holds our lock on postgres.users
        self._share_pid = 0

    @property
    def url(self) -> str:
        """The libpq URL; valid while started."""
        return self._server.url

    def start(self) -> str:
        """Make sure the server runs and stays while we use it; create it the first time. Gives the URL.

        Raises:
            EmbeddedPostgresError: it can't be made or started; then we are no user of it.
        """
        with self._guard:
            self._stopping.clear()
            self._run()
            return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it died since `start`. True if we had to. Costs next to nothing if not.

        Does nothing before `start` and after `stop`, so that a scheduler's last call brings nothing back.

        Raises:
            EmbeddedPostgresError: it can't be started; we stay a user of it, the next call tries again.
        """
        with self._guard:
            if not self._is_user():
                return False
            self._server.limit_log()
            if self._server.is_up():
                return False
            return self._run()

    def stop(self) -> None:
        """Let go of the server; the last user stops it. Never raises for a server that is gone already."""
        self._stopping.set()  # a start under way in another thread gives up
        with self._guard:
            if self._share is None:
                return
            if not self._is_user():  # a fork's copy of our lock: closing it leaves the parent's in force
                os.close(self._share)
                self._share = None
                return
            try:
                with self._mutex(_patience(3.0)) as ours:
                    # Whoever keeps the mutex from us is starting the server, so he is a later user than we are.
                    self._leave(stop_if_last=ours)
            except OSError as error:  # DATA_DIR itself was removed
                _log.warning("While stopping the embedded PostgreSQL: %s", error)
                self._leave(stop_if_last=True)

    # --- one user among several ----------------------------------------------------------------------------

    def _run(self) -> bool:
        """Become a user, and bring the server up if it isn't. True if it was us who started it."""
        in_time = _patience(self._start_timeout_s)

        def go_on() -> bool:
            return in_time() and not self._stopping.is_set()

        try:
            self._home.mkdir(mode=0o711, parents=True, exist_ok=True)
            with self._mutex(go_on) as ours:
                if not ours:
                    raise EmbeddedPostgresError(
                        f"Another process has been starting or stopping PostgreSQL in {self._home} for too long."
                    )
                newcomer = self._join()
                try:
                    return self._server.bring_up(go_on)
                except BaseException:
                    if newcomer:
                        self._leave(stop_if_last=True)
                    raise
        except OSError as error:
            raise EmbeddedPostgresError(f"The embedded PostgreSQL in {self._home} can't be used: {error}") from error

    def _join(self) -> bool:
        """Become a user of the server; False if we are one."""
        if self._is_user():
            return False
        if self._share is not None:  # our parent's, before a fork
            os.close(self._share)
        self._share, self._share_pid = _open_lock(self._home / "postgres.users"), os.getpid()
        fcntl.flock(self._share, fcntl.LOCK_SH)
        return True

    def _is_user(self) -> bool:
        """False in a fork of a user: it has its parent's descriptors, but must take a share of its own."""
        return self._share is not None and self._share_pid == os.getpid()

    def _leave(self, *, stop_if_last: bool) -> None:
        share, self._share = self._share, None
        if share is None:
            return
        try:
            _unlock(share)
            if stop_if_last and _lock(share, _patience(0)):
                self._server.halt()
        finally:
            _unlock(share)
            os.close(share)

    @contextlib.contextmanager
    def _mutex(self, go_on: Callable[[], bool]) -> Iterator[bool]:
        """Hold the lock under which the server starts and stops; False if somebody else kept it all the time."""
        descriptor = _open_lock(self._home / "postgres.mutex")
        try:
            yield _lock(descriptor, go_on)
        finally:
            _unlock(descriptor)
            os.close(descriptor)


def _patience(seconds: float) -> Callable[[], bool]:
    """True for so long from now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() < deadline


def _open_lock(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, go_on: Callable[[], bool]) -> bool:
    """Take the exclusive lock, trying for as long as `go_on` says; once at least."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not go_on():
                return False
            time.sleep(0.02)
        else:
            return True


def _unlock(descriptor: int) -> None:
    """Closing alone would not do: a fork may hold a copy, and the lock with it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
