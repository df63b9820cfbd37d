"""Traffic that never rests, for tests that kill, stop and restart what watches it."""

import contextlib
import threading
from collections.abc import Iterator
from random import Random

from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE


@contextlib.contextmanager
def traffic(router: SimulatedRouter, *, seed: int = 7, every_s: float = 0.005) -> Iterator[None]:
    """Two devices that never rest while the block runs."""
    stop = threading.Event()

    def flow() -> None:
        rng = Random(seed)
        while not stop.wait(every_s):
            router.traffic(PHONE, rx=rng.randrange(100_000), tx=rng.randrange(1_000), port=rng.randrange(1, 30))
            router.traffic(LAPTOP, rx=rng.randrange(1_000), tx=rng.randrange(9), family=6)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
