"""Who asked how often in the minute that ends now, in this process's memory: where RATELIMIT_STORAGE_URI is memory://.

Limits' own memory storage starts a thread at nearly every request, which goes through everything it has counted. This
one forgets what is over now and then, in the request that finds it is time to.
"""

import time
from collections import deque
from threading import Lock

from limits import RateLimitItem
from limits.util import WindowStats

#: How often what is over is forgotten, in seconds.
_FORGET_EVERY_S = 60.0


class MemoryWindows:
    """What rate_limits.py asks of limits' MovingWindowRateLimiter, with the same answers."""

    def __init__(self) -> None:
        #: By the limit and whom it is about: when it was hit, the oldest first, and when all of that is over.
        self._hits: dict[str, tuple[deque[float], float]] = {}
        self._forget_at = 0.0
        self._lock = Lock()

    def hit(self, item: RateLimitItem, *identifiers: str) -> bool:
        """One more, if there is room for it in the window."""
        key, now = item.key_for(*identifiers), time.time()
        with self._lock:
            if now >= self._forget_at:
                self._forget(now)
            hits, _ = self._hits.get(key) or (deque(maxlen=item.amount), 0.0)
            if len(hits) == item.amount and hits[0] > now - item.get_expiry():
                return False
            hits.append(now)  # the oldest makes room
            self._hits[key] = (hits, now + item.get_expiry())
        return True

    def test(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Whether one more would be a hit."""
        return self.get_window_stats(item, *identifiers).remaining > 0

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """When the oldest hit of the window leaves it, and how many more there may be."""
        now = time.time()
        with self._lock:
            hits, _ = self._hits.get(item.key_for(*identifiers), ((), 0.0))
            inside = [at for at in hits if at > now - item.get_expiry()]
        return WindowStats(min(inside, default=now) + item.get_expiry(), item.amount - len(inside))

    def _forget(self, now: float) -> None:
        self._hits = {key: (hits, over_at) for key, (hits, over_at) in self._hits.items() if over_at >= now}
        self._forget_at = now + _FORGET_EVERY_S
