"""`python -m simulator`: one typical home behind SSH, to look at by hand."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator.clock import SystemClock
from simulator.home import typical_home
from simulator.ssh_server import SshServer


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    start = options.start or datetime.now(UTC) - timedelta(days=options.days)
    router = typical_home(start=start, clock=SystemClock(), seed=options.seed, zone=options.zone, ledger=False)
    router.advance()
    with SshServer() as server:
        hosted = server.add(router, port=options.port, password=options.password, host_key_file=options.host_key_file)
        print(f"A home since {start:%Y-%m-%d %H:%M} UTC, host key {hosted.fingerprint}")  # noqa: T201
        print(f"  ssh -p {hosted.port} {hosted.username}@{hosted.host} 'nlbw -c show'", flush=True)  # noqa: T201
        stop.wait()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--days", type=float, default=30, help="how long the home has been living")
    parser.add_argument("--start", type=_moment, help="since when, in place of --days: 2026-10-01T00:00:00Z")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--zone", default="Europe/Berlin")
    parser.add_argument("--host-key-file", type=Path, help="keeps the host key over restarts")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
