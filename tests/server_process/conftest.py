"""server.py started as a process in a DATA_DIR of its own. The router lives in the test."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.clock import SystemClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.postgres import temporary_home
from tests.server_process.running_server import Server, postmaster


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_home() as home:
        yield home
        for folder in (home, home / "demo"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError, ValueError):
                os.kill(postmaster(folder), signal.SIGKILL)


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Server]]:
    """start("serve", PORT="5001"): what still runs at the end is killed."""
    started: list[Server] = []

    def start(*arguments: str, **env: str) -> Server:
        started.append(Server(data_dir, *arguments, **env))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def home() -> Iterator[tuple[SimulatedRouter, HostedRouter, dict[str, str]]]:
    """A router of real time, and the variables that point the server at it."""
    with SshServer() as ssh:
        router = empty_router(SystemClock())
        hosted = ssh.add(router)
        env = {
            "ROUTER_HOST": hosted.host,
            "ROUTER_PORT": str(hosted.port),
            "ROUTER_PASSWORD": str(hosted.password),
            "ROUTER_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        yield router, hosted, env
