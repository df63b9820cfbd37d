"""The router commands against a real dropbear and real shells, with an nlbw that replays captured output."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from commands_server_operations import device_usage_execute as execute
from commands_server_operations import period_files
from commands_server_operations.router_connection_manager import (
    CommandResult,
    RouterConnectionManager,
    RouterTarget,
)
from tests.commands_server_operations.conftest import FIXTURES, Home
from tests.commands_server_operations.paramiko_router import ParamikoRouter, shell
from tests.commands_server_operations.scripted_answers import Scripted, anywhere
from utils.errors import BadRouterOutput, NlbwmonDown, NlbwmonMissing, OutputTooLarge

LIVE = (FIXTURES / "live-dual-stack.json").read_bytes()


@pytest.fixture
def connections(manager: Callable[..., RouterConnectionManager]) -> RouterConnectionManager:
    return manager()


@pytest.fixture(params=["dropbear", "sh", "bash", "busybox"])
def at(request: pytest.FixtureRequest, home: Home, target: Callable[..., RouterTarget]) -> Iterator[RouterTarget]:
    """A router that runs commands in ``home``, once behind dropbear and once for each shell."""
    if request.param == "dropbear":
        port, private_key = request.getfixturevalue("dropbear")
        yield target(port, password=None, private_key=private_key)
        return
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    program = request.param
    if program == "busybox":
        program = str(home.bin / "ash")
        (home.bin / "ash").symlink_to(str(shutil.which("busybox")))
    router = ParamikoRouter(shell(home.path, program))
    yield target(router.port)
    router.close()


@pytest.fixture
def one(home: Home, router: Callable[..., ParamikoRouter], target: Callable[..., RouterTarget]) -> RouterTarget:
    """The same with one shell, for what does not depend on it."""
    return target(router(shell(home.path)).port)


def test_a_reading_is_complete_and_byte_for_byte(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    home.command("uci", "#!/bin/sh\ncase $3 in nlbwmon) echo \"nlbwmon.a='1'\" ;; *) echo Europe/Berlin ;; esac\n")
    answer = execute.get_current_bandwidth_data(connections, at)
    assert answer.usage_json == LIVE
    assert answer.period_list == (FIXTURES / "list.txt").read_text()
    assert answer.clock is not None
    assert abs(int(answer.clock) - datetime.now(UTC).timestamp()) < 60
    assert answer.uptime is not None
    assert float(answer.uptime.split()[0]) > 0
    assert answer.utc_offset is not None
    assert answer.utc_offset.strip()[0] in "+-"
    assert answer.settings == "nlbwmon.a='1'\n"
    assert answer.zone_name == "Europe/Berlin\n"
    assert answer.devices.board is not None
    assert json.loads(answer.devices.board) == {"hostname": "OpenWrt"}


def test_what_the_doctor_judges_comes_with_a_reading_and_alone(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    home.command("uci", '#!/bin/sh\ncase $3 in *_hw) exit 1 ;; *) echo "$3" ;; esac\n')
    home.command("ip", '#!/bin/sh\necho "$*"\n')
    home.command("cat", '#!/bin/sh\ncase $1 in /proc/sys/*) echo "$1" ;; *) exec /bin/cat "$@" ;; esac\n')
    facts = execute.get_current_bandwidth_data(connections, at).facts
    assert facts.settings == "nlbwmon\n"
    assert facts.zone_name == "system.@system[0].zonename\n"
    assert facts.flow_offloading == "firewall.@defaults[0].flow_offloading\n"
    assert facts.flow_offloading_hw is None
    assert facts.conntrack_acct == "/proc/sys/net/netfilter/nf_conntrack_acct\n"
    assert facts.rmem_max == "/proc/sys/net/core/rmem_max\n"
    assert facts.lan_addresses == "-6 addr show dev br-lan scope global\n"
    alone = execute.get_router_facts(connections, at)
    assert replace(alone, clock=facts.clock) == facts
    assert home.nlbw_calls == ["-c json", "-c list"]


def test_everything_but_nlbw_may_be_missing(connections: RouterConnectionManager, at: RouterTarget, home: Home) -> None:
    home.command("ubus", "#!/bin/sh\necho half an answer\nexit 4\n")
    home.command("ip", "#!/bin/sh\nexit 1\n")
    answer = execute.get_current_bandwidth_data(connections, at)
    assert answer.usage_json == LIVE
    assert answer.facts.lan_addresses is None
    assert answer.facts.flow_offloading is None
    assert answer.settings is None
    assert answer.zone_name is None
    assert answer.devices.board is None
    assert answer.devices.neighbours is None


def test_an_office_of_250_devices_comes_whole(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    shutil.copy(FIXTURES / "office-250-devices.json", home.folder / "live.json")
    answer = execute.get_current_bandwidth_data(connections, at)
    assert answer.usage_json == (FIXTURES / "office-250-devices.json").read_bytes()


def test_the_counters_are_read_between_clock_and_uptime() -> None:
    connections = Scripted(b"")
    with pytest.raises(BadRouterOutput):
        execute.get_current_bandwidth_data(connections, anywhere())
    commands = [part.strip() for part in connections.commands[0].split(";")]
    at = commands.index("nlbw -c json")
    assert commands[at - 2] == "date +%s"
    assert commands[at + 2] == "cat /proc/uptime"


def test_a_script_has_plain_words_semicolons_quotes_the_status_and_one_process_id(home: Home) -> None:
    connections = Scripted(b"")
    with pytest.raises(BadRouterOutput):
        execute.get_current_bandwidth_data(connections, anywhere())
    left = connections.commands[0].replace('"', "").replace("$?", "").replace(";", "").replace("$(pidof nlbwmon)", "")
    assert not set(left) & set("`$|&<>(){}\\'*~#\n")


def test_a_router_without_nlbwmon_says_so_at_once(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    (home.bin / "nlbw").unlink()
    with pytest.raises(NlbwmonMissing, match="opkg install nlbwmon"):
        execute.get_current_bandwidth_data(connections, at)


@pytest.mark.parametrize("status", ["247", "195"])
def test_a_daemon_that_was_busy_is_asked_again(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, status: str
) -> None:
    home.nlbw_fails(f"once {status}")
    assert execute.get_current_bandwidth_data(connections, one).usage_json == LIVE
    assert home.nlbw_calls.count("-c json") == 2


@pytest.mark.parametrize("status", ["247", "195"])
def test_a_daemon_that_is_down_is_asked_twice(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, status: str
) -> None:
    home.nlbw_fails(status)
    with pytest.raises(NlbwmonDown, match=r"127\.0\.0\.1"):
        execute.get_current_bandwidth_data(connections, one)
    assert home.nlbw_calls.count("-c json") == 2


def test_any_other_failure_names_the_exit_status(
    connections: RouterConnectionManager, one: RouterTarget, home: Home
) -> None:
    home.nlbw_fails("139")
    with pytest.raises(BadRouterOutput, match="exit status 139"):
        execute.get_current_bandwidth_data(connections, one)


def test_no_output_with_success_is_refused(connections: RouterConnectionManager, one: RouterTarget, home: Home) -> None:
    (home.folder / "live.json").write_bytes(b"")
    with pytest.raises(BadRouterOutput, match="nothing"):
        execute.get_current_bandwidth_data(connections, one)


def test_an_answer_above_the_limit_is_refused(
    manager: Callable[..., RouterConnectionManager], one: RouterTarget, home: Home
) -> None:
    shutil.copy(FIXTURES / "office-250-devices.json", home.folder / "live.json")
    with pytest.raises(OutputTooLarge, match="ROUTER_MAX_OUTPUT_BYTES"):
        execute.get_current_bandwidth_data(manager(max_output_bytes=100_000), one)


# --- archives ----------------------------------------------------------------------------------------------

OCTOBER, SEPTEMBER, MAY = date(2026, 10, 1), date(2026, 9, 1), date(2026, 5, 1)


def by_name(*starts: date) -> dict[date, str]:
    return {start: start.isoformat() for start in starts}


def test_a_name_that_is_no_date_reaches_no_router() -> None:
    with pytest.raises(ValueError, match="no name of an accounting period"):
        period_files.get_archived_periods(Scripted(), anywhere(), {OCTOBER: "2026-10-01; reboot"})


def test_archives_come_by_start_date_and_missing_ones_are_absent(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    found = period_files.get_archived_periods(connections, at, by_name(OCTOBER, MAY, SEPTEMBER))
    assert found == {day: (FIXTURES / f"home-{day}.json").read_bytes() for day in (OCTOBER, SEPTEMBER)}
    # "No data" is also what a busy daemon says, so that one alone is asked for again.
    assert home.nlbw_calls.count("-c json -t 2026-05-01") == 2
    assert home.nlbw_calls.count("-c json -t 2026-10-01") == 1


def test_earlier_archives_are_judged_each_by_itself(
    connections: RouterConnectionManager, at: RouterTarget, home: Home
) -> None:
    answer = period_files.get_earlier_archives(connections, at, by_name(OCTOBER, MAY, SEPTEMBER), directory="/nowhere")
    assert answer.tables == {day: (FIXTURES / f"home-{day}.json").read_bytes() for day in (OCTOBER, SEPTEMBER)}
    assert answer.unreadable == set()
    assert home.nlbw_calls.count("-c json -t 2026-05-01") == 2


@pytest.mark.parametrize("status", [1, 139])
def test_an_earlier_archive_that_nlbw_fails_on_is_not_taken_for_absent(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, status: int
) -> None:
    home.nlbw_fails(str(status))
    for answer in (
        period_files.get_earlier_archives(connections, one, by_name(OCTOBER), directory=None),
        period_files.get_period_files(connections, one, by_name(OCTOBER), directory=None),
    ):
        assert (answer.tables, answer.unreadable) == ({}, {OCTOBER})


@pytest.mark.parametrize(("directory", "is_there"), [("/etc/nlbwmon", True), ("/tmp/nlbwmon", False), (None, False)])
def test_no_data_of_a_file_that_is_there_is_a_daemon_that_is_busy(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, directory: str | None, is_there: bool
) -> None:
    home.nlbw_fails("195")
    home.command("date", "#!/bin/sh\n[ $1 = +%s ] || [ $2 = /etc/nlbwmon/20261001.db.gz ] && echo 1794700800\n")
    for answer in (
        period_files.get_earlier_archives(connections, one, by_name(OCTOBER), directory=directory),
        period_files.get_period_files(connections, one, by_name(OCTOBER), directory=directory),
    ):
        assert (answer.tables, answer.unreadable) == ({}, {OCTOBER} if is_there else set())


@pytest.mark.parametrize(("status", "error"), [(247, NlbwmonDown), (127, NlbwmonMissing)])
def test_earlier_archives_can_not_be_told_while_nlbwmon_does_not_answer(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, status: int, error: type[Exception]
) -> None:
    home.nlbw_fails(str(status))
    with pytest.raises(error):
        period_files.get_earlier_archives(connections, one, by_name(OCTOBER), directory=None)


def test_no_start_dates_need_no_round_trip() -> None:
    assert period_files.get_archived_periods(Scripted(), anywhere(), {}) == {}


def test_an_archive_that_was_busy_is_not_taken_for_absent(
    connections: RouterConnectionManager, one: RouterTarget, home: Home
) -> None:
    home.nlbw_fails("once 195")
    assert list(period_files.get_archived_periods(connections, one, by_name(OCTOBER))) == [OCTOBER]


def test_many_archives_stay_below_the_length_of_command_that_dropbear_takes(
    connections: RouterConnectionManager, one: RouterTarget, home: Home
) -> None:
    starts = [OCTOBER + timedelta(days=n) for n in range(60)]
    seen = []

    class Watching:
        def run(self, target: RouterTarget, command: str) -> CommandResult:
            seen.append(len(command))
            return connections.run(target, command)

    assert list(period_files.get_archived_periods(Watching(), one, by_name(*starts))) == [OCTOBER]
    assert max(seen) < 9000


@pytest.mark.parametrize(("days", "expected"), [(0, []), (60, [OCTOBER]), (3650, [OCTOBER, SEPTEMBER])])
def test_history_leaves_out_the_current_period_and_older_ones(
    connections: RouterConnectionManager, one: RouterTarget, home: Home, days: int, expected: list[date]
) -> None:
    home.command("date", "#!/bin/sh\n[ $1 = +%s ] && echo 1794700800 || echo +0100\n")  # 15 November 2026
    assert list(execute.get_historical_bandwidth_data(connections, one, days)) == expected
    assert "-c json -t 2026-11-01" not in home.nlbw_calls


def test_history_after_a_rollover_with_an_empty_list_is_empty(
    connections: RouterConnectionManager, one: RouterTarget, home: Home
) -> None:
    (home.folder / "list.txt").write_text("")
    assert execute.get_historical_bandwidth_data(connections, one, 365) == {}


@pytest.mark.parametrize("line", ["2026-13-01", "20261001", "2026-10-01; reboot", "$(reboot)"])
def test_a_list_with_something_else_than_dates_is_refused(line: str) -> None:
    connections = Scripted(
        f"2026-11-01\n{line}\n{{nonce}} periods 0\n1{{nonce}} clock 0\n+0000{{nonce}} utc_offset 0\n"
    )
    with pytest.raises(BadRouterOutput, match="no date"):
        execute.get_historical_bandwidth_data(connections, anywhere(), 365)
    assert len(connections.commands) == 1


# --- devices and the daemon's state ------------------------------------------------------------------------


def test_the_device_list_is_raw_text(connections: RouterConnectionManager, at: RouterTarget, home: Home) -> None:
    home.command("ip", '#!/bin/sh\necho "192.168.1.101 dev br-lan lladdr 02:11:22:33:44:01 STALE"\n')
    answer = execute.get_device_list(connections, at)
    assert answer.neighbours == "192.168.1.101 dev br-lan lladdr 02:11:22:33:44:01 STALE\n"
    assert answer.board == '{"hostname": "OpenWrt"}\n'


def test_nlbwmon_that_answers_is_running(connections: RouterConnectionManager, at: RouterTarget) -> None:
    status = execute.validate_nlbwmon_status(connections, at)
    assert (status.installed, status.running, status.usage_json) == (True, True, LIVE)


@pytest.mark.parametrize(
    ("state", "installed", "running", "message"),
    [
        ("247", True, False, "restart"),
        ("once 247", True, True, "answers"),
        ("127", False, False, "opkg"),
        ("1", True, False, "exit status 1"),
    ],
)
def test_the_status_says_what_to_mend(
    connections: RouterConnectionManager,
    one: RouterTarget,
    home: Home,
    state: str,
    installed: bool,
    running: bool,
    message: str,
) -> None:
    home.nlbw_fails(state)
    status = execute.validate_nlbwmon_status(connections, one)
    assert (status.installed, status.running) == (installed, running)
    assert message in status.message
