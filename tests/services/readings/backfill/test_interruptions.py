"""Back-fill that is interrupted anywhere goes on and stores everything once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import pytest

from db_operations import devices_db, events_db, periods_db, protocols_db
from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.archived_homes import (
    DAYS,
    Ahead,
    archived,
    collect,
    settle,
    states,
)
from tests.homes import KEY, PHONE, ask, daily, protocols_by_day, register

STEPS = [
    (periods_db, "hold_router"),
    (periods_db, "complete_pending_period"),
    (periods_db, "upsert_period_totals"),
    (devices_db, "insert_devices_unless_there"),
    (periods_db, "get_first_reading_at"),
    (periods_db, "fill_day_from_period"),
    (protocols_db, "add_to_protocols"),
    (events_db, "insert_event"),
    (periods_db, "give_up_pending_periods"),
    (periods_db, "list_period_states"),
]

#: Before the end of the first call, or of a later one in the middle of a few archives.
CUTS = [(*step, calls) for step in STEPS for calls in (1, 3) if step[1] != "list_period_states" or calls == 1]


@pytest.mark.parametrize(("module", "name", "calls"), CUTS, ids=[f"{name}-{calls}" for _, name, calls in CUTS])
def test_what_fails_at_any_step_is_stored_at_the_next_and_all_of_it_once(
    runtime: Runtime, join: Any, days: SimulatedRouter, database: Database, module: Any, name: str, calls: int
) -> None:
    context, _ = join(days)
    whole, left = getattr(module, name), [None] * calls

    def fails(*args: object, **options: object) -> object:
        result = whole(*args, **options)
        if left and current_thread().name.startswith("backfill"):
            left.pop()
            if not left:
                raise OSError("injected")
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, fails)
        collect(runtime, context, times=5)
    collect(runtime, context, times=3)
    assert not left
    check_all_days_are_there_once(database, context)


def check_all_days_are_there_once(database: Database, context: RouterContext) -> None:
    expected = {(PHONE, day): (down, up) for day, _, down, up in DAYS}
    assert daily(database, context) == protocols_by_day(database, context) == expected
    assert {(mac, date.fromisoformat(start)): both for (start, mac), both in archived(database).items()} == expected
    told = ask(database, "SELECT count(*), count(DISTINCT start_at) FROM events WHERE type = 'backfilled'")
    assert told == [(10, 10)]
    assert set(states(database).values()) == {"complete", "missing"}


#: A server that reads the router once and makes one step, in which it is killed.
KILLED = """
import os, signal, sys
from datetime import datetime
from threading import current_thread
from db_operations import devices_db, events_db, periods_db
from server import build_runtime
from services.context import RouterContext
from tests.archived_homes import settle
from tests.homes import ALICE, make_config

url, key, router_id, now, step, calls = sys.argv[1:]
module, name = step.split(".")
module = {"devices_db": devices_db, "events_db": events_db, "periods_db": periods_db}[module]
whole, left = getattr(module, name), [None] * int(calls)

def killed(*args, **options):
    result = whole(*args, **options)
    if current_thread().name.startswith("backfill"):
        left.pop()
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(module, name, killed)
runtime = build_runtime(make_config(credentials_keys=key), url, clock=lambda: datetime.fromisoformat(now))
runtime.collector.collect(RouterContext(ALICE, router_id))
settle(runtime)
"""


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("step", ["periods_db.complete_pending_period", "events_db.insert_event"])
def test_a_server_killed_in_a_transaction_leaves_whole_archives_and_the_next_goes_on(
    runtime: Runtime,
    join: Any,
    days: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    database_url: str,
    step: str,
    calls: int,
) -> None:
    context, _ = join(days)
    arguments = [database_url, KEY, context.router_id, clock.now().isoformat(), step, str(calls)]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert list(states(database).values()).count("complete") == calls - 1
    assert len(daily(database, context)) == calls - 1
    collect(runtime, context, times=5)
    check_all_days_are_there_once(database, context)


def test_two_servers_at_once_store_each_archive_once(
    make_runtime: Callable[..., Runtime], ssh: SshServer, days: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    pair = [make_runtime(Ahead(clock).now, backfill=True) for _ in range(2)]
    context = register(pair[0], ssh.add(days))
    taken = pair[0].collector.collect(context).taken
    settle(pair[0])
    record = pair[0].routers.get(context)

    def step(runtime: Runtime) -> None:
        for _ in range(4):
            runtime.backfill.read_some(record, zone=taken.zone, router_zone=taken.router_zone)

    threads = [Thread(target=step, args=(runtime,)) for runtime in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    check_all_days_are_there_once(database, context)
