"""Routers to connect to: Debian's real dropbear where it can run, and paramiko servers that misbehave on demand."""

import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from tests.commands_server_operations.paramiko_router import ParamikoRouter, RawPeer
from tests.dropbear import FIXTURES, Home

__all__ = ["FIXTURES", "Home"]


@pytest.fixture
def router() -> Iterator[Callable[..., ParamikoRouter]]:
    """Starts paramiko routers: router(answer, password=…, …)."""
    started: list[ParamikoRouter] = []

    def start(*args: object, **options: object) -> ParamikoRouter:
        started.append(ParamikoRouter(*args, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., RawPeer]]:
    """Starts raw TCP peers: peer(handle)."""
    started: list[RawPeer] = []

    def start(handle: Callable[[socket.socket], None]) -> RawPeer:
        started.append(RawPeer(handle))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def target() -> Callable[..., RouterTarget]:
    """Makes targets on the loopback: target(port, password="right", …)."""

    def make(port: int, **fields: object) -> RouterTarget:
        defaults: dict[str, object] = {
            "session_id": "alice",
            "router_id": "r1",
            "host": "127.0.0.1",
            "username": "root",
            "password": "right",
        }
        return RouterTarget(port=port, **(defaults | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def manager() -> Iterator[Callable[..., RouterConnectionManager]]:
    """Makes managers that may reach the loopback and pin whatever key they are shown."""
    made: list[RouterConnectionManager] = []

    def make(**options: object) -> RouterConnectionManager:
        defaults: dict[str, object] = {
            "allowed_networks": [ip_network("127.0.0.0/8")],
            "connect_timeout_s": 5,
            "command_timeout_s": 5,
            "pin_host_key": lambda target, presented: presented,
        }
        made.append(RouterConnectionManager(**(defaults | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()
