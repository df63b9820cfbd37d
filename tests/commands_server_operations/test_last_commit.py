"""When nlbwmon last wrote the running period's file: asked of real shells, in the same command as the counters."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from commands_server_operations import device_usage_execute as execute
from commands_server_operations.router_connection_manager import CommandResult, RouterConnectionManager, RouterTarget
from tests.commands_server_operations.conftest import FIXTURES, Home
from tests.commands_server_operations.paramiko_router import ParamikoRouter, shell

LIVE = (FIXTURES / "live-dual-stack.json").read_bytes()
WRITTEN = 1_794_700_800
NOVEMBER = "2026-11-01"


class Watched:
    """Connections that keep what they were given to run."""

    def __init__(self, connections: RouterConnectionManager) -> None:
        self._connections = connections
        self.commands: list[str] = []

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        self.commands.append(command)
        return self._connections.run(target, command)


@pytest.fixture
def connections(manager: Callable[..., RouterConnectionManager]) -> Watched:
    return Watched(manager())


@pytest.fixture
def one(home: Home, router: Callable[..., ParamikoRouter], target: Callable[..., RouterTarget]) -> RouterTarget:
    return target(router(shell(home.path)).port)


def write(path: Path, at: int = WRITTEN) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (at, at))


@pytest.mark.parametrize("ending", [".db", ".db.gz"])
def test_it_comes_with_the_counters_in_one_round_trip(
    connections: Watched, one: RouterTarget, tmp_path: Path, ending: str
) -> None:
    write(tmp_path / "nlbwmon" / f"20261101{ending}")
    write(tmp_path / "nlbwmon" / f"20261001{ending}", at=1)
    directory = str(tmp_path / "nlbwmon")
    answer = execute.get_current_bandwidth_data(connections, one, period=NOVEMBER, directory=directory)
    assert answer.last_commit == f"{WRITTEN}\n"
    assert answer.usage_json == LIVE
    assert len(connections.commands) == 1


def test_behind_dropbear_it_is_asked_in_the_same_way(
    connections: Watched, dropbear: tuple[int, str], target: Callable[..., RouterTarget], tmp_path: Path
) -> None:
    port, private_key = dropbear
    write(tmp_path / "nlbwmon" / "20261101.db.gz")
    answer = execute.get_current_bandwidth_data(
        connections,
        target(port, password=None, private_key=private_key),
        period=NOVEMBER,
        directory=str(tmp_path / "nlbwmon"),
    )
    assert answer.last_commit == f"{WRITTEN}\n"


def test_without_the_file_it_is_not_known_and_the_reading_is_whole(
    connections: Watched, one: RouterTarget, tmp_path: Path
) -> None:
    answer = execute.get_current_bandwidth_data(connections, one, period=NOVEMBER, directory=str(tmp_path))
    assert answer.last_commit is None
    assert answer.usage_json == LIVE


def test_it_is_asked_before_the_clock_which_stays_right_before_the_counters(
    connections: Watched, one: RouterTarget
) -> None:
    execute.get_current_bandwidth_data(connections, one, period="2031-02-31", directory="/etc/nlbwmon")
    commands = [part.strip() for part in connections.commands[0].split(";")]
    assert [commands[at] for at in (0, 2, 4, 6)] == [
        "date -r /etc/nlbwmon/20310231.db.gz +%s",
        "date -r /etc/nlbwmon/20310231.db +%s",
        "date +%s",
        "nlbw -c json",
    ]


@pytest.mark.parametrize(("period", "directory"), [(None, None), (NOVEMBER, None), (None, "/etc/nlbwmon")])
def test_nothing_is_asked_where_the_file_is_not_known(
    connections: Watched, one: RouterTarget, period: str | None, directory: str | None
) -> None:
    answer = execute.get_current_bandwidth_data(connections, one, period=period, directory=directory)
    assert answer.last_commit is None
    assert "date -r" not in connections.commands[0]


@pytest.mark.parametrize(
    "directory",
    [
        *("", "/", "etc/nlbwmon", "-r", "/etc/../root", "/etc/nlb wmon", "/etc/nlbwmon\n", "/etc//nlbwmon", "/é"),
        *("/etc; reboot", "/$(reboot)", "/`reboot`", '/"', "/'", "/a|b", "/a&b", "/a>b", "/*", "/~", "/\\"),
        "/" + "a" * 128,
    ],
)
def test_a_directory_that_could_be_anything_else_never_gets_into_a_command(
    connections: Watched, one: RouterTarget, directory: str
) -> None:
    answer = execute.get_current_bandwidth_data(connections, one, period=NOVEMBER, directory=directory)
    assert answer.last_commit is None
    assert answer.usage_json == LIVE
    assert "date -r" not in connections.commands[0]
    assert "reboot" not in connections.commands[0]


@pytest.mark.parametrize("period", ["2026-11-01; reboot", "$(reboot)", "20261101", "../passwd", "2026-11-01\n"])
def test_a_name_that_is_no_date_never_gets_into_a_command(connections: Watched, one: RouterTarget, period: str) -> None:
    with pytest.raises(ValueError, match="no name of an accounting period"):
        execute.get_current_bandwidth_data(connections, one, period=period, directory="/etc/nlbwmon")
    assert connections.commands == []
