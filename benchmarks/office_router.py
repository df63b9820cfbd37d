"""The captured office behind the simulator's SSH server, in a process of its own: it shares no core lock with ours."""

import contextlib
import json
import multiprocessing
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.readings import OFFICE
from simulator.clock import SystemClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.nlbwmon import load_rows
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer


@dataclass(frozen=True)
class OfficeRouter:
    """Where it listens, and the way to make its rows grow."""

    port: int
    password: str
    _pipe: Connection

    def grow(self) -> None:
        """Let a third of the rows count on."""
        self._pipe.send("grow")
        self._pipe.recv()


@contextlib.contextmanager
def office_router(*, always_print: bytes | None = None) -> Iterator[OfficeRouter]:
    """``always_print``: what every command answers, instead of its own output."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, always_print), daemon=True)
    process.start()
    try:
        port, password = ours.recv()
        yield OfficeRouter(port, password, ours)
    finally:
        with contextlib.suppress(OSError):
            ours.send("end")
        process.join(10)
        process.kill()


def _serve(pipe: Connection, always_print: bytes | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    router = empty_router(SystemClock())
    router.load(load_rows(json.loads(OFFICE)))
    for number, (mac, ip) in enumerate({key[3]: key[4] for key in router.rows() if key[0] == 4}.items()):
        router.add_host(mac, ip, f"pc-{number:03d}")
    rng = random.Random(1)
    with SshServer() as server:
        hosted = server.add(router)
        hosted.faults = Faults(stdout=always_print)
        pipe.send((hosted.port, hosted.password))
        with contextlib.suppress(EOFError):
            while pipe.recv() == "grow":
                _grow(router, rng)
                pipe.send("grown")


def _grow(router: SimulatedRouter, rng: random.Random) -> None:
    rows = router.rows()
    some = rng.sample(list(rows), len(rows) // 3)
    router.load({key: (1, rng.randrange(1, 2_000_000), 1_000, rng.randrange(1, 200_000), 100) for key in some})
