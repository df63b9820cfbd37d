"""server.py that can't start says why, naming the variable and no secret."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

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


def test_sign_in_without_what_it_needs_names_all_of_it(start: Callable[..., Server]) -> None:
    server = start("serve", AUTH_MODE="google", HOST="0.0.0.0", GOOGLE_CLIENT_SECRET="hunter2")
    assert server.wait() == 2, server.output
    for name in ("PUBLIC_URL", "GOOGLE_CLIENT_ID", "SECRET_KEY", "CREDENTIALS_KEYS"):
        assert name in server.output
    assert "hunter2" not in server.output
    assert "Traceback" not in server.output


def test_bad_variables_of_sign_in_name_themselves_and_not_their_secrets(start: Callable[..., Server]) -> None:
    bad = {
        "SECRET_KEY": "hunter2",
        "PUBLIC_URL": "https://admin:hunter2@netpilot.example.org",
        "ALLOWED_EMAILS": "anna",
        "TRUSTED_PROXIES": "-1",
        "SESSION_IDLE_HOURS": "0",
        "SESSION_MAX_DAYS": "1000",
        "OIDC_DISCOVERY_URL": "http://id.example.org/.well-known/openid-configuration",
        "CORS_ORIGINS": "null",
        "RATELIMIT_ENABLED": "perhaps",
        "RATELIMIT_STORAGE_URI": "carrier-pigeon://:hunter2@loft",
    }
    server = start("serve", AUTH_MODE="google", **bad)
    assert server.wait() == 2, server.output
    assert [name for name in bad if f"{name}:" not in server.output] == []
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


@pytest.mark.parametrize("password", ["hun@ter2", "12/hun@ter2", "hun%zzter2", "ter2%00", "x@127.0.0.1/x?hunter2"])
def test_a_password_that_is_not_written_as_in_a_url_is_quoted_in_no_error(
    start: Callable[..., Server], password: str
) -> None:
    server = start("migrate", DATABASE_URL=f"postgresql://user:{password}@127.0.0.1:{free_port()}/x")
    assert server.wait() == 2, server.output
    assert "DATABASE_URL: not a URL such as" in server.output
    assert "ter2" not in server.output
    assert "Traceback" not in server.output


SIGN_IN = {
    "AUTH_MODE": "google",
    "PUBLIC_URL": "http://127.0.0.1:5000",
    "GOOGLE_CLIENT_ID": "netpilot",
    "GOOGLE_CLIENT_SECRET": "hunter2",
    "SECRET_KEY": "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
    "CREDENTIALS_KEYS": Fernet.generate_key().decode(),
}


@pytest.mark.parametrize(
    ("arguments", "more", "named"),
    [(["serve"], {"ROUTER_HOST": "192.168.1.1"}, "ROUTER_HOST"), (["serve", "--demo"], {}, "--demo")],
)
def test_what_needs_the_local_account_is_refused_where_people_sign_in(
    start: Callable[..., Server], arguments: list[str], more: dict[str, str], named: str
) -> None:
    server = start(*arguments, **SIGN_IN, **more)
    assert server.wait() == 2, server.output
    assert f"{named}: only for AUTH_MODE=local" in server.output
    assert "hunter2" not in server.output


def test_a_key_file_that_holds_no_key_is_said(start: Callable[..., Server], data_dir: Path) -> None:
    (data_dir / "credentials.key").write_text("hunter2")
    server = start("serve")
    assert server.wait() == 2, server.output
    assert "credentials.key: holds something that is no key" in server.output
    assert "hunter2" not in server.output
