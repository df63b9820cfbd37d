"""The web server itself: what it refuses before the application sees it, and how it stops."""

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import pytest
import requests
from apiflask import APIFlask
from flask import Flask

from endpoints import web_server
from endpoints.web_server import WebServer
from tests.homes import free_port, serving


def test_what_the_web_server_refuses_has_the_envelope_too(app: APIFlask) -> None:
    with serving(app) as url:
        port = int(url.rpartition(":")[2])

        def raw(request: bytes) -> tuple[int, dict[str, Any]]:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(request)
                answer = b""
                while more := sock.recv(65_536):
                    answer += more
            head, _, body = answer.partition(b"\r\n\r\n")
            return int(head.split()[1]), json.loads(body)

        for request in (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\nConnection: close\r\n\r\n",
            b"POST /api/routers HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\nConnection: close\r\n\r\n",
            b"POST /api/routers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n",
            b"GET /api/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ):
            status, body = raw(request)
            assert 400 <= status < 500
            assert (body["success"], set(body)) == (False, {"success", "error", "metadata"})


def post_with_requests(url: str, body: bytes) -> tuple[int, bytes]:
    response = requests.post(url, data=body, headers=JSON, timeout=30)
    return response.status_code, response.content


def post_in_chunks(url: str, body: bytes) -> tuple[int, bytes]:
    chunks = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    response = requests.post(url, data=chunks, headers=JSON, timeout=30)
    return response.status_code, response.content


def post_with_urllib(url: str, body: bytes) -> tuple[int, bytes]:
    try:
        urllib.request.urlopen(urllib.request.Request(url, body, JSON), timeout=30)
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    raise AssertionError("it was taken")


def post_with_http_client(url: str, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection(url.removeprefix("http://").partition("/")[0], timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/api/routers", body, JSON)
        response = connection.getresponse()
        return response.status, response.read()


def post_with_curl(url: str, body: bytes) -> tuple[int, bytes]:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    command = ["curl", "-s", "-m30", "-w", "%{stderr}%{http_code}", "-HContent-Type: application/json"]
    done = subprocess.run([*command, "--data-binary", "@-", url], input=body, capture_output=True, check=True)
    return int(done.stderr), done.stdout


JSON = {"Content-Type": "application/json"}
CLIENTS = [post_with_requests, post_in_chunks, post_with_urllib, post_with_http_client, post_with_curl]


@pytest.mark.parametrize("post", CLIENTS)
def test_a_client_that_sends_far_too_much_reads_why_it_was_refused(
    app: APIFlask, post: Callable[[str, bytes], tuple[int, bytes]]
) -> None:
    with serving(app) as url:
        for _ in range(5):
            status, answer = post(f"{url}/api/routers", b"x" * 10_000_000)
            assert (status, json.loads(answer)["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("pause_s", [0.0, 0.1], ids=["fast", "slow"])
def test_a_body_without_end_is_cut_off(app: APIFlask, monkeypatch: pytest.MonkeyPatch, pause_s: float) -> None:
    monkeypatch.setattr(web_server, "DRAIN_S", 1.0)
    with serving(app) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(b"POST /api/routers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n")
            began, sent, block = time.monotonic(), 0, b"x" * 65_536
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 20:
                    sock.sendall(block)
                    sent += len(block)
                    time.sleep(pause_s)
            assert time.monotonic() - began < 10
            assert sent < web_server.MAX_DRAINED_BYTES + 2**24, "what lay in both sockets' buffers comes on top"
        assert requests.get(f"{url}/health/live", timeout=5).status_code == 200


def test_more_open_files_than_select_can_count_do_no_harm(app: APIFlask) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2_000:
        pytest.skip("the limit on open files is too low to try")
    with contextlib.ExitStack() as stack:
        for _ in range(1_100):
            stack.enter_context(open(os.devnull))
        url = stack.enter_context(serving(app))
        assert requests.get(f"{url}/health/live", timeout=5).status_code == 200


# --- stopping --------------------------------------------------------------------------------------------


class Stoppable:
    """A server with few threads, whose endpoints take their time."""

    def __init__(self) -> None:
        app = Flask("slow")
        app.add_url_rule("/quick", "quick", lambda: "quick")
        app.add_url_rule("/sleep/<float:seconds>", "sleep", lambda seconds: time.sleep(seconds) or "slept")
        app.add_url_rule("/large", "large", lambda: b"x" * 30_000_000)
        self.port = free_port()
        self.web = WebServer(app, host="127.0.0.1", port=self.port)
        self.thread = Thread(target=self.web.run, daemon=True)
        self.thread.start()

    def ask(self, path: str) -> HTTPConnection:
        """A connection on which the request has been sent."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        return connection

    def stop(self) -> None:
        self.web.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stoppable]:
    monkeypatch.setattr(web_server, "WEB_THREADS", 4)
    server = Stoppable()
    yield server
    server.web.stop()


def test_it_answers_all_that_has_come_in_also_what_waits_for_a_thread(slow: Stoppable) -> None:
    asked = [slow.ask("/sleep/0.1") for _ in range(40)]
    slow.stop()
    assert [connection.getresponse().status for connection in asked] == [200] * 40


def test_without_time_left_it_says_so_to_those_that_wait(slow: Stoppable, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_large_answer_is_sent_to_its_end(slow: Stoppable) -> None:
    response = slow.ask("/large").getresponse()
    Thread(target=slow.web.stop).start()
    assert len(response.read()) == 30_000_000
    slow.stop()


def test_a_request_that_is_half_sent_is_waited_for(slow: Stoppable) -> None:
    with socket.create_connection(("127.0.0.1", slow.port), timeout=10) as client:
        client.sendall(b"GET /quick HTTP/1.1\r\nHo")
        Thread(target=slow.web.stop).start()
        time.sleep(1)
        client.sendall(b"st: localhost\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    slow.stop()


def test_connections_that_are_kept_hold_nothing_up_and_come_to_their_end(slow: Stoppable) -> None:
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
