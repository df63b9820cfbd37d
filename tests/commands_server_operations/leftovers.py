"""What a failed or closed connection must not leave behind in this process."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from utils.errors import NetPilotError

#: What a deadline of 3 s and less must stay under, however loaded the machine is.
GENEROUS_S = 15.0


def client_threads() -> list[threading.Thread]:
    """paramiko's threads of this process that are clients, and the pool's own."""
    return [
        thread
        for thread in threading.enumerate()
        if thread.name == "router-deadlines"
        or isinstance(thread, threading.Timer)
        or (isinstance(thread, paramiko.Transport) and not thread.server_mode)
    ]


def open_to(port: int) -> int:
    """How many sockets of this process are connected to ``port``."""
    mine = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            mine.add(os.readlink(f"/proc/self/fd/{fd}"))
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) == port and f"socket:[{row[9]}]" in mine for row in rows)


def fails_within_reason(connections: RouterConnectionManager, target: RouterTarget, error: type[NetPilotError]) -> str:
    """Run a command that must fail, soon and leaving nothing open; its message."""
    begun = time.monotonic()
    with pytest.raises(error) as caught:
        connections.run(target, "cmd")
    assert time.monotonic() - begun < GENEROUS_S
    assert open_to(target.port) == 0
    for thread in client_threads():
        if thread.name != "router-deadlines":
            thread.join(GENEROUS_S)  # a cancelled timer needs a moment to end
            assert not thread.is_alive()
    return caught.value.message
