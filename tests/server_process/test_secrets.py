"""A whole walk through a server that logs all it can: no secret is in a log, an answer or the database."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from itsdangerous import URLSafeTimedSerializer

from db_operations.database import Database
from simulator.clock import SystemClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.accounts.provider import ANNA, BrowserOf, running_provider
from tests.homes import PHONE, dump, free_port
from tests.server_process.running_server import BASE, Server

PASSWORD, WRONG, TOO_MUCH = "Sesam-0pen!pw", "Wr0ng-guess!pw", "T00-much!" * 600
CLIENT_SECRET = "the-provider-knows-0815"
SECRET_KEY = "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi"
FERNET_KEYS = [Fernet.generate_key().decode(), Fernet.generate_key().decode()]

Walked = tuple[Server, list[requests.Response], dict[str, str]]


def key_pair() -> tuple[str, str]:
    """A private key as people paste it, and the line for authorized_keys."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.fixture
def hosted() -> Iterator[tuple[HostedRouter, HostedRouter, str]]:
    """A router with a password, one with a key, and that key."""
    private_key, authorized = key_pair()
    with SshServer() as ssh:
        routers = [empty_router(SystemClock()) for _ in range(2)]
        for router in routers:
            router.add_host(PHONE, "192.168.1.2", "Annas-iPhone")
            router.traffic(PHONE, rx=4_711)
        by_password = ssh.add(routers[0], password=PASSWORD)
        yield by_password, ssh.add(routers[1], password=None, authorized_keys=[authorized]), private_key


@pytest.fixture
def walked(
    start: Callable[..., Server], database_url: str, hosted: tuple[HostedRouter, HostedRouter, str]
) -> Iterator[Walked]:
    """The server after the walk, every answer of it, and the secrets that it handed out."""
    by_password, by_key, private_key = hosted
    port = free_port()
    with running_provider() as provider:
        server = start(
            "serve",
            PORT=str(port),
            LOG_LEVEL="DEBUG",
            DATABASE_URL=database_url,
            AUTH_MODE="google",
            PUBLIC_URL=f"http://127.0.0.1:{port}",
            GOOGLE_CLIENT_ID="netpilot",
            GOOGLE_CLIENT_SECRET=CLIENT_SECRET,
            OIDC_DISCOVERY_URL=provider,
            SECRET_KEY=SECRET_KEY,
            CREDENTIALS_KEYS=",".join(FERNET_KEYS),
            ROUTER_ALLOWED_NETWORKS="127.0.0.0/8",
        ).until_ready()
        browser = BrowserOf(f"http://127.0.0.1:{port}")
        answers: list[requests.Response] = []

        def keep(response: requests.Response, **_: Any) -> None:
            if urlsplit(response.url).port == port:
                answers.append(response)

        browser.http.hooks["response"].append(keep)
        secrets = walk(browser, by_password, by_key, private_key)
        yield server, answers, secrets


def walk(browser: BrowserOf, by_password: HostedRouter, by_key: HostedRouter, private_key: str) -> dict[str, str]:
    back = browser.come_back(ANNA)
    verifier = code_verifier(browser)
    browser.follow(back)
    token = browser.call("POST", "/api/auth/tokens", json={"name": "x", "scope": "write"}).json()["data"]["token"]
    header = {"Authorization": f"Bearer {token}"}

    def router(at: HostedRouter, **how: str) -> requests.Response:
        body = {"name": "Home", "host": at.host, "port": at.port, **how}
        return browser.call("POST", "/api/routers", json=body, headers=header)

    assert router(by_password, password=TOO_MUCH).status_code == 400
    assert router(by_password, password=PASSWORD, privateKey=private_key).status_code == 400
    assert router(by_password, privateKey=private_key[:200]).status_code == 400
    assert router(by_password, nonsense=PASSWORD).status_code == 400
    first, second = router(by_password, password=WRONG), router(by_key, privateKey=private_key)
    assert [first.status_code, second.status_code] == [201, 201], first.text + second.text
    one, other = (answer.json()["data"]["id"] for answer in (first, second))
    browser.call("PUT", f"/api/routers/{one}", json={"password": PASSWORD})
    for id_ in (one, other):
        query = {"routerId": id_}
        assert browser.call("POST", f"{BASE}/refresh", params=query).status_code == 200
        for path in ("devices", "current", "history", "status", "events", "protocols", "export/csv", "export/json"):
            assert browser.call("GET", f"{BASE}/{path}", params=query).status_code == 200, path
        for format_ in ("json", "pdf"):
            body = {"period": "day", "format": format_}
            assert browser.call("POST", f"{BASE}/report/generate", params=query, json=body).status_code == 200
        assert browser.call("POST", f"/api/routers/{id_}/test").status_code == 200
        assert browser.call("GET", f"/api/routers/{id_}").status_code == 200
        device = f"{BASE}/device/{PHONE}"
        assert browser.call("PUT", device, params=query, json={"name": "Annas-iPhone"}).status_code == 200
        assert browser.call("DELETE", device, params=query | {"purge": "true"}).status_code == 200
        assert browser.call("PUT", device, params=query, json={"isMonitored": True}).status_code == 200
    by_password.faults = Faults(other_host_key=True)
    by_password.drop_connections()
    assert browser.call("POST", f"{BASE}/refresh", params={"routerId": one}).status_code == 502
    by_key.faults = Faults(refuse_auth=True)
    by_key.drop_connections()
    assert browser.call("POST", f"{BASE}/refresh", params={"routerId": other}).status_code == 502
    assert browser.call("GET", f"{BASE}/device/{PHONE}/current", params={"routerId": other}).status_code == 200
    for path in ("/api/routers", "/api/auth/me", "/api/auth/tokens", "/api/auth/sessions", "/api/auth/audit"):
        is_for_programs = path in ("/api/routers", "/api/auth/me")
        assert browser.call("GET", path, headers=header).status_code == (200 if is_for_programs else 403)
        assert browser.call("GET", path).status_code == 200
    assert browser.call("GET", "/openapi.json").status_code == 200
    cookie, csrf = browser.cookie, browser.csrf or ""
    assert browser.call("GET", "/api/auth/me", headers={"Authorization": f"Bearer {token}x"}).status_code == 401
    browser.call("POST", "/api/auth/logout")
    browser.http.get(f"{browser.base_url}/api/auth/me", cookies={"netpilot_session": cookie})
    code, state = (parse_qs(urlsplit(back).query)[name][0] for name in ("code", "state"))
    return {"token": token, "cookie": cookie, "csrf": csrf, "code": code, "state": state, "code verifier": verifier}


def code_verifier(browser: BrowserOf) -> str:
    """What proves to the provider that it is we who come back with its code: in the cookie of the way there."""
    (cookie,) = [one.value or "" for one in browser.http.cookies if one.name.startswith("netpilot_sign_in_")]
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    begun = URLSafeTimedSerializer(SECRET_KEY, salt="sign-in", signer_kwargs=how).loads(cookie)
    return str(begun["code_verifier"])


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text or secret.encode().hex() in text]


def test_no_secret_leaves_the_server_but_where_it_is_handed_out(
    walked: Walked, hosted: tuple[HostedRouter, HostedRouter, str], database: Database
) -> None:
    server, answers, handed_out = walked
    kept = {
        "password": PASSWORD,
        "wrong password": WRONG,
        "password that is too long": TOO_MUCH[:20],
        "private key": hosted[2].splitlines()[2],
        "client secret": CLIENT_SECRET,
        "SECRET_KEY": SECRET_KEY,
        "new Fernet key": FERNET_KEYS[0],
        "old Fernet key": FERNET_KEYS[1],
    }
    secrets = kept | handed_out
    assert all(len(secret) > 8 for secret in secrets.values()), secrets

    assert len(answers) > 40
    for answer in answers:
        what = f"{answer.request.method} {answer.request.path_url}"
        path = urlsplit(answer.url).path
        meant = {
            "/api/auth/login": ["state"],
            "/api/auth/me": ["csrf"],
            "/api/auth/tokens": ["token"] if answer.status_code == 201 else [],
        }
        headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items() if name != "Set-Cookie")
        assert set(found_in(headers + answer.text, secrets)) <= set(meant.get(path, [])), what
        assert found_in(answer.headers.get("Set-Cookie", ""), kept) == [], what

    rows = dump(database)
    assert all(rows[table] for table in ("routers", "tokens", "audit_log", "last_readings"))
    assert found_in(repr(rows), secrets) == []

    server.terminate()
    assert "router" in server.output
    assert "ALLOWED_EMAILS is empty" in server.output
    assert found_in(server.output, secrets) == []
    without_debug = "".join(line for line in server.lines if " DEBUG " not in line)
    assert without_debug != server.output
    assert found_in(without_debug, {"MAC": PHONE, "hostname": "Annas-iPhone", "bytes": "4711"}) == []
