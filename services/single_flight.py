"""Many callers, one piece of work: whoever asks while it runs, or shortly after, shares its outcome."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from utils.errors import RouterTimeout

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

#: Whoever shares a piece of work waits no longer for it. What asks a router is nearly always done much sooner, and has
#: longer deadlines of its own.
WAIT_S = 45.0


class SingleFlight(Generic[Key, Result]):
    """Shares results and failures alike, so that a dead router is waited for once, not once a caller."""

    def __init__(self, *, keep_s: float = 0.0, wait_s: float = WAIT_S) -> None:
        """``keep_s``: how long after its end an outcome still serves; ``wait_s``: how long the others wait for it; in
        seconds."""
        self._keep_s = keep_s
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._flights: dict[Key, tuple[Future[Result], float]] = {}

    def run(self, key: Key, work: Callable[[], Result]) -> Result:
        """The outcome of ``work``, or of the call that is doing the same for ``key`` already.

        Raises RouterTimeout where that call takes too long; it goes on all the same.
        """
        with self._lock:
            self._drop_old()
            flight = self._flights.get(key)
            if flight is None:
                future: Future[Result] = Future()
                self._flights[key] = (future, float("inf"))
        if flight is not None:
            return self._outcome_of(flight[0])
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        with self._lock:
            # Unless something newer was published meanwhile.
            if self._flights.get(key, (None, 0.0))[0] is future:
                self._flights[key] = (future, time.monotonic() + self._keep_s)
            self._drop_old()
        try:
            return future.result()
        finally:
            del future  # an error knows this call, which must not know it: with it goes all that the work had read

    def _outcome_of(self, running: Future[Result]) -> Result:
        if not wait([running], self._wait_s).done:  # result(timeout) could not be told from a TimeoutError of the work
            raise RouterTimeout("The router is being asked already, and takes long to answer. Try again shortly.")
        return running.result()

    def publish(self, key: Key, result: Result) -> None:
        """Offer a result that came about elsewhere, for ``keep_s``."""
        future: Future[Result] = Future()
        future.set_result(result)
        with self._lock:
            self._flights[key] = (future, time.monotonic() + self._keep_s)

    def forget(self, key: Key, result: Result) -> None:
        """Share ``result`` no longer, if it is what is kept: it is known to be out of date. What runs goes on."""
        with self._lock:
            future, _ = self._flights.get(key, (None, 0.0))
            if future is not None and future.done() and not future.exception() and future.result() is result:
                del self._flights[key]

    def _drop_old(self) -> None:
        now = time.monotonic()
        for key in [key for key, (_, until) in self._flights.items() if until <= now]:
            del self._flights[key]
