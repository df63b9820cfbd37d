"""A collecting process that is killed again and again, and a PostgreSQL: `python -m tests.life --kills N --restarts N`.

`python server.py collect` reads a simulated router over SSH into the embedded database, as fast as it is told to. It is
killed with SIGKILL at random moments and started again; or PostgreSQL is stopped at once under it and started again.
At the end every byte of the ledger has to be stored once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psycopg2
from psycopg2.extensions import connection

from db_operations.embedded_postgres import EmbeddedPostgres
from simulator.clock import SystemClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.postgres import FAST, temporary_home
from tests.restless_devices import traffic

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
#: Variables of the machine that would change what is started.
OURS = ("DATABASE_URL", "DATA_DIR", "HOST", "PORT", "ROUTER_", "COLLECT", "CREDENTIALS", "LOG_", "CORS_", "AUTH_")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was stored in the end, per MAC, and what flowed."""

    stored: dict[str, tuple[int, int]]
    truth: dict[str, tuple[int, int]]
    readings: int
    #: How many kills met a collection that was under way.
    hits: int

    @property
    def is_exact(self) -> bool:
        return self.stored == self.truth

    def __str__(self) -> str:
        total = sum(map(sum, self.truth.values()))
        verdict = "exact" if self.is_exact else f"DIFFERENCE: stored {self.stored}, flowed {self.truth}"
        return f"{self.readings:,} readings, {self.hits:,} interrupted, {total:,} bytes: {verdict}"


class Scene:
    """A router of real time behind SSH, an embedded PostgreSQL, and a process that collects the one into the other."""

    def __init__(self, home: Path, hosted: HostedRouter, server: EmbeddedPostgres) -> None:
        self._home = home
        self._hosted = hosted
        self._server = server
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start collecting."""
        hosted = self._hosted
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.process = subprocess.Popen(
            [sys.executable, "server.py", "collect"],
            cwd=ROOT,
            env={
                **clean,
                "DATA_DIR": str(self._home),
                "ROUTER_HOST": hosted.host,
                "ROUTER_PORT": str(hosted.port),
                "ROUTER_PASSWORD": str(hosted.password),
                "ROUTER_ALLOWED_NETWORKS": "127.0.0.0/8",
                "LOG_LEVEL": "error",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    @contextlib.contextmanager
    def database(self) -> Iterator[connection]:
        conn = psycopg2.connect(self._server.url, connect_timeout=5)
        conn.autocommit = True
        try:
            yield conn
        finally:
            conn.close()

    def hurry(self) -> None:
        """Have the router collected now, and again at once after that: what a person does who presses "refresh"."""
        with contextlib.suppress(psycopg2.Error), self.database() as conn, conn.cursor() as cursor:
            cursor.execute("UPDATE routers SET next_collect_at = now() - interval '1 second'")

    def last_read_at(self) -> datetime | None:
        with contextlib.suppress(psycopg2.Error), self.database() as conn, conn.cursor() as cursor:
            cursor.execute("SELECT max(read_at) FROM last_readings")
            row = cursor.fetchone()
            return row[0] if row else None
        return None

    def read_once_more(self, after: datetime) -> None:
        """Until a reading is stored that was taken after ``after``."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            read_at = self.last_read_at()
            if read_at and read_at > after:
                return
            if self.process is None or self.process.poll() is not None:
                self.start()
            self.hurry()
            time.sleep(0.1)
        raise AssertionError(f"no reading within {PATIENCE_S:.0f} s")

    def stored(self) -> tuple[dict[str, tuple[int, int]], int]:
        """Per MAC, hours and days in agreement; and how many readings there were."""
        sums = []
        with self.database() as conn, conn.cursor() as cursor:
            for table in ("device_usage_hourly", "device_usage_history"):
                condition = "WHERE span = 'day'" if table == "device_usage_history" else ""
                cursor.execute(
                    f"SELECT device_mac, sum(total_download)::bigint, sum(total_upload)::bigint FROM {table} "
                    f"{condition} GROUP BY 1"
                )
                sums.append({mac: (down, up) for mac, down, up in cursor.fetchall()})
            cursor.execute(
                "SELECT device_mac, sum(ipv4_download + ipv6_download)::bigint, sum(ipv4_upload + ipv6_upload)::bigint "
                "FROM device_usage_protocols GROUP BY 1"
            )
            sums.append({mac: (down, up) for mac, down, up in cursor.fetchall()})
            cursor.execute("SELECT count(DISTINCT timestamp) FROM device_usage_monitoring")
            row = cursor.fetchone()
        assert sums[0] == sums[1] == sums[2], "hours, days and protocols differ"
        return sums[0], int(row[0]) if row else 0

    def meet_collection(self, rng: Random, patience_s: float) -> bool:
        """Until some random moment from a command on the router to the end of the transaction that stores it."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            self.hurry()
            if self._hosted.stats.running > 0:
                time.sleep(rng.uniform(0, 0.1))
                return True
            time.sleep(0.002)
        return False


@contextlib.contextmanager
def scene() -> Iterator[tuple[Scene, SimulatedRouter, EmbeddedPostgres]]:
    """Everything started, and a first reading taken before any byte has flowed."""
    with temporary_home() as home, SshServer() as ssh:
        router = empty_router(SystemClock())
        hosted = ssh.add(router)
        hosted.command_delay_s = 0.02
        server = EmbeddedPostgres(home, settings=FAST)
        server.start()
        playing = Scene(home, hosted, server)
        try:
            playing.start()
            playing.read_once_more(datetime(2000, 1, 1, tzinfo=UTC))
            yield playing, router, server
        finally:
            if playing.process and playing.process.poll() is None:
                playing.kill()
            server.stop()


def kill_again_and_again(kills: int, seed: int, say: Say) -> Outcome:
    """A collector that is killed at random moments: while it starts, reads, stores, or waits."""
    rng, hits = Random(seed), 0
    with scene() as (playing, router, _server):
        with traffic(router, seed=seed, every_s=0.01):
            for number in range(kills):
                # One in eight is met while it starts; the others in the middle of a collection or just after it.
                if rng.random() < 0.125:
                    time.sleep(rng.uniform(0, 2.0))
                else:
                    hits += playing.meet_collection(rng, PATIENCE_S)
                playing.kill()
                playing.start()
                if (number + 1) % 25 == 0:
                    say(f"{number + 1} kills, {hits} of them in the middle of a collection")
        return _outcome(playing, router, hits)


def restart_again_and_again(restarts: int, seed: int, say: Say) -> Outcome:
    """A PostgreSQL that is stopped at once (an immediate shutdown, as after a crash) under a collector that goes on."""
    rng, hits = Random(seed), 0
    with scene() as (playing, router, server):
        with traffic(router, seed=seed, every_s=0.01):
            for number in range(restarts):
                hits += playing.meet_collection(rng, 5.0)
                _stop_at_once(playing._home)
                server.ensure_running()
                if (number + 1) % 25 == 0:
                    say(f"{number + 1} restarts, {hits} of them in the middle of a collection")
        return _outcome(playing, router, hits)


def _stop_at_once(home: Path) -> None:
    """SIGQUIT to the postmaster: no checkpoint, open transactions are gone, the next start recovers."""
    postmaster = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGQUIT)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not _is_alive(postmaster):
            return
        time.sleep(0.01)
    raise AssertionError("PostgreSQL did not stop")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _outcome(playing: Scene, router: SimulatedRouter, hits: int) -> Outcome:
    playing.read_once_more(datetime.now(UTC))
    stored, readings = playing.stored()
    assert router.ledger
    truth = {mac: (usage.rx, usage.tx) for mac, usage in router.ledger.totals().items()}
    return Outcome(stored=stored, truth=truth, readings=readings, hits=hits)
