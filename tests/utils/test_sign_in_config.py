"""What AUTH_MODE=google needs is asked for by name, all at once, and none of it has a default."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from utils.config import Config, ConfigurationError, load_config

GOOD = {
    "AUTH_MODE": "google",
    "HOST": "0.0.0.0",
    "PUBLIC_URL": "https://netpilot.example.org",
    "GOOGLE_CLIENT_ID": "netpilot.apps.example",
    "GOOGLE_CLIENT_SECRET": "GOCSPX-1",
    "SECRET_KEY": "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
    "CREDENTIALS_KEYS": Fernet.generate_key().decode(),
}
NEEDED = ["PUBLIC_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "SECRET_KEY", "CREDENTIALS_KEYS"]


@pytest.fixture(autouse=True)
def _good_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def problem() -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_config()
    return str(caught.value)


def test_with_all_of_it_the_server_may_be_reached_from_anywhere() -> None:
    config = load_config()

    assert (config.has_sign_in, config.is_https, config.host) == (True, True, "0.0.0.0")


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for empty in ("", " "):
        monkeypatch.setenv(name, empty)
        assert problem().startswith(f"AUTH_MODE=google needs {name};")


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        monkeypatch.delenv(name)

    assert problem().startswith(f"AUTH_MODE=google needs {', '.join(NEEDED)};")


@pytest.mark.parametrize("password", ["password", "change-me"])
def test_a_password_of_the_examples_is_refused(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://netpilot:{password}@127.0.0.1:5432/netpilot")

    assert problem() == "DATABASE_URL: its password looks like an example's; choose another one"
    monkeypatch.setenv("AUTH_MODE", "local")
    monkeypatch.setenv("HOST", "127.0.0.1")
    assert load_config().database_url is not None


@pytest.mark.parametrize(
    "url", ["http://netpilot.example.org", "http://192.168.1.5:5000", "http://127.0.0.1.example.org", "http://0.0.0.0"]
)
def test_over_a_network_people_sign_in_by_https(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)

    assert problem().startswith("PUBLIC_URL: must begin with https://")


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:8080", "http://[::1]:5000"])
def test_on_this_machine_http_does(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)

    assert (load_config().base_url, load_config().is_https) == (url, False)


def test_the_server_has_the_name_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://example.org/netpilot")

    assert problem().startswith("PUBLIC_URL: must have no path")


def test_who_may_sign_in_is_compared_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_EMAILS", "Anna@Example.org , @Family.Example,")

    assert load_config().allowed_emails == ("anna@example.org", "@family.example")


def test_printing_it_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELIMIT_STORAGE_URI", "memory://:hunter2@")
    shown = repr(load_config())

    for secret in (GOOD["GOOGLE_CLIENT_SECRET"], GOOD["SECRET_KEY"], GOOD["CREDENTIALS_KEYS"], "hunter2"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("env", "doubts"),
    [
        ({}, ["ALLOWED_EMAILS", "TRUSTED_PROXIES"]),
        ({"ALLOWED_EMAILS": "@example.org"}, ["TRUSTED_PROXIES"]),
        ({"TRUSTED_PROXIES": "1"}, ["ALLOWED_EMAILS"]),
        ({"PUBLIC_URL": "http://localhost:5000"}, ["ALLOWED_EMAILS"]),
        ({"ALLOWED_EMAILS": "@example.org", "TRUSTED_PROXIES": "1"}, []),
        ({"AUTH_MODE": "local", "HOST": "127.0.0.1"}, []),
    ],
)
def test_what_is_often_forgotten_is_a_doubt(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], doubts: list[str]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    told = load_config().doubts

    assert len(told) == len(doubts)
    assert all(name in doubt for name, doubt in zip(doubts, told, strict=True))
