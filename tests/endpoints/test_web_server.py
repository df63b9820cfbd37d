"""The web server itself: clients that take their time, connections of one address, and how it stops."""

import contextlib
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from threading import Thread

import pytest
from flask import Flask, Response, request

from endpoints import web_connections, web_server
from endpoints.web_server import WebServer
from tests.homes import free_port

# --- clients that take their time ------------------------------------------------------------------------

FEW = 4


class Small:
    """A server with few threads, whose endpoints take their time."""

    def __init__(self, most_per_address: int | None = None) -> None:
        app = Flask("slow")
        app.add_url_rule("/quick", "quick", lambda: "quick")
        app.add_url_rule("/sleep/<float:seconds>", "sleep", lambda seconds: time.sleep(seconds) or "slept")
        app.add_url_rule("/large", "large", lambda: b"x" * 30_000_000)
        app.add_url_rule("/whole", "whole", lambda: b"x" * 1_000_000)
        app.add_url_rule("/endless", "endless", lambda: Response(itertools.repeat(b"x" * 65_536)))
        app.add_url_rule("/length", "length", lambda: str(len(request.get_data())), methods=["POST"])
        self.port = free_port()
        self.web = WebServer(app, host="127.0.0.1", port=self.port, most_per_address=most_per_address)
        self.thread = Thread(target=self.web.run, daemon=True)
        self.thread.start()

    def ask(self, path: str) -> HTTPConnection:
        """A connection on which the request has been sent."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        return connection

    def connect(self, sent: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """A connection from ``address`` that has sent just that, and reads little by itself."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(10)
        sock.bind((address, 0))
        sock.connect(("127.0.0.1", self.port))
        sock.sendall(sent)
        return sock

    def stop(self) -> None:
        self.web.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setattr(web_server, "WEB_THREADS", FEW)
    server = Small()
    yield server
    server.web.stop()


def lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


GET_WHOLE = lines("GET /whole HTTP/1.1", "Host: localhost", "")
GET_ENDLESS = lines("GET /endless HTTP/1.1", "Host: localhost", "")
GET_QUICK = lines("GET /quick HTTP/1.1", "Host: localhost", "")


def read_all(sock: socket.socket) -> bytes:
    """What is sent until the server closes the connection."""
    return b"".join(iter(lambda: sock.recv(2**20), b""))


def is_closed(sock: socket.socket) -> bool:
    """Whether the server closes the connection; raises TimeoutError where it does nothing for ten seconds."""
    try:
        return not sock.recv(65_536)
    except ConnectionError:
        return True


def goes_on_until_it_is_closed(*what: Callable[[], object]) -> bool:
    """Whether the server closes a connection on which ``what`` goes on; a reset tells."""
    try:
        for _ in range(200):
            for step in what:
                step()
            time.sleep(0.05)
    except ConnectionError:
        return True
    return False


def is_answered(server: Small) -> bool:
    with contextlib.closing(server.ask("/quick")) as connection:
        return connection.getresponse().read() == b"quick"


def test_who_asks_many_times_at_once_and_never_reads_holds_no_thread(slow: Small) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * FEW):
            stack.enter_context(slow.connect(GET_WHOLE * 9))
        assert is_answered(slow)


def test_of_requests_in_one_go_the_first_is_answered_to_its_end(slow: Small) -> None:
    with socket.create_connection(("127.0.0.1", slow.port), timeout=10) as client:
        client.sendall(GET_WHOLE + GET_QUICK * 50)
        answer = read_all(client)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"Connection: close" in head, len(body)) == (True, 1_000_000)


def test_who_stops_reading_an_answer_that_goes_on_holds_its_thread_no_longer(
    slow: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connections, "SILENCE_S", 0.5)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * FEW):
            stack.enter_context(slow.connect(GET_ENDLESS))
        assert is_answered(slow)


def test_who_reads_next_to_nothing_is_cut_off_too(slow: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connections, "SILENCE_S", 0.5)
    with slow.connect(GET_ENDLESS) as client:
        assert client.recv(1)
        assert goes_on_until_it_is_closed(lambda: client.sendall(b"x"), lambda: client.recv(1))


def test_who_reads_slowly_gets_all_of_it(slow: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connections, "SILENCE_S", 0.5)
    with contextlib.closing(slow.ask("/large")) as connection:
        response = connection.getresponse()
        size = 0
        while part := response.read(1_000_000):
            size += len(part)
            time.sleep(0.1)
        assert size == 30_000_000


@pytest.mark.parametrize(
    ("began", "more"),
    [
        (lines("GET /quick HTTP/1.1"), lines("X-Line: x")),
        (lines("POST /length HTTP/1.1", "Content-Length: 200000", ""), b"x"),
        (b"", lines("")),
    ],
    ids=["head", "body", "empty lines"],
)
def test_a_request_that_never_gets_done_is_given_up(
    slow: Small, monkeypatch: pytest.MonkeyPatch, began: bytes, more: bytes
) -> None:
    monkeypatch.setattr(web_connections, "HEAD_S", 0.5)
    monkeypatch.setattr(web_connections, "BODY_S", 0.5)
    with slow.connect(began) as client:
        assert goes_on_until_it_is_closed(lambda: client.sendall(more))


def test_a_body_may_take_longer_than_a_head(slow: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connections, "HEAD_S", 0.5)
    with slow.connect(lines("POST /length HTTP/1.1", "Content-Length: 30", "Connection: close", "")) as client:
        for _ in range(30):
            client.sendall(b"x")
            time.sleep(0.1)
        assert client.recv(65_536).endswith(b"\r\n30")


def test_kept_connections_may_ask_at_any_time(slow: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connections, "HEAD_S", 0.5)
    with contextlib.closing(slow.ask("/quick")) as connection:
        for pause_s in (2, 2, 0):
            assert connection.getresponse().read() == b"quick"
            time.sleep(pause_s)
            connection.request("GET", "/quick")


# --- connections of one address --------------------------------------------------------------------------


@pytest.fixture
def strict() -> Iterator[Small]:
    server = Small(most_per_address=3)
    yield server
    server.web.stop()


def test_an_address_has_so_many_connections_and_no_more(strict: Small) -> None:
    with contextlib.ExitStack() as stack:
        first, *_ = [stack.enter_context(strict.connect(lines("GET /quick HTTP/1.1"))) for _ in range(3)]
        assert is_closed(stack.enter_context(strict.connect(GET_QUICK)))
        first.sendall(lines("Host: localhost", "Connection: close", ""))
        assert read_all(first).startswith(b"HTTP/1.1 200 OK")
        assert is_answered(strict)


def test_who_asks_and_never_reads_makes_room_for_his_neighbours(strict: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(strict.connect(GET_WHOLE))
        monkeypatch.setattr(web_connections, "IDLE_S", 0.1)
        for _ in range(100):
            with contextlib.suppress(ConnectionError):
                assert is_answered(strict)
                return
            time.sleep(0.1)
        pytest.fail("there never was room")


def test_an_idle_connection_makes_room_for_another_one_of_its_address(
    strict: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connections, "YOUNG_S", 0.0)
    with contextlib.ExitStack() as stack:
        kept = []
        for _ in range(3):
            kept.append(stack.enter_context(strict.connect(GET_QUICK)))
            assert kept[-1].recv(65_536).startswith(b"HTTP/1.1 200 OK")
            time.sleep(0.2)  # the server is done with it
        assert is_answered(strict)
        assert read_all(kept[0]) in (b"", b"quick"), "the one that has been idle for longest"


def test_addresses_that_take_all_connections_make_room_for_those_that_have_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where none of theirs is idle: they are asking, letter by letter."""
    monkeypatch.setattr(web_server, "MAX_CONNECTIONS", 40)
    server = Small(most_per_address=10)
    try:
        with contextlib.ExitStack() as stack:
            for number in range(60):
                with contextlib.suppress(ConnectionError):
                    stack.enter_context(server.connect(lines("GET /quick HTTP/1.1"), f"127.0.1.{number % 6}"))
            asked = lines("GET /quick HTTP/1.1", "Host: localhost", "Connection: close", "")
            served = [stack.enter_context(server.connect(asked, "127.0.2.1")) for _ in range(3)]
            assert [read_all(client).endswith(b"quick") for client in served] == [True] * 3
    finally:
        server.stop()


def test_without_such_a_limit_there_is_none(slow: Small) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(web_server.MAX_PER_ADDRESS + 10):
            stack.enter_context(slow.connect(lines("GET /quick HTTP/1.1")))
        assert is_answered(slow)


# --- stopping --------------------------------------------------------------------------------------------


def test_it_answers_all_that_has_come_in_also_what_waits_for_a_thread(slow: Small) -> None:
    asked = [slow.ask("/sleep/0.1") for _ in range(40)]
    slow.stop()
    assert [connection.getresponse().status for connection in asked] == [200] * 40


def test_without_time_left_it_says_so_to_those_that_wait(slow: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "FINISH_S", 0.5)
    held = [slow.ask("/sleep/4.0") for _ in range(4)]
    time.sleep(0.3)
    asked = [slow.ask("/quick") for _ in range(20)]
    slow.stop()
    for connection in asked:
        response = connection.getresponse()
        body = json.load(response)
        assert (response.status, body["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert "stopping" in body["error"]["message"]
    for connection in held:
        connection.close()


def test_a_large_answer_is_sent_to_its_end(slow: Small) -> None:
    response = slow.ask("/large").getresponse()
    Thread(target=slow.web.stop).start()
    assert len(response.read()) == 30_000_000
    slow.stop()


def test_a_request_that_is_half_sent_is_waited_for(slow: Small) -> None:
    with socket.create_connection(("127.0.0.1", slow.port), timeout=10) as client:
        client.sendall(b"GET /quick HTTP/1.1\r\nHo")
        Thread(target=slow.web.stop).start()
        time.sleep(1)
        client.sendall(b"st: localhost\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    slow.stop()


def test_connections_that_are_kept_hold_nothing_up_and_come_to_their_end(slow: Small) -> None:
    kept = [slow.ask("/quick") for _ in range(10)]
    assert [connection.getresponse().read() for connection in kept] == [b"quick"] * 10
    last = slow.ask("/sleep/1.0")
    Thread(target=slow.web.stop).start()
    time.sleep(0.3)
    kept[0].request("GET", "/quick")
    response = kept[0].getresponse()
    assert (response.read(), response.getheader("Connection")) == (b"quick", "close")
    with pytest.raises(ConnectionRefusedError):
        slow.ask("/quick")
    assert last.getresponse().status == 200
    started = time.monotonic()
    slow.stop()
    assert time.monotonic() - started < 2
