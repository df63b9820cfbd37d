"""server.py that can't start says why, naming the variable and no secret."""

import socket
from collections.abc import Callable
from pathlib import Path

from tests.homes import free_port
from tests.server_process.running_server import Server


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
    assert "in use; choose another one: PORT=N or --port N; with make: ARGS=" in server.output
    assert "Traceback" not in server.output
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_database_that_does_not_answer_is_said(start: Callable[..., Server]) -> None:
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/x"
    server = start("serve", DATABASE_URL=url)
    assert server.wait() == 1
    assert "NetPilot can't start" in server.output
    assert "hunter2" not in server.output
    assert "Traceback" not in server.output
