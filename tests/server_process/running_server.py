"""server.py as a process that tests talk to over HTTP, and the PostgreSQL it has started."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.homes import free_port

ROOT = Path(__file__).parents[2]
BASE = "/api/device-usage"

#: Variables of the machine that would change what a test starts.
OURS = (
    *("DATABASE_URL", "DATA_DIR", "HOST", "PORT", "ROUTER_", "COLLECT", "CREDENTIALS", "LOG_", "CORS_", "AUTH_"),
    *("PUBLIC_URL", "TRUSTED_PROXIES", "GOOGLE_", "OIDC_", "ALLOWED_EMAILS", "SECRET_KEY", "SESSION_", "RATELIMIT_"),
)


class Server:
    """One `python server.py ...`, its output collected in the background."""

    def __init__(self, data_dir: Path, *arguments: str, **env: str) -> None:
        self.data_dir = data_dir
        given = env.get("PORT", "")
        self.port = int(given) if given.isdigit() else free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.process = subprocess.Popen(
            [sys.executable, "server.py", *(arguments or ("serve",))],
            cwd=ROOT,
            env={**clean, "DATA_DIR": str(data_dir), "PORT": str(self.port), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def until_ready(self, patience_s: float = 40) -> "Server":
        self.until(lambda: self.get("/health/ready").status_code == 200, "ready", patience_s)
        return self

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = 40) -> None:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            with contextlib.suppress(requests.RequestException):
                if condition():
                    return
            time.sleep(0.05)
        pytest.fail(f"never came: {what}\n{self.output}")

    def get(self, path: str, **query: object) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", params=query, timeout=30)

    def post(self, path: str) -> requests.Response:
        return requests.post(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def data(self, path: str, **query: object) -> Any:
        response = self.get(path, **query)
        assert response.status_code == 200, response.text + self.output
        return response.json()["data"]

    def wait(self, patience_s: float = 40) -> int:
        status = self.process.wait(patience_s)
        self._reader.join(5)
        return status

    def terminate(self) -> int:
        self.process.terminate()
        return self.wait(12)

    def kill(self) -> None:
        self.process.kill()
        self.wait()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def first_reading(server: Server) -> None:
    """Nothing has flowed yet: from this reading on every byte has to be in the history."""
    server.until(lambda: server.get(f"{BASE}/status").status_code == 200, "the registered router")
    server.until(lambda: server.post(f"{BASE}/refresh").status_code == 200, "a first reading")
