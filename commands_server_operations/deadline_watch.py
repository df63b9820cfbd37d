"""Whole deadlines for calls that take no timeout, or only one per read.

paramiko waits without a limit for the answer to an exec request, and a peer that sends a byte now and then
outlives every timeout per read. One thread watches all guarded blocks and, past a block's deadline, calls
what ends it (shutting its socket down).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A block that is still there is ended again after this many seconds: it may just have begun another wait.
_AGAIN_S = 0.5


class Guard:
    """One guarded block; ``expired`` says whether its deadline passed before it was left."""

    def __init__(self, deadline: float, end: Callable[[], None]) -> None:
        self.expired = False
        self.next_at = deadline
        self.end = end


class DeadlineWatch:
    """Thread-safe. Its thread starts with the first guard and ends with close()."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guards: set[Guard] = set()
        self._wakes_at = float("inf")
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def guard(self, deadline: float, end: Callable[[], None]) -> Iterator[Guard]:
        """Call ``end`` if the block is not left before ``deadline`` (time.monotonic).

        ``end`` runs on the watching thread and must not block; it never runs after the block was left.
        """
        guard = Guard(deadline, end)
        with self._changed:
            self._guards.add(guard)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._watch, name="router-deadlines", daemon=True)
                self._thread.start()
            elif deadline < self._wakes_at:
                self._changed.notify()
        try:
            yield guard
        finally:
            with self._changed:
                self._guards.discard(guard)

    def close(self) -> None:
        """Stop watching and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for guard in self._guards:
                    if guard.next_at <= now:
                        guard.expired = True
                        guard.next_at = now + _AGAIN_S
                        guard.end()
                self._wakes_at = min((guard.next_at for guard in self._guards), default=float("inf"))
                idle = self._wakes_at == float("inf")
                self._changed.wait(None if idle else max(0.0, self._wakes_at - now))
