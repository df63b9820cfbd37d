"""`server.py sign-out` beside a running server."""

from collections.abc import Callable

import pytest
import requests
from cryptography.fernet import Fernet

from tests.endpoints.accounts.provider import ANNA, BEN, BrowserOf, running_provider
from tests.homes import free_port
from tests.server_process.running_server import Server


def test_an_operator_ends_sign_ins_and_tokens_while_the_server_runs(
    start: Callable[..., Server], database_url: str
) -> None:
    port = free_port()
    with running_provider() as provider:
        env = {
            "PORT": str(port),
            "DATABASE_URL": database_url,
            "AUTH_MODE": "google",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "GOOGLE_CLIENT_ID": "netpilot",
            "GOOGLE_CLIENT_SECRET": "a secret of the provider's",
            "OIDC_DISCOVERY_URL": provider,
            "SECRET_KEY": "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi",
            "CREDENTIALS_KEYS": Fernet.generate_key().decode(),
        }
        start("serve", **env).until_ready()
        anna, ben = BrowserOf(f"http://127.0.0.1:{port}"), BrowserOf(f"http://127.0.0.1:{port}")
        anna.sign_in(ANNA)
        ben.sign_in(BEN)
        token = anna.call("POST", "/api/auth/tokens", json={"name": "x"}).json()["data"]["token"]

        def sign_out(*arguments: str) -> tuple[int, str]:
            command = start("sign-out", *arguments, **env)
            return command.wait(), command.output

        def statuses() -> list[int]:
            by_token = requests.get(f"{anna.base_url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})
            browsers = (one.call("GET", "/api/auth/me") for one in (anna, ben))
            return [answer.status_code for answer in (*browsers, by_token)]

        assert sign_out("--email", "carl@example.org") == (1, "There is no such account. Nothing was changed.\n")
        assert statuses() == [200, 200, 200]
        done = "1 browsers were signed out and 1 tokens deleted, of 1 accounts.\n"
        assert sign_out("--email", "ANNA@example.org") == (0, done)
        assert statuses() == [401, 200, 401]
        done = "1 browsers were signed out and 0 tokens deleted, of 2 accounts.\n"
        assert sign_out("--all") == (0, done)
        assert statuses() == [401, 401, 401]
        anna.sign_in(ANNA)
        assert statuses() == [200, 401, 401]


@pytest.mark.parametrize("arguments", [[], ["--email"], ["--all", "--email", "anna@example.org"]])
def test_it_has_to_be_said_whose(start: Callable[..., Server], arguments: list[str]) -> None:
    assert start("sign-out", *arguments).wait() == 2
