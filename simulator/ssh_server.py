"""A real SSH server in front of simulated routers: any number of them, each with its own port and host key."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import paramiko

from simulator.faults import Faults
from simulator.host_keys import host_key_from, new_host_key
from simulator.router import SimulatedRouter
from simulator.ssh_connection import Connection, Session


@dataclass(frozen=True, slots=True)
class Stats:
    """What clients did to one router so far."""

    connections: int = 0
    auth_attempts: int = 0
    auth_failures: int = 0
    commands: int = 0
    running: int = 0
    #: most commands that ran at the same time
    max_running: int = 0


class HostedRouter:
    """A router with an address. Made by `SshServer.add`."""

    def __init__(
        self,
        server: SshServer,
        router: SimulatedRouter,
        *,
        port: int,
        username: str,
        password: str | None,
        authorized_keys: Sequence[str],
        host_key: paramiko.PKey,
    ) -> None:
        self.router = router
        self.host = "127.0.0.1"
        self.port = port
        self.username = username
        self.password = password
        self.authorized_keys = list(authorized_keys)
        self.host_key = host_key
        #: seconds that every command takes
        self.command_delay_s = 0.0
        #: nlbwmon serves one client at a time: a second `nlbw` meanwhile fails with 195
        self.strict_nlbw = False
        self._server = server
        self._lock = threading.Lock()
        self._faults = Faults()
        self._other_key: paramiko.PKey | None = None
        self._stats = Stats()
        self._nlbw_running = 0
        self._connections: list[Connection] = []
        self._silent: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._listen()

    # -- for tests ----------------------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """SHA256:... of the host key, as ssh prints it."""
        return self.host_key.fingerprint

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        before, self._faults = self._faults, faults
        if before.silent and not faults.silent:
            self._close_silent()
        if faults.refuse and not before.refuse:
            self._stop_listening()
            self.drop_connections()
        elif before.refuse and not faults.refuse:
            self._listen()

    @property
    def stats(self) -> Stats:
        with self._lock:
            return self._stats

    def drop_connections(self) -> None:
        """Cut all connections there are; new ones are welcome."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.cut()

    def shown_key(self) -> paramiko.PKey:
        """The host key that clients are shown now."""
        if not self._faults.other_host_key:
            return self.host_key
        self._other_key = self._other_key or new_host_key()
        return self._other_key

    # -- for the connections --------------------------------------------------------------------------------

    @property
    def allowed_auths(self) -> str:
        ways = [("password", self.password is not None), ("publickey", bool(self.authorized_keys))]
        return ",".join(name for name, allowed in ways if allowed)

    def accepts_password(self, username: str, password: str) -> bool:
        return not self._faults.refuse_auth and (username, password) == (self.username, self.password)

    def accepts_key(self, username: str, key: paramiko.PKey) -> bool:
        known = {line.split()[1] if " " in line else line for line in self.authorized_keys}
        return not self._faults.refuse_auth and username == self.username and key.get_base64() in known

    def count_auth(self, accepted: bool) -> None:
        with self._lock:
            self._stats = replace(
                self._stats,
                auth_attempts=self._stats.auth_attempts + 1,
                auth_failures=self._stats.auth_failures + (not accepted),
            )

    @contextlib.contextmanager
    def command(self, line: str) -> Iterator[bool]:
        """While a command runs; gives whether nlbwmon is busy with another client."""
        asks_nlbw = re.search(r"\bnlbw\b", line) is not None
        with self._lock:
            running = self._stats.running + 1
            self._stats = replace(
                self._stats,
                commands=self._stats.commands + 1,
                running=running,
                max_running=max(self._stats.max_running, running),
            )
            busy = self.strict_nlbw and asks_nlbw and self._nlbw_running > 0
            self._nlbw_running += asks_nlbw
        try:
            yield busy
        finally:
            with self._lock:
                self._stats = replace(self._stats, running=self._stats.running - 1)
                self._nlbw_running -= asks_nlbw

    def spawn(self, work: Callable[[], None]) -> None:
        self._server.spawn(work)

    # -- listening ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._server.watch(self._listener, self)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._server.unwatch(self._listener)
            self._listener.close()
            self._listener = None

    def welcome(self, sock: socket.socket) -> None:
        """Take up a new connection."""
        with self._lock:
            self._stats = replace(self._stats, connections=self._stats.connections + 1)
            if self._faults.silent:
                self._silent.append(sock)
                return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        connection.add_server_key(self.shown_key())
        with self._lock:  # whoever drops connections finds each that a command may come over
            self._connections = [one for one in self._connections if one.is_alive()] + [connection]
            connection.start_server(event=threading.Event(), server=Session(self, connection))
        if self._faults.refuse:  # switched on while this one was on its way in
            connection.cut()

    def _close_silent(self) -> None:
        with self._lock:
            silent, self._silent = self._silent, []
        for sock in silent:
            sock.close()

    def close(self) -> None:
        """Stop listening and drop everybody."""
        self._stop_listening()
        self._close_silent()
        self.drop_connections()


class SshServer:
    """Hosts routers until closed; a context manager. After `close()` none of its threads is left."""

    def __init__(self) -> None:
        self._hosted: list[HostedRouter] = []
        self._lock = threading.Lock()
        self._workers: list[threading.Thread] = []
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._acceptor = threading.Thread(target=self._accept, name="simulator-accept", daemon=True)
        self._acceptor.start()

    def add(
        self,
        router: SimulatedRouter,
        *,
        port: int = 0,
        username: str = "root",
        password: str | None = "secret",  # noqa: S107 - a toy's password, known to everyone
        authorized_keys: Sequence[str] = (),
        host_key_file: Path | None = None,
    ) -> HostedRouter:
        """Give a router an address on 127.0.0.1. Port 0 takes a free one; `authorized_keys` are lines like
        "ssh-ed25519 AAAA... comment"; with a key file the host key survives a restart."""
        key = host_key_from(host_key_file) if host_key_file else new_host_key()
        hosted = HostedRouter(
            self,
            router,
            port=port,
            username=username,
            password=password,
            authorized_keys=authorized_keys,
            host_key=key,
        )
        self._hosted.append(hosted)
        return hosted

    def stats(self, router: SimulatedRouter | HostedRouter) -> Stats:
        """What clients did to this router."""
        return next(hosted.stats for hosted in self._hosted if router in (hosted, hosted.router))

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._wake.send(b"x")
        self._acceptor.join()
        for hosted in self._hosted:
            hosted.close()
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.join()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def __enter__(self) -> SshServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- for the hosted routers -------------------------------------------------------------------------------

    def watch(self, listener: socket.socket, hosted: HostedRouter) -> None:
        self._selector.register(listener, selectors.EVENT_READ, hosted)

    def unwatch(self, listener: socket.socket) -> None:
        self._selector.unregister(listener)

    def spawn(self, work: Callable[[], None]) -> None:
        """Run this in a thread that `close` waits for."""
        worker = threading.Thread(target=work, name="simulator-command", daemon=True)
        worker.start()
        with self._lock:
            self._workers = [one for one in self._workers if one.is_alive()] + [worker]

    def _accept(self) -> None:
        while not self._closing:
            for key, _events in self._selector.select():
                if not isinstance(key.data, HostedRouter):
                    continue
                # the listener may have been closed meanwhile, or its client be gone already
                with contextlib.suppress(OSError, ValueError):
                    sock, _address = key.fileobj.accept()  # type: ignore[union-attr]
                    key.data.welcome(sock)
