"""Routers that take a connection and never finish: whom they keep waiting, and whom not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import SOAK, ask, register, run_due

MINUTE = timedelta(minutes=1)

#: Far longer than a test: whoever waits for one of these routers is not done when the test ends.
HANGING = {"router_connect_timeout_s": 60, "router_command_timeout_s": 60}

SILENT = Faults(silent=True)
DRIPPING = Faults(drip_s=0.5)


def until(condition: Callable[[], object], what: str, patience_s: float = 20) -> None:
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return
        Event().wait(0.02)
    pytest.fail(f"never came: {what}")


def is_held_by(hosted: HostedRouter) -> bool:
    """Whether somebody waits for this router now: in its handshake, or for the rest of an answer."""
    return bool(hosted._silent) or hosted.stats.running > 0


def successes(database: Database) -> dict[str, datetime | None]:
    return dict(ask(database, "SELECT id, last_success_at FROM routers"))  # type: ignore[arg-type]


@pytest.mark.timeout(120 * SOAK)
def test_a_fifth_of_routers_that_hang_leaves_the_others_on_schedule(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    """Twenty routers, four of them silent or dripping, four workers, four intervals.

    NETPILOT_SOAK=n: n times as many routers and intervals.
    """
    workers = 4
    runtime = make_runtime(collector_workers=workers, **HANGING)
    hosted = [ssh.add(empty_router(clock)) for _ in range(20 * SOAK)]
    contexts = [register(runtime, one, name=f"Home {number}") for number, one in enumerate(hosted)]
    hanging = hosted[::5]
    for one in hanging:
        one.faults = Faults(refuse=True)
    others = {context.router_id: one for one, context in zip(hosted, contexts, strict=True) if one not in hanging}
    for _ in range(len(hosted)):
        run_due(runtime)  # once well, or failed once
    for number, one in enumerate(hanging):
        one.faults = (SILENT, DRIPPING)[number % 2]
    for _ in range(4 * SOAK):
        clock.advance(5 * MINUTE)
        asked = {router_id: one.stats.commands for router_id, one in others.items()}

        def all_others_are_read() -> bool:
            runtime.collector.collect_due()
            assert sum(map(is_held_by, hanging)) <= workers // 2
            read = successes(database)
            return all(read[router_id] == clock.now() for router_id in others)

        until(all_others_are_read, "the readings of those that answer")
        assert {router_id: one.stats.commands - asked[router_id] for router_id, one in others.items()} == dict.fromkeys(
            others, 1
        )
    until(lambda: sum(map(is_held_by, hanging)) == workers // 2, "that the others do get their share of the workers")


@pytest.mark.parametrize(("workers", "at_most"), [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3)])
def test_routers_that_failed_last_time_hold_at_most_half_of_the_workers(
    make_runtime: Callable[..., Runtime],
    ssh: SshServer,
    clock: ManualClock,
    database: Database,
    workers: int,
    at_most: int,
) -> None:
    runtime = make_runtime(collector_workers=workers, **HANGING)
    hosted = [ssh.add(empty_router(clock)) for _ in range(at_most + 2)]
    for number, one in enumerate(hosted):
        register(runtime, one, name=f"Home {number}")
        one.drop_connections()
        one.faults = SILENT
    with database.transaction() as conn:
        execute(conn, "UPDATE routers SET consecutive_failures = 1, last_error_code = 'ROUTER_TIMEOUT'", {})
    for _ in range(3):
        runtime.collector.collect_due()
    until(lambda: sum(map(is_held_by, hosted)) == at_most, "that they are tried")
    assert ask(database, "SELECT count(*) FROM routers WHERE last_attempt_at IS NOT NULL") == [(at_most,)]
    for one in hosted:
        one.faults = Faults(refuse=True)  # and with that, hangs up
    for _ in range(len(hosted)):
        run_due(runtime)
    assert ask(database, "SELECT min(consecutive_failures) FROM routers") == [(2,)], "each had its turn"


def test_routers_that_answer_again_have_all_workers_again(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    """Who failed once is not put behind for ever."""
    runtime = make_runtime(collector_workers=2)
    hosted = [ssh.add(empty_router(clock)) for _ in range(6)]
    for number, one in enumerate(hosted):
        register(runtime, one, name=f"Home {number}")
    with database.transaction() as conn:
        execute(conn, "UPDATE routers SET consecutive_failures = 3, last_error_code = 'ROUTER_TIMEOUT'", {})
    read = []
    for _ in range(6):
        run_due(runtime)
        read.append(ask(database, "SELECT count(*) FROM last_readings")[0][0])
    assert read == [1, 2, 3, 4, 5, 6], "one of two workers, while they are failing"
    clock.advance(5 * MINUTE)
    for _ in range(3):
        run_due(runtime)
    assert set(successes(database).values()) == {clock.now()}
