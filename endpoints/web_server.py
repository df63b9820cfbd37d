"""The WSGI server. Requests that it refuses before the application sees them get the envelope like all others."""

import errno
import secrets
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from threading import Event
from typing import Any

from flask import Flask
from pydantic_core import to_json
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from utils.errors import DatabaseUnavailable, NetPilotError, PayloadTooLarge, ValidationFailed
from utils.responses import error_body

#: Web threads. A request that waits for a router holds one, so there are far more than cores.
WEB_THREADS = 96

#: Connections at once, and how long one may be silent, in seconds: idle ones must not lock others out. With routers and
#: the database they stay below 1,024 open files, a usual limit.
MAX_CONNECTIONS = 900
SILENCE_S = 30

#: Of an answer that is made as it is sent: so much waits in memory for a slow client, then its making waits.
MAX_WAITING_BYTES = 2**18

#: The server stops reading a body here; the application refuses far smaller ones by their declared length.
MAX_BODY_BYTES = 2**20

#: What it still takes in, and throws away, of a request that it has refused: many clients read no answer before they
#: have sent everything. A body without end is cut off.
MAX_DRAINED_BYTES = 32 * 2**20
DRAIN_S = 5.0

#: A server that is stopping answers what has come in for so long; then it says 503 to what still waits for a thread.
FINISH_S = 6.5

#: A connection younger than this may bring a request that is on its way.
YOUNG_S = 0.3


class _Stopping(Error):  # type: ignore[misc]
    code = HTTPStatus.SERVICE_UNAVAILABLE


class _EnvelopeErrorTask(ErrorTask):  # type: ignore[misc]
    """A refusal of the server itself: a body without end, a header that is none, no time left."""

    def execute(self) -> None:
        problem = self.request.error
        error: NetPilotError
        if problem.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            error = PayloadTooLarge()
        elif problem.code == HTTPStatus.SERVICE_UNAVAILABLE:
            error = DatabaseUnavailable("The server is stopping. Nothing was done; try again shortly.")
        elif problem.code < HTTPStatus.INTERNAL_SERVER_ERROR or problem.code == HTTPStatus.NOT_IMPLEMENTED:
            error = ValidationFailed("The request's headers can't be used.")
        else:
            error = NetPilotError()
        body = to_json(error_body(error.code, error.message, request_id=secrets.token_hex(8)))
        self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.is_refusing = True
        self.write(body)


class _Task(WSGITask):  # type: ignore[misc]
    """A request to the application. HEAD has the headers of GET, and not even the end of a chunked body."""

    def finish(self) -> None:
        if self.request.command == "HEAD":
            self.write(b"")
            self.chunked_response = False
        super().finish()


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. After a refusal it is closed in two steps, or the client would meet a reset in place of the answer.

    The second step waits for the client, in the server's loop: it holds no web thread.
    """

    task_class = _Task
    error_task_class = _EnvelopeErrorTask

    # Of HTTPChannel: close as soon as everything is sent; close now.
    close_when_flushed: bool
    will_close: bool

    #: The client may still be sending what nobody is going to read.
    is_refusing = False
    #: Set with the first step: how long the second one waits, and how much it has thrown away.
    _drain_until: float | None = None
    _drained = 0

    def handle_write(self) -> None:
        if not (self.is_refusing and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len:
            self.close_when_flushed = False
            self._drain_until = time.monotonic() + DRAIN_S
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                self.will_close = True

    def readable(self) -> bool:
        if self._drain_until is None:
            return bool(super().readable())
        if time.monotonic() > self._drain_until or self._drained > MAX_DRAINED_BYTES:
            self.will_close = True  # the loop asks this several times a second, and closes it then
        return not self.will_close

    def handle_read(self) -> None:
        if self._drain_until is None:
            super().handle_read()
        else:
            self._drained += len(self.recv(2**16))  # closes the channel when the client has closed its side

    def check_client_disconnected(self) -> bool:
        """Whether the client has hung up, for what asks it while a request is served: nobody reads the socket then."""
        with suppress(OSError):  # there is nothing to read, or it is closed already
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return not self.connected

    # --- while the server stops --------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way, being served or queued for a thread, or its answer being sent."""
        owes = self.request or self.requests or self.total_outbufs_len or self._drain_until is not None
        return bool(owes) or time.time() - self.last_activity < YOUNG_S

    def service(self) -> None:
        if not self.server.accepting:
            self.requests[0].headers["CONNECTION"] = "close"  # the next request has to go to another server
        super().service()

    def cancel(self) -> None:
        """No thread came to serve the request in time."""
        self.requests[0].error = _Stopping("")
        self.service()


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

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        """Raises AddressInUse, OSError where it can't listen there for another reason."""
        self._sockets: dict[int, Any] = {}
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
            listener.channel_class = _Channel
        self._is_stopping = False
        self._has_ended = Event()

    def run(self) -> None:
        """Serve until `stop`; then answer what has come in already, for up to `FINISH_S`."""
        while not self._is_stopping:
            self._turn(0.2)  # nothing wakes it for `stop`
        self._stop_listening()
        deadline = time.monotonic() + FINISH_S
        while time.monotonic() < deadline and any(channel.is_busy for channel in self._channels()):
            self._turn(0.1)
        self._dispatcher.shutdown(timeout=0.5)  # what still waits for a thread gets its 503
        self._has_ended.set()
        for channel in self._channels():
            channel.handle_close()
        wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Have `run` end. For signal handlers and other threads."""
        self._is_stopping = True

    def wait(self, timeout_s: float) -> bool:
        """Wait until `run` has answered everything; whether it has."""
        return self._has_ended.wait(timeout_s)

    def _turn(self, timeout_s: float) -> None:
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._sockets, count=1)  # select() ends at 1,024

    def _channels(self) -> list[_Channel]:
        return [one for one in self._sockets.values() if isinstance(one, _Channel)]

    def _stop_listening(self) -> None:
        """Take on the connections that the system has accepted for us, refuse the next ones."""
        for listener in self._listeners:
            before = 0
            while before < len(self._sockets) < MAX_CONNECTIONS:
                before = len(self._sockets)
                listener.handle_accept()
            wasyncore.dispatcher.close(listener)  # its own close() would keep the loop from being woken, too
