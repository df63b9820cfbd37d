"""A COPY as a stream of bytes for one reader: as long as one likes, in constant memory."""

import contextlib
import io
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final

import psycopg2

from db_operations.database import Database
from db_operations.statements import Connection
from utils.errors import DatabaseUnavailable

#: Few hand-overs between threads, and less than what the C library gets from the system anew each time (128 KiB).
_CHUNK_BYTES: Final = 120 * 1024

#: So many chunks may wait for the reader; then the server waits, too.
_MOST_CHUNKS: Final = 4

#: How long a reader that leaves waits for the connection to be back; it comes back after that, too.
_CLOSE_TIMEOUT_S: Final = 5.0

#: How long a stream waits for another one to end where there are as many as there may be.
_TURN_TIMEOUT_S: Final = 5.0

#: How often it is asked, while the database has nothing to send, whether the reader still waits for it.
_LOOK_EVERY_S: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class StreamLimits:
    """When a stream is given up, in seconds."""

    #: In all.
    timeout_s: float
    #: The reader fetches nothing.
    stall_s: float


class _ReaderHasLeft(Exception):
    """Ends the COPY of a stream that was closed."""


class CopyStream(Iterator[bytes]):
    """What ``copy`` writes into the file it is given, as chunks for one reader.

    psycopg2 pushes a COPY; so it runs in a thread of its own, a few chunks ahead of the reader and no further. The
    connection goes back when the rows are through, when the reader closes the stream or has left, or when one of the
    ``limits`` is reached, whichever is first.
    """

    def __init__(
        self,
        database: Database,
        copy: Callable[[Connection, IO[bytes]], None],
        limits: StreamLimits,
        *,
        at_once: threading.Semaphore,
        has_left: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begins at once, and waits for the first chunk. Raises DatabaseUnavailable where there is none to be had.

        ``at_once``: how many streams there may be; one more waits for a moment, then is refused.
        ``has_left``: whether the reader is gone; asked while it waits and can't find that out by itself.
        """
        self._database = database
        self._copy = copy
        self._limits = limits
        self._at_once = at_once
        self._has_left = has_left
        self._deadline = time.monotonic() + limits.timeout_s
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._conn: Connection | None = None
        self._is_closed = False
        self._is_over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)
        self._thread.start()
        self._wait_for_chunk()
        if self._error:
            raise self._error

    def __next__(self) -> bytes:
        """Raises DatabaseUnavailable where the rows end before their time."""
        self._wait_for_chunk()
        with self._changed:
            if self._chunks:
                self._changed.notify_all()
                return self._chunks.popleft()
            if self._error:
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """Stop the COPY, if it still runs, and give its connection back. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._chunks.clear()
            self._changed.notify_all()
            if self._conn is not None:  # else it has its connection not yet, or it is another's by now
                with contextlib.suppress(psycopg2.Error):
                    self._conn.cancel()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _wait_for_chunk(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._chunks or self._is_over, _LOOK_EVERY_S):
                    return
            if self._has_left():
                self.close()
                raise DatabaseUnavailable("Nobody waits for these rows any more.")

    # --- in the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with self._turn(), self._database.transaction(timeout_s=self._limits.timeout_s) as conn:
                self._hold(conn)
                try:
                    # psycopg2 writes every row by itself: gathering them in C takes a third off the whole.
                    sink = io.BufferedWriter(_Sink(self._pass_on), _CHUNK_BYTES)  # type: ignore[type-var]
                    self._copy(conn, sink)
                    sink.flush()
                except BaseException:
                    with contextlib.suppress(psycopg2.Error):
                        conn.cancel()  # else the rollback would wait for all rows that are left
                    raise
                finally:
                    self._hold(None)
        except BaseException as raised:  # the reader's to handle, whatever it is
            error = raised
        with self._changed:
            self._error = error
            self._is_over = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._at_once.acquire(timeout=_TURN_TIMEOUT_S):
            raise DatabaseUnavailable("Several exports are being made already. Try again when one of them is through.")
        try:
            yield
        finally:
            self._at_once.release()

    def _hold(self, conn: Connection | None) -> None:
        with self._changed:
            self._conn = conn
            if conn is not None and self._is_closed:
                raise _ReaderHasLeft

    def _pass_on(self, chunk: bytes) -> None:
        with self._changed:
            patience_s = min(self._limits.stall_s, self._deadline - time.monotonic())
            in_time = self._changed.wait_for(lambda: self._is_closed or len(self._chunks) < _MOST_CHUNKS, patience_s)
            if self._is_closed:
                raise _ReaderHasLeft
            if not in_time:
                raise DatabaseUnavailable(f"The export was not fetched within {patience_s:.0f} s.")
            self._chunks.append(chunk)
            self._changed.notify_all()


class _Sink(io.RawIOBase):
    """Passes on what is written, until that fails once: what is left in the buffer then is nobody's."""

    def __init__(self, pass_on: Callable[[bytes], None]) -> None:
        self._pass_on = pass_on
        self._has_failed = False

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        if not self._has_failed:
            self._has_failed = True
            self._pass_on(bytes(data))
            self._has_failed = False
        return len(data)
