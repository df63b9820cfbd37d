"""`server.py rotate-keys` beside running servers."""

from collections.abc import Callable

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
