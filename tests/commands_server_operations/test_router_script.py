"""The frame of a script's answer: its sections, in order and to their end, or none of it."""

import pytest

from commands_server_operations.router_connection_manager import CommandResult, RouterTarget
from commands_server_operations.router_script import run_script
from tests.commands_server_operations.scripted_answers import Scripted, anywhere
from utils.errors import BadRouterOutput


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Welcome! This account has no shell.\n",
        "first",
        "first{nonce} a 0\n",
        "first{nonce} a 0\nsecond{nonce} b",
        "first{nonce} a 0\nsecond{nonce} b 0",
        "second{nonce} b 0\nfirst{nonce} a 0\n",
        "first{nonce} a 0\nfirst{nonce} a 0\nsecond{nonce} b 0\n",
        "first{nonce} a x\nsecond{nonce} b 0\n",
    ],
)
def test_sections_that_are_missing_or_out_of_order_are_refused(answer: str) -> None:
    with pytest.raises(BadRouterOutput, match=r"did not run the command to its end: its answer has no section [ab]\."):
        run_script(Scripted(answer), anywhere(), {"a": "date", "b": "date"})


@pytest.mark.parametrize("status", [1, 255, None])
def test_a_complete_answer_of_a_failed_shell_is_refused(status: int | None) -> None:
    with pytest.raises(BadRouterOutput, match="exit status"):
        run_script(Scripted("{nonce} a 0\n", status=status), anywhere(), {"a": "date"})


def test_a_marker_with_another_nonce_is_output() -> None:
    fake = "0" * 32 + " a 0\n"
    sections = run_script(Scripted(fake + "{nonce} a 0\n"), anywhere(), {"a": "date"})
    assert sections["a"].text == fake


def test_of_a_text_that_is_far_too_long_its_first_whole_lines_are_read() -> None:
    line = "x" * 99 + "\n"
    section = run_script(Scripted(line * 1_000 + "{nonce} a 0\n"), anywhere(), {"a": "date"})["a"]
    assert section.text == line * 655, "64 KiB"
    assert section.text_up_to(250) == line * 2
    assert section.text_up_to(100_000) == line * 1_000
    endless = run_script(Scripted("9" * 100_000 + "{nonce} a 0\n"), anywhere(), {"a": "date"})["a"]
    assert endless.text == ""


def test_text_that_is_no_utf8_is_kept_readable() -> None:
    class Latin(Scripted):
        def run(self, target: RouterTarget, command: str) -> CommandResult:
            result = super().run(target, command)
            return CommandResult(stdout=b"M\xfcller" + result.stdout, stderr=b"", exit_status=0, duration_s=0)

    assert run_script(Latin("{nonce} a 0\n"), anywhere(), {"a": "date"})["a"].text == "M�ller"


def test_the_nonce_is_fresh_for_every_script() -> None:
    connections = Scripted("{nonce} a 0\n", "{nonce} a 0\n")
    for _ in range(2):
        run_script(connections, anywhere(), {"a": "date"})
    assert connections.commands[0] != connections.commands[1]
