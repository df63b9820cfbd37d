"""Whether requests can be served. Whoever watches may ask as often as it likes, from many places at once."""

import time
from collections.abc import Callable
from threading import Lock

from utils.errors import DatabaseUnavailable

#: An outcome serves everybody who asks within so many seconds of it.
KEEP_S = 1.0


class Readiness:
    """Asks the storage at most once a second; all who ask meanwhile wait for the one answer."""

    def __init__(self, check_storage: Callable[[], object]) -> None:
        """``check_storage`` raises DatabaseUnavailable, and has a deadline of its own."""
        self._check_storage = check_storage
        self._lock = Lock()
        self._checked_at: float | None = None
        self._problem: str | None = None

    def check(self) -> None:
        """Raises DatabaseUnavailable."""
        with self._lock:
            if self._checked_at is None or time.monotonic() - self._checked_at >= KEEP_S:
                try:
                    self._check_storage()
                    self._problem = None
                except DatabaseUnavailable as error:
                    self._problem = error.message
                self._checked_at = time.monotonic()
            problem = self._problem
        if problem is not None:
            raise DatabaseUnavailable(problem)
