"""Letting go of what is over in the memory in which requests are counted, where RATELIMIT_STORAGE_URI names no other.

Left to itself limits' storage starts a thread for that at nearly every request, for which all others wait, starts one
twice when two requests come at the same time, which is an error, and keeps something of each address for good.
"""

from threading import Timer
from weakref import WeakMethod, ref

from limits.storage import MemoryStorage

#: Seconds.
_EVERY_S = 10.0


def sweep_seldom(storage: MemoryStorage) -> None:
    """Sweep ``storage`` in one thread, for as long as anybody has it."""
    storage.timer = _Sweep(storage)  # asked whether it is alive before another is started
    storage.timer.start()


class _Sweep(Timer):
    """Goes on, where other timers end."""

    def __init__(self, storage: MemoryStorage) -> None:
        super().__init__(_EVERY_S, lambda: None)
        self.name, self.daemon = "rate-limits", True
        self._storage, self._sweep = ref(storage), WeakMethod(storage.timer.function)  # the latter is limits' own way

    def run(self) -> None:
        while (storage := self._storage()) is not None and (sweep := self._sweep()) is not None:
            sweep()
            _forget_idle(storage)
            del storage, sweep  # so that it can go meanwhile
            self.finished.wait(self.interval)


def _forget_idle(storage: MemoryStorage) -> None:
    """What nothing is left of."""
    for key, requests in list(storage.events.items()):
        if not requests:
            with storage.locks[key]:  # who counts with it just now is done first
                if not storage.events.get(key):
                    storage.clear(key)
