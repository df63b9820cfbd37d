"""server.py serves, migrates or collects, alone or beside another, and ends in time when told to."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import requests

from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE
from tests.restless_devices import traffic
from tests.server_process.byte_counts import stored, truth
from tests.server_process.running_server import BASE, Server, first_reading, is_alive, postmaster


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
    assert answers == [502]


@pytest.mark.parametrize(
    ("faults", "pause_s", "expected"),
    [
        (Faults(drip_s=0.0001), 0.0, {"HTTP/1.1 200 OK"}),
        (Faults(drip_s=0.0001), 0.3, {"HTTP/1.1 200 OK"}),
        (Faults(hang=True), 0.3, {"HTTP/1.1 502 BAD GATEWAY"}),
    ],
    ids=["slow, just sent", "slow", "hanging"],
)
def test_what_came_before_sigterm_is_answered(
    start: Callable[..., Server],
    home: tuple[SimulatedRouter, HostedRouter, dict[str, str]],
    faults: Faults,
    pause_s: float,
    expected: set[str],
) -> None:
    """More requests than web threads, all waiting for their router."""
    router, hosted, env = home
    server = start("serve", **env).until_ready()
    first_reading(server)
    router.traffic(PHONE, rx=1, tx=2)
    hosted.faults = faults
    request = b"POST /api/device-usage/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        clients = [stack.enter_context(socket.create_connection(address, timeout=15)) for _ in range(150)]
        for client in clients:
            client.sendall(request)
        time.sleep(pause_s)
        started = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - started < 10
        answers = [first_line(client) for client in clients]
    assert set(answers) == expected, {answer: answers.count(answer) for answer in set(answers)}
    assert "Traceback" not in server.output


def first_line(client: socket.socket) -> str:
    try:
        return client.recv(65_536).decode().partition("\r\n")[0]
    except OSError as error:
        return repr(error)


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
