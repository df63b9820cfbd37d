"""The product's web server in a process of its own, and a client that keeps its connection."""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from ipaddress import ip_network
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
from flask import Response

from benchmarks.office_router import OfficeRouter
from endpoints.web_server import WebServer
from server import build_runtime, create_app
from utils.config import Config


class Client:
    """Speaks HTTP/1.1 on one connection."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self._process = Path(f"/proc/{pid}")
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """The answer's body. Raises RuntimeError for any status that is no success."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self._connection.request(method, path, msgspec.json.encode(body) if body is not None else None, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
        return answer

    def ask_json(self, method: str, path: str, body: object = None) -> Any:
        return msgspec.json.decode(self.ask(method, path, body))

    def ssh_seconds(self) -> float:
        """How long the server has spent in SSH commands, since it was started."""
        return float(self.ask("GET", "/benchmark/ssh-seconds"))

    def memory(self) -> int:
        """What the server holds in memory, in bytes."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most it has held since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        (self._process / "clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def register(self, router: OfficeRouter) -> str:
        """Register the router; its id."""
        wanted = {"name": "Office", "host": "127.0.0.1", "port": router.port, "password": router.password}
        return str(self.ask_json("POST", "/api/routers", wanted)["data"]["id"])

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def netpilot(database_url: str, data_dir: Path) -> Iterator[Client]:
    """The running server; it collects only when it is asked to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    ours, theirs = multiprocessing.Pipe()
    arguments = (database_url, data_dir, port, theirs)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        client = Client(port, process.pid)
        try:
            yield client
        finally:
            client.close()
    finally:
        process.terminate()
        process.join(10)
        process.kill()


def _serve(database_url: str, data_dir: Path, port: int, ready: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.chdir(data_dir)  # a developer's .env is none of ours
    config = Config(data_dir=data_dir, port=port, router_allowed_networks=(ip_network("127.0.0.0/8"),))
    runtime = build_runtime(config, database_url)
    spent = [0.0]
    run = runtime.connections.run

    def counted_run(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return run(*arguments)
        finally:
            spent[0] += time.perf_counter() - started

    runtime.connections.run = counted_run  # type: ignore[method-assign]
    app = create_app(runtime)
    app.add_url_rule("/benchmark/ssh-seconds", view_func=lambda: str(spent[0]))
    constants: dict[int, bytes] = {}

    @app.get("/benchmark/constant/<int:size>")
    def constant(size: int) -> Response:
        body = constants.setdefault(size, b'"' + b"x" * (size - 2) + b'"')
        return app.response_class(body, mimetype="application/json")

    web = WebServer(app, host="127.0.0.1", port=port)
    signal.signal(signal.SIGTERM, lambda *_: web.stop())
    ready.send("ready")
    web.run()
    runtime.close()
