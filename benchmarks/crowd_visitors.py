"""People and their programs: each asks one thing after another, as dashboards and scripts do, and keeps what it saw."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

_BASE = "/api/device-usage"

#: Paths that are answered from the store, and how often each is asked: a page that is opened asks for the first ones.
_STORED: Mapping[str, int] = {
    f"{_BASE}/status": 5,
    f"{_BASE}/devices": 5,
    f"{_BASE}/history": 5,
    f"{_BASE}/summary": 5,
    f"{_BASE}/history?granularity=hour": 3,
    f"{_BASE}/summary?period=30days": 2,
    f"{_BASE}/device/{{mac}}/history": 3,
    f"{_BASE}/device/{{mac}}/info": 3,
    f"{_BASE}/device/{{mac}}/protocols": 1,
    f"{_BASE}/protocols": 2,
    f"{_BASE}/people": 1,
    f"{_BASE}/events": 2,
    f"{_BASE}/periods": 1,
    f"{_BASE}/devices/merge-suggestions": 1,
    f"{_BASE}/analytics/trends": 2,
    f"{_BASE}/analytics/trends?period=30days": 1,
    f"{_BASE}/analytics/anomalies": 1,
    f"{_BASE}/analytics/compare": 2,
}
_OF_ACCOUNT = ("/api/routers", "/api/auth/me", "/api/auth/tokens", "/api/auth/sessions", "/api/auth/audit")

#: Of these, those that a program may see too.
_FOR_PROGRAMS = _OF_ACCOUNT[:2]

#: What a router that is not well may be answered with.
_ROUTER_CODES = {
    *("ROUTER_UNREACHABLE", "ROUTER_TIMEOUT", "ROUTER_AUTH_FAILED", "HOST_KEY_CHANGED", "BAD_ROUTER_OUTPUT"),
    *("OUTPUT_TOO_LARGE", "NLBWMON_DOWN", "NLBWMON_MISSING"),
}


@dataclass(frozen=True)
class Home:
    """A registered router, as those see it whose it is."""

    id: str
    macs: Sequence[str]
    is_faulty: bool


@dataclass
class Seen:
    """What all visitors saw together."""

    #: Answers in full, headers too; those that hand out a secret to whom it belongs are left out.
    kept: Path
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[str] = field(default_factory=Counter)
    #: Answers that nobody could be prepared for.
    unplanned: list[str] = field(default_factory=list)
    #: What was handed out, to be looked for where it must not be.
    secrets: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._file = self.kept.open("ab")

    def keep(self, head: str, body: bytes) -> None:
        self._file.write(head.encode() + b"\n" + body + b"\n")

    def close(self) -> None:
        self._file.close()


class Visitor:
    """One of an account's browsers or programs, with an address of its own."""

    def __init__(
        self, seen: Seen, port: int, *, number: int, headers: Mapping[str, str], homes: Sequence[Home], foreign: Home
    ) -> None:
        self._seen, self._port = seen, port
        self._headers = dict(headers)
        self._homes, self._foreign = homes, foreign
        self._random = random.Random(number)
        self._address = f"127.1.0.{number + 1}"
        self._connection = self._connect()

    def stay(self, until: float) -> None:
        """Ask, look at the answer for a moment, ask again."""
        while time.monotonic() < until:
            self._do_something()
            time.sleep(self._random.uniform(0.3, 1.1))
        self._connection.close()

    def _do_something(self) -> None:
        home = self._random.choice(self._homes)
        router = f"routerId={home.id}"
        mac = quote(self._random.choice(home.macs))
        # An account's five visitors refresh some ten times a minute, of thirty that it may.
        what = self._random.choices(
            ("stored", "account", "live", "refresh", "change", "token", "export", "report", "test", "foreign", "floor"),
            (60, 6, 7, 3, 6, 2, 2, 1, 1, 3, 9),
        )[0]
        match what:
            case "stored":
                path = self._random.choices([*_STORED], [*_STORED.values()])[0].format(mac=mac)
                self._ask(what, home, "GET", _about(home, path))
            case "account":
                paths = _OF_ACCOUNT if "Cookie" in self._headers else _FOR_PROGRAMS
                self._ask(what, home, "GET", self._random.choice(paths))
            case "live":
                self._ask(what, home, "GET", f"{_BASE}/current?{router}")
            case "refresh":
                self._ask(what, home, "POST", f"{_BASE}/refresh?{router}")
            case "change":
                change = {"name": f"Device of {self._random.random()}", "notes": "“quoted”\n" * 3}
                self._ask(what, home, "PUT", f"{_BASE}/device/{mac}?{router}", change)
            case "token":
                self._make_and_delete_token(home)
            case "export":
                path = self._random.choice(("export/csv?granularity=hour", "export/json"))
                self._ask(what, home, "GET", _about(home, f"{_BASE}/{path}"))
            case "report":
                wanted = {"period": "week", "format": self._random.choice(("json", "json", "pdf"))}
                self._ask(what, home, "POST", f"{_BASE}/report/generate?{router}", wanted)
            case "test":
                self._ask(what, home, "POST", f"/api/routers/{home.id}/test")
            case "foreign":
                path = self._random.choice([*_STORED]).format(mac=mac)
                self._ask(what, home, "GET", _about(self._foreign, path), expected=404)
            case "floor":
                self._ask(what, home, "GET", "/health/live")

    def _make_and_delete_token(self, home: Home) -> None:
        if "Cookie" not in self._headers:
            return  # a token makes no tokens
        made = self._ask("token", home, "POST", "/api/auth/tokens", {"name": "for a moment"}, is_secret=True)
        if made:
            with self._seen.lock:
                self._seen.secrets.append(made["token"])
            self._ask("token", home, "DELETE", f"/api/auth/tokens/{made['id']}")

    def _ask(
        self,
        what: str,
        home: Home,
        method: str,
        path: str,
        body: object = None,
        *,
        expected: int = 200,
        is_secret: bool = False,
    ) -> Any:
        """One request. What it succeeded with; None if it did not."""
        started = time.perf_counter()
        try:
            status, head, answer = self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            status, head, answer = 0, type(error).__name__, b""
            self._connection.close()
            self._connection = self._connect()
        seconds = time.perf_counter() - started
        # Large answers are not taken apart: it would be the other visitors who wait for that.
        is_told = answer.startswith(b'{"success"') and (method != "GET" or status != 200)
        told = msgspec.json.decode(answer) if is_told else {}
        code = told.get("error", {}).get("code", "")
        is_planned = status == expected or 200 == expected < status < 300
        is_planned |= status in (502, 504) and code in _ROUTER_CODES and home.is_faulty
        with self._seen.lock:
            self._seen.seconds[what].append(seconds)
            self._seen.seconds[f"{method} {path.partition('?')[0].replace(home.id, '{id}')}"].append(seconds)
            self._seen.statuses[f"{what} {status} {code}".strip()] += 1
            if not is_planned:
                self._seen.unplanned.append(f"{method} {path}: {status} {head.splitlines()[0]} {answer[:300]!r}")
            if not is_secret and not path.startswith("/api/auth/me"):
                self._seen.keep(f"{method} {path}\n{head}", answer)
        return told.get("data") if is_planned else None

    def _exchange(self, method: str, path: str, body: object) -> tuple[int, str, bytes]:
        headers = {**self._headers, **({"Content-Type": "application/json"} if body is not None else {})}
        content = msgspec.json.encode(body) if body is not None else None
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        return response.status, f"{response.status}\n{response.headers}", response.read()

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=120, source_address=(self._address, 0))


def _about(home: Home, path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}routerId={home.id}"
