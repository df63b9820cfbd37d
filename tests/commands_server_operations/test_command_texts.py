"""What reaches a router's shell: fixed texts, and values of which every character was looked at."""

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from commands_server_operations import device_usage_execute as execute
from commands_server_operations import period_files
from commands_server_operations.router_script import run_script
from commands_server_operations.router_target import CommandResult, RouterTarget
from tests.test_conventions import product_files
from utils.errors import RouterError

ANYWHERE = RouterTarget(session_id="alice", router_id="r1", host="192.0.2.1", port=22, username="root")
DAY = date(2026, 10, 1)

HOSTILE = [
    "2026-10-01; reboot",
    "2026-10-01\n",
    "2026-10-01\nreboot",
    "$(reboot)",
    "`reboot`",
    "/var/lib/nlbwmon;reboot",
    "/var/lib/$(reboot)",
    "/var/lib/nlbwmon\n",
    "/var/lib/nlbwmon && reboot",
    "/var/lib/../../etc",
    "/var/lib/a b",
    "-r/etc/shadow",
    "'",
    '"',
    "\\",
    "２０２６-10-01",
    "",
]

#: What the shell makes of a script beside its commands.
FRAME = re.compile(r'(?P<command>[^;"]+); echo "[0-9a-f]{32} [a-z0-9_ -]+ \$\?"(?:; |$)')
ONE_COMMAND = re.compile(
    r"cat /proc/\$\(pidof nlbwmon\)/stat|(?:cat|date|ip|ls|nlbw|ubus|uci)(?: [A-Za-z0-9./_%+@\[\]-]+)+"
)


class Recording:
    """Answers every script with the same hostile text in each section."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.commands: list[str] = []

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        self.commands += [command]
        marks = re.findall(r'echo "([0-9a-f]{32} [a-z0-9_ -]+) \$\?"', command)
        answer = "".join(f"{self.says}\n{mark} 0\n" for mark in marks)
        return CommandResult(stdout=answer.encode(), stderr=b"", exit_status=0, duration_s=0)


def ask_everything(connections: Recording, text: str) -> None:
    """Every question that there is, with ``text`` wherever it takes one; a refusal is as good as an answer."""
    questions = [
        lambda: execute.get_current_bandwidth_data(connections, ANYWHERE),
        lambda: execute.get_current_bandwidth_data(connections, ANYWHERE, period=text, directory="/var/lib/nlbwmon"),
        lambda: execute.get_current_bandwidth_data(connections, ANYWHERE, period="2026-10-01", directory=text),
        lambda: execute.get_historical_bandwidth_data(connections, ANYWHERE, 400),
        lambda: execute.get_device_list(connections, ANYWHERE),
        lambda: execute.get_router_facts(connections, ANYWHERE),
        lambda: execute.validate_nlbwmon_status(connections, ANYWHERE),
        lambda: period_files.get_archived_periods(connections, ANYWHERE, {DAY: text}),
        lambda: period_files.get_earlier_archives(connections, ANYWHERE, {DAY: text}, directory=None),
        lambda: period_files.get_period_files(connections, ANYWHERE, {DAY: text}, directory="/var/lib/nlbwmon"),
        lambda: period_files.get_period_files(connections, ANYWHERE, {DAY: "2026-10-01"}, directory=text),
    ]
    for ask in questions:
        try:
            ask()
        except (ValueError, RouterError):
            continue


@pytest.mark.parametrize("text", HOSTILE)
def test_no_string_of_a_user_or_a_router_reaches_a_shell_unchecked(text: str) -> None:
    connections = Recording(text)
    ask_everything(connections, text)
    assert len(connections.commands) >= 8
    for script in connections.commands:
        assert FRAME.sub("", script) == "", script
        for match in FRAME.finditer(script):
            assert ONE_COMMAND.fullmatch(match["command"]), match["command"]
    assert "reboot" not in "".join(connections.commands)


def test_good_values_do_reach_it() -> None:
    connections = Recording("2026-10-01")
    ask_everything(connections, "2026-09-01")
    sent = "".join(connections.commands)
    assert "date -r /var/lib/nlbwmon/20260901.db.gz +%s;" in sent
    assert "nlbw -c json -t 2026-09-01;" in sent


@pytest.mark.parametrize(
    "text", [one for one in HOSTILE if one and not one.startswith("-")] + ["a|b", "a>b", "a&b", "a#"]
)
def test_the_last_to_look_refuses_whatever_a_shell_might_take_for_more_than_a_word(text: str) -> None:
    connections = Recording("")
    if "../" not in text and " b" not in text:
        with pytest.raises(ValueError, match="may not be sent to a router"):
            run_script(connections, ANYWHERE, {"x": f"cat {text}"})
    with pytest.raises(ValueError, match="may not be sent to a router"):
        run_script(connections, ANYWHERE, {f"x {text}/": "date"})
    assert connections.commands == []


# --- there is no other way -------------------------------------------------------------------------------


def callers_of(method: str) -> set[str]:
    """Product files in which something's ``method`` is called."""
    return {
        path.name
        for path in product_files()
        if path.suffix == ".py" and "simulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    }


def test_only_the_script_runner_runs_commands_and_only_ssh_sends_them() -> None:
    assert callers_of("exec_command") == {"ssh_command.py"}
    assert callers_of("invoke_shell") == callers_of("system") == callers_of("popen") == set()
    running = callers_of("run") & {path.name for path in Path("commands_server_operations").glob("*.py")}
    assert running <= {"router_script.py", "router_connection_manager.py"}


def test_no_local_shell_is_started_either() -> None:
    for path in product_files():
        if path.suffix == ".py" and "simulator" not in path.parts:
            assert "shell=True" not in path.read_text(), path
