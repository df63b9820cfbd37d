"""/api/docs in a real browser: it works offline, under its own content security policy."""

import os
import socket
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from apiflask import APIFlask

from tests.homes import serving


def test_the_page_shows_every_endpoint_offline_and_without_an_error(app: APIFlask, page: Any) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    with serving(app) as url:
        document = requests.get(f"{url}/openapi.json", timeout=10).json()
        page.goto(f"{url}/", wait_until="networkidle")
        assert page.url == f"{url}/api/docs"
        page.wait_for_selector(".opblock", timeout=20_000)
        shown = {
            (block.get_attribute("class").split("opblock-")[-1].split()[0].upper(), path.replace("​", ""))
            for block in page.query_selector_all(".opblock")
            for path in [block.query_selector(".opblock-summary-path").inner_text()]
        }
        told = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
        assert shown == told
        page.click(".opblock-summary-control >> nth=0")
        page.wait_for_selector(".opblock.is-open .opblock-body", timeout=10_000)
    hosts = {urlsplit(address).hostname for address in asked if not address.startswith("data:")}
    assert hosts == {"127.0.0.1"}
    assert (complaints, failed) == ([], [])


def test_who_reads_a_part_of_it_slowly_keeps_no_file_open_and_no_copy_of_it(app: APIFlask) -> None:
    asset = "/api/docs/assets/js/swagger-ui-bundle.js"
    with serving(app) as url, ExitStack() as stack:
        requests.get(url + asset, timeout=10)  # it is read once
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        for _ in range(10):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            sock.sendall(f"GET {asset} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert sock.recv(12) == b"HTTP/1.1 200"
        opened = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
        assert not [name for name in opened if "swagger" in name]
        assert tracemalloc.get_traced_memory()[0] < 5_000_000, "ten copies are 15 MB"
        answer = requests.get(url + asset, timeout=10)
        assert int(answer.headers["Content-Length"]) == len(answer.content) > 1_000_000
        again = requests.get(url + asset, headers={"If-None-Match": answer.headers["ETag"]}, timeout=10)
        assert (again.status_code, again.content) == (304, b"")


def test_the_way_in_leads_to_the_page_whose_parts_are_all_there(client: Any) -> None:
    assert client.get("/").headers["Location"] == "/api/docs"
    text = client.get("/api/docs").text
    for name in (
        "/api/docs/assets/css/swagger-ui.css",
        "/api/docs/assets/js/swagger-ui-bundle.js",
        "/api/docs/start.js",
    ):
        assert name in text
        assert client.get(name).status_code == 200
    for escape in ("../../__init__.py", "%2e%2e/%2e%2e/__init__.py"):
        assert client.get(f"/api/docs/assets/{escape}").status_code == 404
