"""What is another account's against what does not exist, over the real web server: whoever tries ids must not learn
from the time of an answer which routers there are.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import psycopg2
from cryptography.fernet import Fernet

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.stored_usage import add_rollups
from benchmarks.temporary_database import migrated_database, temporary_home
from tests.endpoints.accounts.provider import ANNA, BEN, BrowserOf, running_provider
from tests.homes import free_port
from tests.server_process.running_server import Server

_MOST = 1.1

_USAGE = "/api/device-usage"
_PATHS = (
    ("GET", "/api/routers/{id}"),
    ("DELETE", "/api/routers/{id}"),
    ("GET", f"{_USAGE}/current?routerId={{id}}"),
    ("GET", f"{_USAGE}/history?routerId={{id}}"),
    ("GET", f"{_USAGE}/export/csv?routerId={{id}}"),
)


def tenancy(options: Options) -> Iterator[Result]:
    """The slower of the two against the quicker: neither may tell itself apart."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the provider tells every request
    rounds = options.rounds(500)
    with migrated_database() as url, temporary_home() as home, _netpilot(url, home) as server:
        token = _sign_in(server)
        foreign = _settle_another(server, url)
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            for method, path in _PATHS:
                foreign_s, unknown_s = medians(
                    timed(_asking(connection, token, method, path, lambda: foreign)),
                    timed(_asking(connection, token, method, path, lambda: secrets.token_hex(8))),
                    rounds=rounds,
                )
                name = f"tenancy, {method} {path.partition('?')[0].removeprefix('/api/')}"
                slower, quicker = max(foreign_s, unknown_s), min(foreign_s, unknown_s)
                yield Result(name=name, ours_s=slower, limit_s=quicker, at_most=_MOST)


@contextmanager
def _netpilot(url: str, home: Path) -> Iterator[Server]:
    """The whole server with sign-in, which counts no requests."""
    port = free_port()
    with running_provider() as provider:
        server = Server(
            home,
            "serve",
            PORT=str(port),
            DATABASE_URL=url,
            AUTH_MODE="google",
            PUBLIC_URL=f"http://127.0.0.1:{port}",
            GOOGLE_CLIENT_ID="netpilot",
            GOOGLE_CLIENT_SECRET=secrets.token_urlsafe(48),
            OIDC_DISCOVERY_URL=provider,
            SECRET_KEY=secrets.token_urlsafe(48),
            CREDENTIALS_KEYS=Fernet.generate_key().decode(),
            ROUTER_ALLOWED_NETWORKS="127.0.0.0/8",
            RATELIMIT_ENABLED="false",
            COLLECTOR_ENABLED="false",
        )
        try:
            yield server.until_ready()
        finally:
            server.terminate()


def _sign_in(server: Server) -> str:
    """Anna's token. She has a router too, as who tries ids might."""
    browser = BrowserOf(f"http://127.0.0.1:{server.port}")
    assert browser.sign_in(ANNA).status_code == 200
    _register(browser)
    made = browser.call("POST", "/api/auth/tokens", json={"name": "tries ids", "scope": "write"})
    return str(made.json()["data"]["token"])


def _settle_another(server: Server, url: str) -> str:
    """The id of Ben's router, which has five weeks of usage."""
    browser = BrowserOf(f"http://127.0.0.1:{server.port}")
    assert browser.sign_in(BEN).status_code == 200
    router_id = _register(browser)
    with closing(psycopg2.connect(url)) as conn:
        with conn.cursor() as cursor:
            cursor.execute("SELECT session_id FROM routers WHERE id = %s", (router_id,))
            ((session_id,),) = cursor.fetchall()
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        add_rollups(conn, router_id, last_day=yesterday, session=session_id)
        conn.commit()
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
    return router_id


def _register(browser: BrowserOf) -> str:
    """Nobody answers there; it is kept all the same."""
    wanted = {"name": "Home", "host": "127.0.0.1", "port": free_port(), "username": "root", "password": "x"}
    return str(browser.call("POST", "/api/routers", json=wanted).json()["data"]["id"])


def _asking(
    connection: HTTPConnection, token: str, method: str, path: str, make_id: Callable[[], str]
) -> Callable[[], None]:
    def ask() -> None:
        connection.request(method, path.format(id=make_id()), headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 404:
            raise RuntimeError(f"{method} {path}: {response.status} {body[:500]!r}")

    return ask
