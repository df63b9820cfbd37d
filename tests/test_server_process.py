"""server.py as a process: started, stopped, killed, and asked over HTTP. The router lives in the test."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from simulator.clock import SystemClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import LAPTOP, PHONE, free_port
from tests.postgres import temporary_home

ROOT = Path(__file__).parents[1]
BASE = "/api/device-usage"

#: Variables of the machine that would change what a test starts.
OURS = ("DATABASE_URL", "DATA_DIR", "HOST", "PORT", "ROUTER_", "COLLECT", "CREDENTIALS", "LOG_", "CORS_", "AUTH_")


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


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_home() as home:
        yield home
        for folder in (home, home / "demo"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError, ValueError):
                os.kill(postmaster(folder), signal.SIGKILL)


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Server]]:
    """start("serve", PORT="5001"): what still runs at the end is killed."""
    started: list[Server] = []

    def start(*arguments: str, **env: str) -> Server:
        started.append(Server(data_dir, *arguments, **env))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def home() -> Iterator[tuple[SimulatedRouter, HostedRouter, dict[str, str]]]:
    """A router of real time, and the variables that point the server at it."""
    with SshServer() as ssh:
        router = empty_router(SystemClock())
        hosted = ssh.add(router)
        env = {
            "ROUTER_HOST": hosted.host,
            "ROUTER_PORT": str(hosted.port),
            "ROUTER_PASSWORD": str(hosted.password),
            "ROUTER_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        yield router, hosted, env


@contextlib.contextmanager
def traffic(router: SimulatedRouter) -> Iterator[None]:
    """Two devices that never rest."""
    stop = threading.Event()

    def flow() -> None:
        rng = random.Random(7)
        while not stop.wait(0.005):
            router.traffic(PHONE, rx=rng.randrange(100_000), tx=rng.randrange(1_000), port=rng.randrange(1, 30))
            router.traffic(LAPTOP, rx=rng.randrange(1_000), tx=rng.randrange(9), family=6)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def stored(server: Server) -> dict[str, tuple[int, int]]:
    """Everything that the history has, by MAC; both granularities have to agree."""
    today = datetime.now(UTC).date()
    query = {"startDate": (today - timedelta(days=1)).isoformat(), "endDate": (today + timedelta(days=1)).isoformat()}
    both = [server.data(f"{BASE}/history", granularity=granularity, **query) for granularity in ("hour", "day")]
    hourly, daily = (
        {device["mac"]: (device["bytesDown"], device["bytesUp"]) for device in history["devices"]} for history in both
    )
    assert hourly == daily
    return hourly


def truth(router: SimulatedRouter) -> dict[str, tuple[int, int]]:
    assert router.ledger
    return {mac: (usage.rx, usage.tx) for mac, usage in router.ledger.totals().items()}


def first_reading(server: Server) -> None:
    """Nothing has flowed yet: from this reading on every byte has to be in the history."""
    server.until(lambda: server.get(f"{BASE}/status").status_code == 200, "the registered router")
    server.until(lambda: server.post(f"{BASE}/refresh").status_code == 200, "a first reading")


# --- starting and stopping -------------------------------------------------------------------------------


def test_it_starts_says_how_to_register_a_router_and_ends_on_sigterm(
    start: Callable[..., Server], data_dir: Path
) -> None:
    server = start("serve").until_ready()
    assert f"NetPilot is ready: http://127.0.0.1:{server.port}" in server.output
    assert "No router is registered yet" in server.output
    assert "curl" in server.output
    assert (data_dir / "credentials.key").stat().st_mode & 0o777 == 0o600
    database = postmaster(data_dir)
    assert is_alive(database)
    started = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - started < 10
    assert not is_alive(database)
    assert "Traceback" not in server.output


def test_it_ends_within_ten_seconds_while_a_router_hangs(
    start: Callable[..., Server], home: tuple[SimulatedRouter, HostedRouter, dict[str, str]], data_dir: Path
) -> None:
    _, hosted, env = home
    server = start("serve", **env).until_ready()
    first_reading(server)
    hosted.faults = Faults(hang=True)
    answers: list[object] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(server.post(f"{BASE}/refresh").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    server.until(lambda: hosted.stats.running > 0, "the hanging command")
    database = postmaster(data_dir)
    started = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - started < 10
    asking.join(10)
    assert not is_alive(database)
    assert answers in ([], [502], [504])


def test_bad_variables_name_themselves_and_not_their_secrets(start: Callable[..., Server]) -> None:
    bad = {
        "PORT": "99999",
        "HOST": "0.0.0.0",
        "COLLECT_INTERVAL_MINUTES": "7",
        "DATABASE_URL": "mysql://user:hunter2@x",
        "ROUTER_ALLOWED_NETWORKS": "10.0.0.1/8",
        "ROUTER_KEY_FILE": "/no/such/file",
    }
    server = start("serve", **bad)
    assert server.wait() == 2
    assert [name for name in bad if f"{name}:" not in server.output] == []
    assert "hunter2" not in server.output
    assert "Traceback" not in server.output


def test_a_bad_credentials_key_names_its_variable(start: Callable[..., Server]) -> None:
    server = start("serve", CREDENTIALS_KEYS="hunter2")
    assert server.wait() == 2, server.output
    assert "CREDENTIALS_KEYS" in server.output
    assert "hunter2" not in server.output
    assert "Traceback" not in server.output


def test_a_port_in_use_is_said(start: Callable[..., Server], data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = start("serve", PORT=port)
        assert server.wait() == 1
    assert port in server.output
    assert "in use" in server.output
    assert "Traceback" not in server.output
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_database_that_does_not_answer_is_said(start: Callable[..., Server]) -> None:
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/x"
    server = start("serve", DATABASE_URL=url)
    assert server.wait() == 1
    assert "NetPilot can't start" in server.output
    assert "hunter2" not in server.output
    assert "Traceback" not in server.output


def test_migrating_brings_an_external_database_up_to_date_and_ends(
    start: Callable[..., Server], database_url: str
) -> None:
    server = start("migrate", DATABASE_URL=database_url)
    assert server.wait() == 0
    assert server.output == "The database is up to date.\n"


def test_the_collector_alone_collects_and_ends_on_sigterm(
    start: Callable[..., Server],
    home: tuple[SimulatedRouter, HostedRouter, dict[str, str]],
    database_url: str,
) -> None:
    router, _, env = home
    router.traffic(PHONE, rx=1, tx=2)
    server = start("collect", DATABASE_URL=database_url, **env)

    def has_collected() -> bool:
        connection = psycopg2.connect(database_url)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM last_readings")
            return bool(cursor.fetchone()[0])  # type: ignore[index]

    server.until(has_collected, "a reading")
    assert "NetPilot collects" in server.output
    with pytest.raises(requests.ConnectionError):
        server.get("/health/live")
    assert server.terminate() == 0
    assert "Traceback" not in server.output


def test_two_servers_share_one_data_directory(
    start: Callable[..., Server], home: tuple[SimulatedRouter, HostedRouter, dict[str, str]], data_dir: Path
) -> None:
    router, _, env = home
    servers = [start("serve", **env), start("serve", **env)]
    for server in servers:
        server.until_ready()
    first_reading(servers[0])
    with traffic(router):
        threads = [
            threading.Thread(target=lambda server=server: [server.post(f"{BASE}/refresh") for _ in range(25)])
            for server in servers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    servers[1].until(lambda: servers[1].post(f"{BASE}/refresh").status_code == 200, "a last reading")
    assert stored(servers[0]) == truth(router)
    assert servers[0].terminate() == 0
    assert servers[1].data("/health/ready") == {"status": "ready"}
    assert servers[1].terminate() == 0
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


# --- killing ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_a_server_killed_again_and_again_loses_and_doubles_nothing(
    start: Callable[..., Server], home: tuple[SimulatedRouter, HostedRouter, dict[str, str]]
) -> None:
    router, _, env = home
    rng = random.Random(11)
    server = start("serve", **env).until_ready()
    first_reading(server)
    with traffic(router):
        for round_number in range(10):
            dying = server

            def keep_refreshing(server: Server = dying) -> None:
                with contextlib.suppress(requests.RequestException):
                    while True:
                        server.post(f"{BASE}/refresh")

            threads = [threading.Thread(target=keep_refreshing) for _ in range(2)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.05, 0.6))
            server.kill()
            for thread in threads:
                thread.join(40)
            server = start("serve", **env).until_ready()
            answer = server.post(f"{BASE}/refresh")
            assert answer.status_code == 200, f"round {round_number}: {answer.text}"
    server.until(lambda: server.post(f"{BASE}/refresh").status_code == 200, "a last reading")
    assert stored(server) == truth(router)
    assert server.terminate() == 0


def test_a_killed_database_comes_back_by_itself_and_nothing_is_lost(
    start: Callable[..., Server], home: tuple[SimulatedRouter, HostedRouter, dict[str, str]], data_dir: Path
) -> None:
    router, _, env = home
    server = start("serve", **env).until_ready()
    first_reading(server)
    with traffic(router):
        for _ in range(2):
            before = postmaster(data_dir)
            os.kill(before, signal.SIGKILL)
            server.until(lambda: server.get("/health/ready").status_code == 503, "that the database is gone", 10)
            server.until_ready()
            assert postmaster(data_dir) != before
            server.until(lambda: server.post(f"{BASE}/refresh").status_code == 200, "a reading")
        os.kill(postmaster(data_dir), signal.SIGKILL)
        server.kill()
        server = start("serve", **env).until_ready()
    server.until(lambda: server.post(f"{BASE}/refresh").status_code == 200, "a last reading")
    assert stored(server) == truth(router)
    assert server.terminate() == 0


# --- the demo --------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_the_demo_has_thirty_days_goes_on_after_a_kill_and_finds_them_again(start: Callable[..., Server]) -> None:
    server = start("serve", "--demo")
    server.until(lambda: "20 % of the history" in server.output, "a fifth of the history", 120)
    server.kill()
    server = start("serve", "--demo")
    server.until_ready(150)
    today = datetime.now(UTC).date()
    query = {"startDate": (today - timedelta(days=29)).isoformat(), "endDate": today.isoformat()}
    history = server.data(f"{BASE}/history", **query)
    assert len(history["buckets"]) == 30
    assert [bucket["start"] for bucket in history["buckets"] if not bucket["totalBytes"]] == []
    assert min(bucket["coverage"] for bucket in history["buckets"][1:-1]) == 1.0
    assert len(history["devices"]) >= 12
    assert server.post(f"{BASE}/refresh").status_code == 200
    assert server.data(f"{BASE}/current")["source"] == "live"
    devices = server.data(f"{BASE}/devices")
    assert devices["totalDevices"] >= 11
    server.kill()
    server = start("serve", "--demo").until_ready()
    assert "First start" not in server.output
    again = server.data(f"{BASE}/history", **query)
    whole = slice(1, -2)
    assert again["buckets"][whole] == history["buckets"][whole]
    assert len(server.get("/api/routers").json()["data"]["routers"]) == 1
    assert server.post(f"{BASE}/refresh").status_code == 200
    assert server.terminate() == 0
