"""Several commands in one SSH round trip, framed so that no output can be mistaken for the frame.

Each command is followed by an echo of a fresh random nonce, the section's name and the exit status. Only
``;``, double quotes, ``$?`` and ``$(…)`` are used, so busybox ash, dash and bash all run it.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from commands_server_operations.router_target import CommandResult, RouterTarget
from utils.errors import BadRouterOutput

#: Nothing in it means anything to a shell, but for the one process id that is asked for.
_COMMAND = re.compile(r"(?:[A-Za-z0-9 ./_%+@\[\]-]|\$\(pidof nlbwmon\))+", re.ASCII)

#: Bytes of what a small command prints; what real ones print is far shorter.
_LONGEST_TEXT = 64 * 1024

_NAME = re.compile(r"[a-z0-9_ -]+", re.ASCII)

#: What ends a marker: the command's exit status.
_STATUS = re.compile(rb"(\d{1,3})\r?\n")


class _Connections(Protocol):
    def run(self, target: RouterTarget, command: str) -> CommandResult: ...


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one command of the script wrote to standard output, and its exit status."""

    output: bytes
    exit_status: int

    @property
    def text(self) -> str | None:
        """The output as text, undecodable bytes replaced, whole lines of 64 KiB at most; None where it failed."""
        return self.text_up_to(_LONGEST_TEXT)

    def text_up_to(self, most_bytes: int) -> str | None:
        """The same of a command that may print more. A router that prints more than that is not listened to further."""
        if self.exit_status != 0:
            return None
        output = self.output
        if len(output) > most_bytes:
            output = output[: output.rfind(b"\n", 0, most_bytes) + 1]
        return output.decode("utf-8", errors="replace")


def run_script(connections: _Connections, target: RouterTarget, commands: Mapping[str, str]) -> dict[str, Section]:
    """Run the commands one after another and give back a section for each, under the same names.

    Names and commands are the program's own text, never a user's or a router's. Raises ValueError where one of them
    has something in it that a shell takes for more than a word, BadRouterOutput where a section is missing or the
    shell itself fails, and what connections.run raises.
    """
    for name, command in commands.items():
        if not _NAME.fullmatch(name) or not _COMMAND.fullmatch(command):
            raise ValueError(f"{name[:40]!r}: {command[:80]!r} may not be sent to a router")
    nonce = secrets.token_hex(16)
    # The last command is an echo, so a healthy shell exits with 0 whatever the commands did.
    script = "; ".join(f'{command}; echo "{nonce} {name} $?"' for name, command in commands.items())
    result = connections.run(target, script)
    sections = _split(result.stdout, nonce, list(commands), target)
    if result.exit_status != 0:
        ended = "no exit status" if result.exit_status is None else f"exit status {result.exit_status}"
        raise BadRouterOutput(f"The shell of the router {target.where} ended with {ended}.")
    return sections


def _split(output: bytes, nonce: str, names: list[str], target: RouterTarget) -> dict[str, Section]:
    """The sections in the order of ``names``. The nonce is fresh, so nothing else on the router knows it."""
    sections = {}
    at = 0
    for name in names:
        # A command's output needs no newline at its end: the marker begins wherever the output stops.
        marker = f"{nonce} {name} ".encode()
        end = output.find(nonce.encode(), at)
        is_there = end >= 0 and output.startswith(marker, end)
        match = _STATUS.match(output, end + len(marker)) if is_there else None
        if match is None:
            raise BadRouterOutput(
                f"The router {target.where} did not run the command to its end: its answer has no section {name}."
            )
        sections[name] = Section(output=output[at:end], exit_status=int(match[1]))
        at = match.end()
    return sections
