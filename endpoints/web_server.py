"""The WSGI server: its threads, who gets a connection, and how it stops. What one connection may do is in
web_connections.py."""

import errno
import socket
import time
from collections import defaultdict
from threading import Event
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server

from endpoints.web_connections import SILENCE_S, Connection
from utils.networks import network_of

#: Web threads. A request that waits for a router holds one, so there are far more than cores.
WEB_THREADS = 96

#: Connections at once. With routers and the database they stay below 1,024 open files, a usual limit.
MAX_CONNECTIONS = 900

#: Of one address (of IPv6 one /64), where clients connect themselves. An office behind one address has thirty
#: dashboards open, and a browser keeps up to six connections.
MAX_PER_ADDRESS = 200

#: So many before the last one, connections of who has most end for new ones: at the limit itself nobody is heard.
_SPARE = 20

#: Of an answer that is made as it is sent: so much waits in memory for a slow client, then its making waits.
MAX_WAITING_BYTES = 2**18

#: The server stops reading a body here; the application refuses far smaller ones by their declared length.
MAX_BODY_BYTES = 2**20

#: A server that is stopping answers what has come in for so long; then it says 503 to what still waits for a thread.
FINISH_S = 6.5


class AddressInUse(Exception):
    """Another program listens where the server was told to."""


def check_address_is_free(host: str, port: int) -> None:
    """Raises AddressInUse where another program listens there; `WebServer` says the same, but may come much later."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(_in_use(host, port)) from None
            raise


def _in_use(host: str, port: int) -> str:
    return f'port {port} of {host} is in use; choose another one: PORT=N or --port N; with make: ARGS="--port N"'


class WebServer:
    """Listens at once, serves while `run` runs."""

    def __init__(self, app: Flask, *, host: str, port: int, most_per_address: int | None = None) -> None:
        """``most_per_address``: connections; None where all of them come from a proxy, or from this machine's user.

        Raises AddressInUse, OSError where it can't listen there for another reason.
        """
        self._sockets: dict[int, Any] = {}
        self._most_per_address = most_per_address
        self._looked_after_at = 0.0
        try:
            server = create_server(
                app,
                map=self._sockets,
                host=host,
                port=port,
                threads=WEB_THREADS,
                ident="",
                max_request_body_size=MAX_BODY_BYTES,
                connection_limit=MAX_CONNECTIONS,
                channel_timeout=SILENCE_S,
                outbuf_high_watermark=MAX_WAITING_BYTES,
                cleanup_interval=10,
                clear_untrusted_proxy_headers=False,  # the application knows how many proxies it has, and may trust
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(_in_use(host, port)) from None
            raise
        self._dispatcher = server.task_dispatcher
        self._listeners = [one for one in self._sockets.values() if isinstance(one, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = self._welcome
        self._is_stopping = False
        self._has_ended = Event()

    def run(self) -> None:
        """Serve until `stop`; then answer what has come in already, for up to `FINISH_S`."""
        while not self._is_stopping:
            self._turn(0.2)  # nothing wakes it for `stop`
        self._stop_listening()
        deadline = time.monotonic() + FINISH_S
        while time.monotonic() < deadline and any(connection.is_busy for connection in self._connections()):
            self._turn(0.1)
        self._dispatcher.shutdown(timeout=0.5)  # what still waits for a thread gets its 503
        self._has_ended.set()
        for connection in self._connections():
            connection.handle_close()
        wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Have `run` end. For signal handlers and other threads."""
        self._is_stopping = True

    def wait(self, timeout_s: float) -> bool:
        """Wait until `run` has answered everything; whether it has."""
        return self._has_ended.wait(timeout_s)

    def _turn(self, timeout_s: float) -> None:
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._sockets, count=1)  # select() ends at 1,024
        now = time.monotonic()
        if now - self._looked_after_at >= 1:
            self._looked_after_at = now
            for connection in self._connections():
                if connection.is_overdue(now):
                    connection.handle_close()  # at once: the system may never call its socket writable again

    def _welcome(
        self, server: BaseWSGIServer, sock: socket.socket, address: tuple[Any, ...], adj: Any, map: Any
    ) -> None:
        """A client has connected; where there is no room for it, it is told so by nothing but the end."""
        if self._most_per_address is None or self._make_room(network_of(str(address[0])), self._most_per_address):
            Connection(server, sock, address, adj, map)
        else:
            sock.close()

    def _make_room(self, network: str, most: int) -> bool:
        """Whether ``network`` may have one more connection. Where it has ``most``, the one of them that has been idle
        for longest ends for it. Where nearly all are taken, one ends of the network that has most of them: an idle one,
        else one that is asking; who has most himself gets no more."""
        of_network: defaultdict[str, list[Connection]] = defaultdict(list)
        for one in self._connections():
            if not one.will_close:
                of_network[one.network].append(one)
        ours = of_network[network]
        if len(ours) >= most:
            crowd = ours
        elif sum(map(len, of_network.values())) >= MAX_CONNECTIONS - _SPARE:
            crowd = max(of_network.values(), key=lambda theirs: (len(theirs), theirs is ours))
        else:
            return True
        ending = [one for one in crowd if one.is_idle]
        if crowd is not ours:
            ending = ending or [one for one in crowd if not one.requests]
        if not ending:
            return False
        min(ending, key=lambda one: one.last_activity).will_close = True
        return True

    def _connections(self) -> list[Connection]:
        return [one for one in self._sockets.values() if isinstance(one, Connection)]

    def _stop_listening(self) -> None:
        """Take on the connections that the system has accepted for us, refuse the next ones."""
        for listener in self._listeners:
            before = 0
            while before < len(self._sockets) < MAX_CONNECTIONS:
                before = len(self._sockets)
                listener.handle_accept()
            wasyncore.dispatcher.close(listener)  # its own close() would keep the loop from being woken, too
