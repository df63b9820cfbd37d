"""One client's SSH connection to a hosted router: sign-in, exec requests, and the faults to be met there."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from simulator.router import Result

if TYPE_CHECKING:
    from simulator.ssh_server import HostedRouter

LOG = "simulator.ssh"
logging.getLogger(LOG).addHandler(logging.NullHandler())

#: What writing to a client that has gone may raise.
GONE = (OSError, EOFError, paramiko.SSHException)
_FLOOD = b"warning: something on this router is talkative\n" * 500


class Connection(paramiko.Transport):
    """A connection that knows when it is over, and answers a request before the command behind it says anything."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.gone = threading.Event()
        self.local_version = "SSH-2.0-dropbear"
        self.set_log_channel(LOG)
        self._opened: dict[int, paramiko.Channel] = {}
        self._pending: list[Callable[[], None]] = []

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.gone.set()

    def after_reply(self, action: Callable[[], None]) -> None:
        """Do this as soon as the reply to the request being handled is out (called in the connection's own thread)."""
        self._pending.append(action)

    def take_over(self, channel: paramiko.Channel) -> None:
        """Remove a channel from those that were opened and have not asked for anything yet.

        paramiko queues opened channels for whoever accepts them, and closes one that nobody holds any more: so keep
        those that are still to be used, and only those.
        """
        while channel.get_id() not in self._opened and (opened := self.accept(0)) is not None:
            self._opened[opened.get_id()] = opened
        self._opened.pop(channel.get_id(), None)

    def _send_user_message(self, data: paramiko.Message) -> None:
        # A fast command could otherwise close its channel before its client heard that it was accepted.
        super()._send_user_message(data)  # type: ignore[misc]
        if self._pending and threading.current_thread() is self:
            pending, self._pending = self._pending, []
            for action in pending:
                action()

    def cut(self) -> None:
        """Close the TCP connection without a word, then everything behind it."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.close()
        self.join()


class Session(paramiko.ServerInterface):
    """What a signed-in client may do: run commands, nothing else."""

    def __init__(self, hosted: HostedRouter, connection: Connection) -> None:
        self._hosted = hosted
        self._connection = connection

    def get_allowed_auths(self, username: str) -> str:
        del username
        return self._hosted.allowed_auths

    def check_auth_password(self, username: str, password: str) -> int:
        return self._signed_in(self._hosted.accepts_password(username, password))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._signed_in(self._hosted.accepts_key(username, key))

    def _signed_in(self, accepted: bool) -> int:
        self._hosted.count_auth(accepted)
        return AUTH_SUCCESSFUL if accepted else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        line = command.decode(errors="surrogateescape")
        self._connection.take_over(channel)
        self._connection.after_reply(
            lambda: self._hosted.spawn(_Exec(self._hosted, self._connection, channel, line).run)
        )
        return True

    def check_global_request(self, kind: str, msg: paramiko.Message) -> Any:
        del kind, msg
        return False  # answered with a failure, which is what keepalive asks for: an answer


class _Exec:
    """One command, from request to exit status, in a thread of its own."""

    def __init__(self, hosted: HostedRouter, connection: Connection, channel: paramiko.Channel, line: str) -> None:
        self._hosted = hosted
        self._connection = connection
        self._channel = channel
        self._line = line
        self._faults = hosted.faults

    def run(self) -> None:
        try:
            with self._hosted.command(self._line) as nlbw_busy:
                if self._hosted.command_delay_s:
                    self._connection.gone.wait(self._hosted.command_delay_s)
                if self._faults.hang:
                    self._wait_for_the_client_to_give_up()
                    return
                result = self._hosted.router.run(self._line, nlbw_busy=nlbw_busy)
                if not self._send(result):
                    return
            if not self._faults.no_exit_status:
                status = self._faults.exit_status
                self._channel.send_exit_status(result.status if status is None else status)
        except GONE:
            pass
        finally:
            with contextlib.suppress(*GONE):
                self._channel.close()

    def _send(self, result: Result) -> bool:
        """Send both outputs; False where the connection was cut on the way."""
        faults, channel = self._faults, self._channel
        flood = faults.stderr_flood
        while flood > 0:
            channel.sendall_stderr(_FLOOD[:flood])
            flood -= len(_FLOOD)
        stdout = result.stdout if faults.stdout is None else faults.stdout
        while faults.endless:
            channel.sendall((stdout or b"\n") * 1_000)
        if faults.drip_s is not None:
            self._drip(stdout if faults.cut_after is None else stdout[: faults.cut_after], faults.drip_s)
        elif stdout:
            channel.sendall(stdout if faults.cut_after is None else stdout[: faults.cut_after])
        if faults.cut_after is not None:
            self._connection.cut()
            return False
        if result.stderr:
            channel.sendall_stderr(result.stderr)
        return True

    def _drip(self, stdout: bytes, delay_s: float) -> None:
        for at in range(len(stdout)):
            self._channel.sendall(stdout[at : at + 1])
            if self._connection.gone.wait(delay_s):
                return

    def _wait_for_the_client_to_give_up(self) -> None:
        while not self._channel.closed and not self._connection.gone.wait(0.1):
            pass
