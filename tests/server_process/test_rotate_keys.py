"""`server.py rotate-keys` beside running servers."""

import signal
from collections.abc import Callable
from pathlib import Path

import requests
from cryptography.fernet import Fernet

from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.server_process.running_server import Server

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_key_is_changed_while_two_servers_run(
    start: Callable[..., Server], home: tuple[SimulatedRouter, HostedRouter, dict[str, str]]
) -> None:
    _, hosted, env = home
    networks = {"ROUTER_ALLOWED_NETWORKS": env["ROUTER_ALLOWED_NETWORKS"], "COLLECTOR_ENABLED": "false"}
    servers = [start("serve", CREDENTIALS_KEYS=keys, **networks) for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}")]
    for server in servers:
        server.until_ready()
    address = f"http://127.0.0.1:{servers[0].port}/api/routers"
    router = {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password}
    id_ = requests.post(address, json=router, timeout=30).json()["data"]["id"]

    def rotate(keys: str) -> tuple[int, str]:
        command = start("rotate-keys", CREDENTIALS_KEYS=keys)
        return command.wait(), command.output

    def both_get_in() -> None:
        for server in servers:
            (first, *_) = server.post(f"/api/routers/{id_}/test").json()["data"]["checks"]
            assert first["ok"], first

    assert rotate(NEW) == (
        1,
        f"0 stored credentials were encrypted anew.\nNone of the keys opens those of router {id_}. "
        "Is an older key missing in CREDENTIALS_KEYS? If it is lost, their passwords have to be entered again.\n",
    )
    both_get_in()
    assert rotate(f"{NEW},{OLD}") == (0, "1 stored credentials were encrypted anew.\n")
    assert rotate(f"{NEW},{OLD}") == (0, "0 stored credentials were encrypted anew.\n")
    both_get_in()
    new_password = requests.put(f"{address}/{id_}", json={"password": hosted.password}, timeout=30)
    assert new_password.status_code == 200
    assert rotate(f"{NEW},{OLD}")[1].startswith("1 "), "the server with the old key first stored it"
    assert rotate(NEW)[0] == 0
    both_get_in()


def test_a_server_takes_other_keys_while_it_runs(
    data_dir: Path,
    start: Callable[..., Server],
    home: tuple[SimulatedRouter, HostedRouter, dict[str, str]],
) -> None:
    _, hosted, env = home
    file = data_dir / "credentials.key"
    file.write_text(OLD)
    server = start("serve", ROUTER_ALLOWED_NETWORKS=env["ROUTER_ALLOWED_NETWORKS"]).until_ready()
    address = f"http://127.0.0.1:{server.port}/api/routers"
    router = {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password}
    id_ = requests.post(address, json=router, timeout=30).json()["data"]["id"]

    def reread(says: str) -> None:
        told = len(server.lines)
        server.process.send_signal(signal.SIGUSR1)
        server.until(lambda: any(says in line for line in server.lines[told:]), says)
        (first, *_) = server.post(f"/api/routers/{id_}/test").json()["data"]["checks"]
        assert first["ok"], first

    file.write_text(f"{NEW}\n{OLD}\n")
    reread("keys read again: 2, and the first is another one than before")
    assert start("rotate-keys").wait() == 0
    file.write_text(NEW)
    reread("keys read again: 1, and the first is the same as before")
    again = requests.put(f"{address}/{id_}", json={"password": hosted.password}, timeout=30)
    assert again.status_code == 200
    for nothing_to_use in (f"{NEW}\nhunter2\n", "", "é"):
        file.write_text(nothing_to_use)
        reread("the credentials keys stay as they were: ")
    file.unlink()
    reread("the credentials keys stay as they were: ")
    assert not file.exists()
    assert "hunter2" not in server.output
    file.write_text(NEW)
    assert start("rotate-keys").wait() == 0
