"""Who is kept waiting by back-fill: nobody who reads, stops or deletes."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from server import Runtime
from services.readings.backfill import ARCHIVES_AT_ONCE
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.archived_homes import OF_MONTHS, Ahead, archived, asked_for, collect, settle, states
from tests.homes import ask, register, run_due

MINUTE = timedelta(minutes=1)


def test_a_reading_is_answered_while_archives_are_still_read(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, _ = join(months)
    go_on, waiting = Event(), Event()

    def hang(_: str) -> None:
        waiting.set()
        assert go_on.wait(20)

    asked_for(months, hang)
    assert runtime.collector.collect(context).stored.devices == 1
    assert waiting.wait(5)
    assert set(states(database).values()) == {"pending"}
    go_on.set()
    settle(runtime)
    assert list(states(database).values()).count("complete") == ARCHIVES_AT_ONCE


def test_scheduled_collections_bring_them_too(
    runtime: Runtime, join: Any, months: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    join(months)
    for _ in range(3):
        run_due(runtime)
        settle(runtime)
        clock.advance(5 * MINUTE)
    assert archived(database) == OF_MONTHS


def test_an_account_waits_for_its_turn_and_not_for_all_routers_of_another_one(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, bob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_alice = [register(runtime, ssh.add(empty_router(clock)), name=f"{number}") for number in range(6)]
    of_bob = register(runtime, ssh.add(empty_router(clock)), bob)
    go_on, begun = Event(), []

    def hang(router: RouterRecord, **_: object) -> None:
        begun.append(router.session_id)
        assert go_on.wait(20)

    monkeypatch.setattr(runtime.backfill, "read_some", hang)
    for context in (*of_alice, of_bob):
        runtime.collector.collect(context)
    go_on.set()
    settle(runtime)
    assert len(begun) == 7
    assert bob in begun[:4], "two had begun, and one of the other account was next before it came"


def test_stopping_ends_it_and_another_server_goes_on(
    make_runtime: Callable[..., Runtime],
    ssh: SshServer,
    months: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    first = make_runtime(Ahead(clock).now, backfill=True)
    context = register(first, ssh.add(months))
    whole = months.run
    hang = Event()
    asked_for(months, lambda _: hang.wait(3) and None)
    first.collector.collect(context)
    first.close()
    settle(first)
    assert set(states(database).values()) == {"pending"}
    hang.set()
    months.run = whole  # type: ignore[method-assign]
    second = make_runtime(Ahead(clock).now, backfill=True)
    collect(second, context, times=3)
    assert archived(database) == OF_MONTHS


def test_nothing_of_a_router_deleted_meanwhile_stays(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, _ = join(months)
    asked_for(months, lambda _: runtime.routers.delete(context))
    collect(runtime, context)
    for table in ("accounting_periods", "device_usage_history", "devices", "events"):
        assert ask(database, f"SELECT * FROM {table}") == []
