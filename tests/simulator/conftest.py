"""Clocks, routers and real SSH clients for the simulator's own tests."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import paramiko
import pytest

from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer

START = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


class Client:
    """A paramiko client that trusts any host, with a deadline on everything it reads."""

    def __init__(self, hosted: HostedRouter, timeout: float = 5.0, **credentials: object) -> None:
        self.ssh = paramiko.SSHClient()
        self.ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        self._timeout = timeout
        self.ssh.connect(
            hosted.host,
            hosted.port,
            **({"username": hosted.username, "password": hosted.password} | credentials),
            look_for_keys=False,
            allow_agent=False,
            banner_timeout=timeout,
            timeout=timeout,
            auth_timeout=timeout,
        )

        # otherwise each command waits 40 ms for a delayed acknowledgement
        self.ssh.get_transport().sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, line: str) -> tuple[bytes, bytes, int]:
        _stdin, stdout, stderr = self.ssh.exec_command(line, timeout=self._timeout)
        return stdout.read(), stderr.read(), stdout.channel.recv_exit_status()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def router(clock: ManualClock) -> SimulatedRouter:
    return empty_router(clock)


@pytest.fixture
def server() -> Iterator[SshServer]:
    with SshServer() as running:
        yield running


@pytest.fixture
def hosted(server: SshServer, router: SimulatedRouter) -> HostedRouter:
    return server.add(router)


@pytest.fixture
def connect() -> Iterator[type[Client]]:
    """Makes clients and closes them when the test is over."""
    made: list[Client] = []

    def make(hosted: HostedRouter, **options: object) -> Client:
        made.append(Client(hosted, **options))
        return made[-1]

    yield make
    for client in made:
        client.ssh.close()
