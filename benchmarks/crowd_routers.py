"""Twenty simulated routers in a process of their own; some of them are never well, each time in another way."""

import contextlib
import multiprocessing
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from simulator.clock import SystemClock
from simulator.faults import Faults
from simulator.home import office, office_traffic, typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer

ROUTERS = 20
_OFFICES = 2

#: The last ones.
FAULTY = 4

#: How long a faulty router stays faulty in one way.
_TURN_S = 20.0

_FAULTS = (
    Faults(hang=True),
    Faults(drip_s=0.2),
    Faults(refuse=True),
    Faults(silent=True),
    Faults(cut_after=300),
    Faults(endless=True),
    Faults(stdout=b"\x00\xff{not JSON" * 1_000),
    Faults(stderr_flood=20_000_000),
    Faults(exit_status=1),
    Faults(no_exit_status=True),
    Faults(other_host_key=True),
    Faults(refuse_auth=True),
)


@dataclass(frozen=True)
class CrowdRouter:
    """Where one listens, and what it lets its user in with."""

    port: int
    password: str
    is_faulty: bool


class CrowdRouters:
    """The routers; well, all of them, until `fall_ill`."""

    def __init__(self, routers: Sequence[CrowdRouter], ill: Event) -> None:
        self.routers = routers
        self._ill = ill

    def fall_ill(self) -> None:
        self._ill.set()


@contextlib.contextmanager
def crowd_routers() -> Iterator[CrowdRouters]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    ill = spawn.Event()
    passwords = [f"crowd-{number}-{random.randbytes(9).hex()}" for number in range(ROUTERS)]
    process = spawn.Process(target=_serve, args=(theirs, ill, passwords), daemon=True)
    process.start()
    try:
        ports = ours.recv()
        well = ROUTERS - FAULTY
        routers = [
            CrowdRouter(port, password, number >= well)
            for number, (port, password) in enumerate(zip(ports, passwords, strict=True))
        ]
        yield CrowdRouters(routers, ill)
    finally:
        process.kill()
        process.join(10)


def _serve(ready: Connection, ill: Event, passwords: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clock = SystemClock()
    offices = [office(clock, seed=number) for number in range(_OFFICES)]
    homes = [
        typical_home(start=clock.now() - timedelta(days=1), clock=clock, seed=number, ledger=False)
        for number in range(ROUTERS - _OFFICES)
    ]
    with SshServer() as server:
        hosted = [server.add(router, password=word) for router, word in zip([*offices, *homes], passwords, strict=True)]
        ready.send([router.port for router in hosted])
        ill.wait()
        _live(offices, hosted[-FAULTY:])


def _live(offices: Sequence[SimulatedRouter], faulty: Sequence[HostedRouter]) -> None:
    """Until the process is killed: offices work, and what is faulty turns from one fault to the next."""
    for step in range(1_000_000):
        for router in offices:
            office_traffic(router, step)
        for number, router in enumerate(faulty):
            router.faults = _FAULTS[(step + number * len(_FAULTS) // FAULTY) % len(_FAULTS)]
            router.drop_connections()
        time.sleep(_TURN_S)
