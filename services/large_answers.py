"""Large answers of routers are worked on few at a time, so that many of them at once take no more memory than these.

100,000 rows, parsed and compared with the 100,000 before, are some hundred megabytes; the usual few thousand are next
to nothing and never wait. Nor do many at once take more of the processor than two: 110,000 leases are two seconds of
it. For whoever parses a whole answer: readings, /current, the test of a router.
"""

import threading
from collections.abc import Iterator, Sized
from contextlib import contextmanager

from utils.errors import TooManyLargeAnswers

#: Bytes: some 10,000 rows.
LARGE = 1024 * 1024

#: One that waits for its router's files holds up no other yet.
_AT_ONCE = 2

#: Seconds; each takes one or two.
_PATIENCE_S = 30.0

# Memory is the process's, and so is this.
_room = threading.BoundedSemaphore(_AT_ONCE)


@contextmanager
def room_for(*answers: Sized | None) -> Iterator[None]:
    """Wait until there is room to work on these answers, bytes or texts; None is one that there isn't.

    Raises TooManyLargeAnswers where there is no room for long.
    """
    if sum(len(answer) for answer in answers if answer is not None) <= LARGE:
        yield
        return
    if not _room.acquire(timeout=_PATIENCE_S):
        raise TooManyLargeAnswers
    try:
        yield
    finally:
        _room.release()
