"""One command on one SSH channel: requesting it, reading its streams, waiting for its exit status.

SshConnection calls these under its deadline and turns what they and paramiko raise into RouterError.
"""

import select
import time

import paramiko

from commands_server_operations.router_target import RouterTarget
from utils.errors import OutputTooLarge

_CHUNK = 64 * 1024
_STDERR_KEPT = 64 * 1024


class Answer:
    """Both streams of a command, read together so that neither can stall the other."""

    def __init__(self, target: RouterTarget, max_output_bytes: int) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._target = target
        self._max = max_output_bytes

    @property
    def is_empty(self) -> bool:
        return not self.stdout and not self.stderr

    def read_to_end(self, channel: paramiko.Channel, deadline: float) -> None:
        """Read until both streams ended. Raises OutputTooLarge, or TimeoutError past ``deadline``."""
        readable = select.poll()
        readable.register(channel.fileno(), select.POLLIN)
        while True:
            # Looked at before reading: what came before the end is then read before the loop ends.
            ended = channel.eof_received or channel.closed
            if not self._read_what_is_there(channel):
                if ended:
                    return
                readable.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if time.monotonic() >= deadline:
                raise TimeoutError("the command's output did not end in time")

    def _read_what_is_there(self, channel: paramiko.Channel) -> bool:
        there = False
        if channel.recv_ready():
            there = True
            self.stdout += channel.recv(_CHUNK)
            if len(self.stdout) > self._max:
                raise OutputTooLarge(
                    f"The answer of the router {self._target.where} is larger than {self._max} bytes "
                    "(ROUTER_MAX_OUTPUT_BYTES). Nothing of it was stored."
                )
        if channel.recv_stderr_ready():
            there = True
            chunk = channel.recv_stderr(_CHUNK)
            self.stderr += chunk[: _STDERR_KEPT - len(self.stderr)]
        return there


def execute(channel: paramiko.Channel, command: str) -> None:
    """Request the command; wait until the router accepts it. Raises SSHException where it doesn't."""
    try:
        channel.exec_command(command)  # nosec B601 # ours; of dates at most come digits and dashes
    except paramiko.SSHException:
        # A quick command can be over before the router's "accepted" is out; paramiko then sees a closed channel.
        if not (channel.exit_status >= 0 or channel.recv_ready() or channel.recv_stderr_ready()):
            raise


def exit_status_of(channel: paramiko.Channel, transport: paramiko.Transport, deadline: float) -> int | None:
    """The exit status, None where the router closed the channel without one.

    Raises TimeoutError past ``deadline``, EOFError where the connection ended instead.
    """
    if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
        raise TimeoutError("the command's exit status did not come in time")
    status = channel.exit_status if channel.exit_status >= 0 else None
    if status is None or not channel.eof_received:
        # The router closed the channel, or the connection was cut: paramiko marks both alike, but after a
        # cut its thread is about to end.
        transport.join(0.2)
        if not transport.is_alive():
            raise EOFError
    return status
