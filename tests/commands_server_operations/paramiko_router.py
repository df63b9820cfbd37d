"""SSH servers for the tests: a paramiko one that does as told and writes down what it saw, and raw TCP peers."""

import os
import socket
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

import paramiko

#: Answers one command: writes to the channel and ends it, in whatever broken way a test wants.
Answer = Callable[[paramiko.Channel, str], None]


def says(stdout: bytes, *, stderr: bytes = b"", status: int | None = 0) -> Answer:
    """An answer that sends these bytes and ends as a shell does."""

    def answer(channel: paramiko.Channel, command: str) -> None:
        channel.sendall_stderr(stderr)
        channel.sendall(stdout)
        channel.shutdown_write()
        if status is not None:
            channel.send_exit_status(status)
        channel.close()

    return answer


def shell(path: str, program: str = "sh") -> Answer:
    """An answer by a real shell that finds its commands in ``path`` first."""

    def answer(channel: paramiko.Channel, command: str) -> None:
        done = subprocess.run(
            [program, "-c", command], env=os.environ | {"PATH": path}, capture_output=True, check=False
        )
        says(done.stdout, stderr=done.stderr, status=done.returncode)(channel, command)

    return answer


class TcpPeer(ABC):
    """Accepts connections on a loopback port and serves each on a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @abstractmethod
    def serve(self, sock: socket.socket) -> None:
        """Talk to one client until it or we have had enough; an end of the connection need not be caught."""

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            self.serve(sock)

    def cut(self) -> None:
        """End all connections at once, without a word of SSH; one that comes meanwhile stays."""
        for sock in tuple(self.sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for sock in self.sockets:
            sock.close()


class RawPeer(TcpPeer):
    """A peer that leaves each connection to a function, which need not speak SSH."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self._handle = handle
        super().__init__()

    def serve(self, sock: socket.socket) -> None:
        self._handle(sock)


class ParamikoRouter(TcpPeer):
    """An SSH server with one user, root; what clients tried is in ``sign_ins`` and ``commands``."""

    def __init__(
        self,
        answer: Answer,
        *,
        password: str | None = "right",
        methods: str = "password",
        host_keys: list[paramiko.PKey] | None = None,
        kex: tuple[str, ...] = (),
    ) -> None:
        """``kex``: the only ways to agree on a key that it offers."""
        self.answer = answer
        self.password = password
        self.methods = methods
        self.host_keys = host_keys or [paramiko.ECDSAKey.generate()]
        self.kex = kex
        #: (method, what was offered)
        self.sign_ins: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self.connections = 0
        self.running = 0
        self.most_running = 0
        self.lock = threading.Lock()
        super().__init__()

    @property
    def host_key(self) -> str:
        return f"{self.host_keys[0].get_name()} {self.host_keys[0].get_base64()}"

    def serve(self, sock: socket.socket) -> None:
        self.connections += 1
        transport = paramiko.Transport(sock)
        for key in self.host_keys:
            transport.add_server_key(key)
        if self.kex:
            transport.get_security_options().kex = self.kex
        transport.start_server(event=threading.Event(), server=_Session(self))

    def execute(self, channel: paramiko.Channel, command: str) -> None:
        with self.lock:
            self.commands.append(command)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        with suppress(OSError, EOFError, paramiko.SSHException):
            self.answer(channel, command)
        with self.lock:
            self.running -= 1


class _Session(paramiko.ServerInterface):
    def __init__(self, router: ParamikoRouter) -> None:
        self.router = router

    def get_allowed_auths(self, username: str) -> str:
        return self.router.methods

    def _judge(self, method: str, offered: str) -> int:
        self.router.sign_ins.append((method, offered))
        return paramiko.AUTH_SUCCESSFUL if offered == self.router.password else paramiko.AUTH_FAILED

    def check_auth_none(self, username: str) -> int:
        self.router.sign_ins.append(("none", ""))
        return paramiko.AUTH_SUCCESSFUL if self.router.password is None else paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        if "password" not in self.router.methods:
            return paramiko.AUTH_FAILED
        return self._judge("password", password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._judge("publickey", key.get_base64())

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._judge("keyboard-interactive", responses[0])

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self.router.execute, args=(channel, command.decode()), daemon=True).start()
        return True
