"""The server or its database killed under load: nothing is lost and nothing counted twice."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.restless_devices import traffic
from tests.server_process.byte_counts import stored, truth
from tests.server_process.running_server import BASE, Server, first_reading, postmaster


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
