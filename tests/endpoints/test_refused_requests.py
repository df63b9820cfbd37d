"""What the web server refuses before the application sees it, and that its clients read why."""

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
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest
import requests
from apiflask import APIFlask

from endpoints import web_connections
from tests.homes import serving


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


@pytest.mark.parametrize(
    ("version", "lengths"),
    [
        ("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 0"),
        ("1.1", "Content-Length: 0\r\nContent-Length: 5"),
        ("1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked"),
    ],
)
def test_a_request_whose_end_can_be_seen_in_two_places_is_refused_and_nothing_after_it_read(
    app: APIFlask, version: str, lengths: str
) -> None:
    """What is in front of the server may have taken the rest for the body."""
    with serving(app) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as sock:
        head = f"POST /api/routers HTTP/{version}\r\nHost: localhost\r\n{lengths}\r\n\r\n"
        sock.sendall(f"{head}0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert (answer.split()[1], answer.count(b"HTTP/1.")) == (b"400", 1)


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
    monkeypatch.setattr(web_connections, "DRAIN_S", 1.0)
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
            assert sent < web_connections.MAX_DRAINED_BYTES + 2**24, "what lay in both sockets' buffers comes on top"
        assert requests.get(f"{url}/health/live", timeout=5).status_code == 200


def test_more_open_files_than_select_can_count_do_no_harm(app: APIFlask) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2_000:
        pytest.skip("the limit on open files is too low to try")
    with contextlib.ExitStack() as stack:
        for _ in range(1_100):
            stack.enter_context(open(os.devnull))
        url = stack.enter_context(serving(app))
        assert requests.get(f"{url}/health/live", timeout=5).status_code == 200
