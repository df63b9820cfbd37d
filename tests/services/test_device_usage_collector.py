"""The collector: who is collected when, by whom and how often, and how it stops."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import START, ask, covered, register, run_due
from tests.services.collector_observation import record_of, until
from utils.errors import RouterNotFound

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


# --- when ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [5, 15, 30, 60])
def test_a_router_is_collected_every_interval_and_not_before(
    runtime: Runtime, hosted: HostedRouter, clock: ManualClock, database: Database, interval: int
) -> None:
    context = register(runtime, hosted, collect_interval_minutes=interval)
    run_due(runtime)
    times = [START]
    for _ in range(3):
        due = record_of(runtime, context).next_collect_at
        assert due is not None
        asked = hosted.stats.commands
        clock.set(due - SECOND)
        run_due(runtime)
        assert hosted.stats.commands == asked, "it was not due yet"
        clock.set(due)
        run_due(runtime)
        assert hosted.stats.commands == asked + 1
        times.append(due)
    assert START < times[1] <= START + timedelta(minutes=interval)
    assert times[2] - times[1] == times[3] - times[2] == timedelta(minutes=interval)
    assert covered(database, context) == [(START, times[3])]


def test_only_due_routers_are_collected(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    routers = [ssh.add(empty_router(clock)) for _ in range(3)]
    contexts = [register(runtime, hosted) for hosted in routers]
    run_due(runtime)
    asked = [hosted.stats.commands for hosted in routers]
    due = sorted((record_of(runtime, context).next_collect_at, at) for at, context in enumerate(contexts))
    clock.set(due[0][0])  # type: ignore[arg-type]
    run_due(runtime)
    more = [hosted.stats.commands - before for hosted, before in zip(routers, asked, strict=True)]
    assert more == [1 if at == due[0][1] else 0 for at in range(3)]


def test_an_interval_that_is_set_while_a_reading_runs_holds_from_that_reading_on(
    runtime: Runtime, hosted: HostedRouter, clock: ManualClock
) -> None:
    context = register(runtime, hosted, collect_interval_minutes=60)
    hosted.command_delay_s = 0.5
    collecting = Thread(target=runtime.collector.collect, args=(context,))
    collecting.start()
    until(lambda: hosted.stats.running, "the command")
    runtime.routers.update(context, {"collect_interval_minutes": 5})
    collecting.join(10)
    router = record_of(runtime, context)
    assert router.last_success_at is not None
    assert router.next_collect_at is not None
    assert router.next_collect_at - router.last_success_at <= timedelta(minutes=5)


def test_a_collection_that_outlasts_its_claim_is_not_begun_again(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock
) -> None:
    """It would park a second worker on the same reading."""
    runtime = make_runtime(collector_workers=4)
    slow, other = ssh.add(empty_router(clock)), ssh.add(empty_router(clock))
    register(runtime, slow)
    slow.faults = Faults(hang=True)
    runtime.collector.collect_due()
    until(lambda: slow.stats.running, "the command")
    clock.advance(60 * MINUTE)
    context = register(runtime, other)
    runtime.collector.collect_due()
    until(lambda: record_of(runtime, context).last_success_at, "the other router's reading")
    until(lambda: len(runtime.collector._running) == 1, "the slow router's worker alone")


def test_slow_routers_of_one_account_leave_workers_for_the_others(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, bob: str
) -> None:
    runtime = make_runtime(collector_workers=2)
    slow = [ssh.add(empty_router(clock)) for _ in range(4)]
    for hosted in slow:
        register(runtime, hosted)
        hosted.faults = Faults(hang=True)
    context = register(runtime, ssh.add(empty_router(clock)), session_id=bob)
    runtime.collector.collect_due()
    until(lambda: record_of(runtime, context).last_success_at, "the neighbour's reading")
    assert sum(hosted.stats.running for hosted in slow) == 1


def test_two_servers_never_collect_a_claimed_router_twice(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock
) -> None:
    runtimes = [make_runtime(collector_workers=16) for _ in range(2)]
    routers = [ssh.add(empty_router(clock)) for _ in range(12)]
    for hosted in routers:
        register(runtimes[0], hosted)
    asked = [hosted.stats.commands for hosted in routers]
    threads = [Thread(target=run_due, args=(runtime,)) for runtime in runtimes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [hosted.stats.commands - before for hosted, before in zip(routers, asked, strict=True)] == [1] * 12


def test_a_claim_of_a_server_that_died_runs_out(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, clock: ManualClock, database: Database
) -> None:
    dead, alive = make_runtime(), make_runtime()
    context = register(alive, hosted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dead.collector, "_start", lambda *_: None)  # killed right after its claim
        dead.collector.collect_due()
    run_due(alive)
    assert record_of(alive, context).last_success_at is None
    clock.advance(2 * MINUTE)
    run_due(alive)
    assert record_of(alive, context).last_success_at == clock.now()


def test_no_more_routers_are_claimed_than_workers_are_free(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    runtime = make_runtime(collector_workers=2)
    routers = [ssh.add(empty_router(clock)) for _ in range(5)]
    for hosted in routers:
        register(runtime, hosted)
    collected = []
    for _ in range(3):
        run_due(runtime)
        collected.append(ask(database, "SELECT count(*) FROM last_readings")[0][0])
    assert collected == [2, 4, 5]


def test_callers_at_the_same_time_share_one_reading(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter
) -> None:
    hosted.command_delay_s = 0.3
    asked = hosted.stats.commands
    collections: list[object] = []
    threads = [
        Thread(target=lambda: collections.append(runtime.collector.collect(context).taken.usage_json))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(collections) == 10
    assert hosted.stats.commands == asked + 1


def test_nobody_elses_router_can_be_collected(runtime: Runtime, context: RouterContext, bob: str) -> None:
    with pytest.raises(RouterNotFound):
        runtime.collector.collect(RouterContext(bob, context.router_id))


# --- stopping --------------------------------------------------------------------------------------------


def test_stopping_waits_for_what_runs(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, database: Database
) -> None:
    hosted.command_delay_s = 0.7
    runtime.collector.collect_due()
    assert runtime.collector.stop(10) is True
    assert ask(database, "SELECT count(*) FROM last_readings") == [(1,)]


def test_stopping_gives_up_on_what_hangs_and_takes_on_nothing_more(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(hang=True)
    runtime.collector.collect_due()
    until(lambda: hosted.stats.running, "the command")
    assert runtime.collector.stop(0.1) is False
    clock.advance(60 * MINUTE)
    asked = hosted.stats.commands
    runtime.collector.collect_due()
    assert hosted.stats.commands == asked
