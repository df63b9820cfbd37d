"""One connection of the web server: how its requests are served, how long it may take, and how it is closed.

A connection may hold a web thread only while it takes what it is sent: a client that asks and never reads, or that
sends its request letter by letter, is cut off. web_server.py owns all of them and looks after them once a second.
"""

import secrets
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from utils.errors import DatabaseUnavailable, NetPilotError, PayloadTooLarge, ValidationFailed
from utils.networks import network_of
from utils.responses import error_body

#: How long a connection may be silent, in seconds.
SILENCE_S = 30

#: A whole head has to come in so many seconds after its first byte, and with its body in so many. Bodies are small
#: JSON documents; the largest takes 5 kB/s.
HEAD_S = 20.0
BODY_S = 60.0

#: So much of an answer that waits to be sent has to leave in `SILENCE_S`, which is 1 kB/s.
MIN_SENT_BYTES = 2**15

#: The system takes no more of an answer than this before the client has taken what came before: else it would have
#: taken megabytes at once, and nothing would be sent for as long as a slow client needs for them.
MAX_UNSENT_BYTES = 2**17

#: What the server still takes in, and throws away, of a request that it has refused: many clients read no answer before
#: they have sent everything. A body without end is cut off.
MAX_DRAINED_BYTES = 32 * 2**20
DRAIN_S = 5.0

#: A connection that is silent for so long, in seconds, and is not being served, may end for another one.
IDLE_S = 5.0

#: A connection younger than this may bring a request that is on its way.
YOUNG_S = 0.3


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """A request's head. One whose end may lie elsewhere for what is in front of this server is refused, and the
    connection closed: what follows would be a request that nobody there has seen (RFC 9112, 6.1)."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        # HTTP/1.0 knows no chunks: there the header is left, and a body would be read by its length.
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Transfer-Encoding beside Content-Length, or in HTTP/1.0")


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


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection. After a refusal it is closed in two steps, or the client would meet a reset in place of the answer.

    The second step waits for the client, in the server's loop: it holds no web thread.

    Of several requests that came in one go the first is answered, then the connection closed: whoever sends so has to
    be prepared for it (RFC 9112, 9.3.2), and a thread for the second would wait until the first answer is read.
    """

    parser_class = _Parser
    task_class = _Task
    error_task_class = _EnvelopeErrorTask

    # Of HTTPChannel: close as soon as everything is sent; close now; bytes still to be sent.
    close_when_flushed: bool
    will_close: bool
    total_outbufs_len: int

    #: The client may still be sending what nobody is going to read.
    is_refusing = False
    #: Set with the first step: how long the second one waits, and how much it has thrown away.
    _drain_until: float | None = None
    _drained = 0

    #: When the request that is coming in began.
    _asking_since: float | None = None
    #: How much was sent in all; when the answer that is being sent was looked at, and how much was sent by then.
    _sent = 0
    _sending_since: float | None = None
    _sent_by_then = 0

    def __init__(self, server: Any, sock: socket.socket, address: tuple[Any, ...], adj: Any, map: Any) -> None:
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
        super().__init__(server, sock, address, adj, map=map)
        self.network = network_of(str(address[0]))

    def is_overdue(self, now: float) -> bool:
        """Whether the client takes too long to send its request or to take its answer; ``now``: time.monotonic().

        One that does neither is waitress's to close.
        """
        if self.total_outbufs_len:
            if self._sending_since is None or self._sent - self._sent_by_then >= MIN_SENT_BYTES:
                self._sending_since, self._sent_by_then = now, self._sent
            return now - self._sending_since > SILENCE_S
        self._sending_since = None
        if self.requests or self._asking_since is None:
            return False
        has_head = self.request is not None and self.request.headers_finished
        return now - self._asking_since > (BODY_S if has_head else HEAD_S)

    @property
    def is_idle(self) -> bool:
        """Whether it may end for another one: nothing is owed to it, or its client does nothing to get it."""
        silent_s = time.time() - self.last_activity
        return not self.requests and (silent_s > IDLE_S or not self.is_busy)

    def received(self, data: bytes) -> bool:
        if self._asking_since is None:
            self._asking_since = time.monotonic()
        return bool(super().received(data))

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close=do_close))
        self._sent += sent
        return sent

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

    def service(self) -> None:
        self._asking_since = None
        with self.requests_lock:  # until all that came in one go is queued
            has_more = len(self.requests) > 1
        if has_more:
            self.is_refusing = True
        if has_more or not self.server.accepting:
            self.requests[0].headers["CONNECTION"] = "close"  # the next request has to go another way
        super().service()

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way, being served or queued for a thread, or its answer being sent."""
        owes = self.request or self.requests or self.total_outbufs_len or self._drain_until is not None
        return bool(owes) or time.time() - self.last_activity < YOUNG_S

    def cancel(self) -> None:
        """The server stops, and no thread came to serve the request in time."""
        self.requests[0].error = _Stopping("")
        self.service()
