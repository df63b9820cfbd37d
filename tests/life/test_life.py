"""Every byte once, every gap shown: homes that live through anything, held against the truth after every reading."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from commands_server_operations.nlbw_answers import Connections
from commands_server_operations.router_connection_manager import RouterConnectionManager
from services.routers.credentials import Credentials
from services.routers.router_contacts import pin_host_key
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.homes import make_config
from tests.life.interruptions import MortalDatabase, without_waiting
from tests.life.machine import ClockMachine, LifeMachine
from tests.life.operations import INTERVALS
from tests.life.soak import Script, live, soak
from tests.life.watched_home import Tally
from utils.time import utc_now

#: The same examples on every machine and every run; `make soak` looks for new ones.
PROFILE = settings(
    max_examples=10,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def mortal(database_url: str) -> Iterator[MortalDatabase]:
    database = MortalDatabase(database_url)
    yield database
    database.close()


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("kind", [LifeMachine, ClockMachine])
def test_whatever_happens_every_byte_is_stored_once_or_shown_as_lost(
    mortal: MortalDatabase, kind: type[LifeMachine], interval: str
) -> None:
    machine = type("Machine", (kind,), {"database": mortal, "interval": interval})
    with without_waiting():
        run_state_machine_as_test(machine, settings=PROFILE)


@pytest.mark.parametrize("seed", [1, 2])
def test_fixed_lives_bring_no_difference(mortal: MortalDatabase, seed: int) -> None:
    said: list[str] = []

    tally, failures = soak(mortal, seed, steps=600, say=said.append)

    assert not failures, str(failures[0])
    assert tally.readings > 100
    assert tally.losses_shown > 10


def test_a_life_over_real_ssh_brings_no_difference(mortal: MortalDatabase) -> None:
    config = make_config()
    manager = RouterConnectionManager(
        allowed_networks=config.router_allowed_networks,
        connect_timeout_s=5,
        command_timeout_s=5,
        max_output_bytes=config.router_max_output_bytes,
        pin_host_key=lambda target, presented: pin_host_key(mortal, target, presented, at=utc_now()),
    )
    with SshServer() as ssh:

        def connect(router: SimulatedRouter) -> tuple[Connections, dict[str, object]]:
            hosted = ssh.add(router)
            credentials = Credentials(password=hosted.password)
            return manager, {"host": hosted.host, "port": hosted.port, "credentials": credentials}

        found = live(mortal, Script.drawn(5, 0, steps=80), Tally(), connect=connect)
        manager.close()
    assert found is None, "\n".join([str(found[0]), *found[1]])
