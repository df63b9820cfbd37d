"""A wire to PostgreSQL that can be cut at the worst moment: around a COMMIT."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import Enum

from psycopg2.extensions import make_dsn, parse_dsn

#: How libpq asks for it: a simple query, its length, its text.
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
#: The server's last word after each query: ready, and in no transaction.
_READY = b"Z\x00\x00\x00\x05I"


class Cut(Enum):
    """Where the wire breaks; the client sees the same."""

    #: The server never hears of the COMMIT and rolls back.
    BEFORE_COMMIT = "before"
    #: The server has committed; its answer is lost.
    AFTER_COMMIT = "after"


class PostgresProxy:
    """Passes everything on, until `cut_at` says which COMMIT is the last of its connection."""

    def __init__(self, url: str) -> None:
        self._server = parse_dsn(url)
        self._lock = threading.Lock()
        self._countdown = 0
        self._cut: Cut | None = None
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        address = {"host": "127.0.0.1", "port": str(self._listener.getsockname()[1])}
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        #: What clients connect to.
        self.url: str = make_dsn(**{**self._server, **address, **plain})
        threading.Thread(target=self._accept, name="postgres-proxy", daemon=True).start()

    def cut_at(self, number: int, cut: Cut) -> None:
        """Break the connection at the ``number``-th COMMIT from now on, whoever sends it (1 = the next)."""
        with self._lock:
            self._countdown, self._cut = number, cut

    @property
    def has_cut(self) -> bool:
        """Whether what `cut_at` asked for has happened."""
        with self._lock:
            return self._cut is None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            _end(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            self._sockets += [client, server]
            swallow = threading.Event()
            for work in (self._to_server, self._to_client):
                threading.Thread(target=work, args=(client, server, swallow), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server.get("host", "127.0.0.1"), self._server.get("port", "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _to_server(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        for said in _heard(client):
            cut = self._count(said)
            if cut is Cut.BEFORE_COMMIT:
                break
            if cut is Cut.AFTER_COMMIT:
                swallow.set()
            with contextlib.suppress(OSError):
                server.sendall(said)
            if cut is Cut.AFTER_COMMIT:
                return  # the other direction hangs up, once the server has said that it is done
        _end(server)
        _end(client)

    def _to_client(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        answer = b""
        for said in _heard(server):
            if not swallow.is_set():
                with contextlib.suppress(OSError):
                    client.sendall(said)
                continue
            answer += said
            if answer.endswith(_READY):
                break
        _end(client)
        _end(server)

    def _count(self, said: bytes) -> Cut | None:
        """What is to happen to this COMMIT, if it is one and its time has come."""
        if said != _COMMIT:
            return None
        with self._lock:
            self._countdown -= 1
            if self._countdown != 0:
                return None
            cut, self._cut = self._cut, None
            return cut


def _heard(sock: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while said := sock.recv(65_536):
            yield said


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
