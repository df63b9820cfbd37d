"""Routers that have lived already, and a server that reads their archives by itself."""

from collections.abc import Callable
from typing import Any

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.archived_homes import DAYS, MONTHS, Ahead, lived_home
from tests.homes import register


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], clock: ManualClock) -> Runtime:
    return make_runtime(Ahead(clock).now, backfill=True)


@pytest.fixture
def join(runtime: Runtime, ssh: SshServer) -> Callable[..., tuple[RouterContext, HostedRouter]]:
    """Registers a router that has lived already."""

    def join(router: SimulatedRouter, **fields: Any) -> tuple[RouterContext, HostedRouter]:
        hosted = ssh.add(router)
        return register(runtime, hosted, **fields), hosted

    return join


@pytest.fixture
def months(clock: ManualClock) -> SimulatedRouter:
    return lived_home(clock, MONTHS)


@pytest.fixture
def days(clock: ManualClock) -> SimulatedRouter:
    return lived_home(clock, DAYS, database_interval="2031-10-01/1", database_generations=0)
