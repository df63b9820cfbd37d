"""The collector's failures: what each costs whom, and that nothing is stored by halves."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.readings.unreadable_files import PUT_OFF_FOR
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import LAPTOP, PHONE, START, covered, dump, hourly, per_device, register, run_due, truth
from tests.services.collector_observation import record_of, until
from utils.errors import (
    BadRouterOutput,
    DatabaseUnavailable,
    FileUnreadable,
    HostKeyChanged,
    NlbwmonDown,
    NlbwmonMissing,
    OutputTooLarge,
    RouterAuthFailed,
    RouterError,
    RouterTimeout,
    RouterUnreachable,
)

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def test_a_router_that_fails_is_tried_ever_later_and_never_before_its_time(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(refuse=True)
    waits = []
    for failures in range(1, 7):
        run_due(runtime)
        record = record_of(runtime, context)
        assert (record.consecutive_failures, record.last_error_code) == (failures, "ROUTER_UNREACHABLE")
        assert record.last_attempt_at == record.last_error_at == clock.now()
        assert record.next_collect_at is not None
        waits.append(record.next_collect_at - clock.now())
        clock.set(record.next_collect_at - SECOND)
        run_due(runtime)
        assert record_of(runtime, context).consecutive_failures == failures, "its time had not come"
        clock.set(record.next_collect_at)
    assert waits[0] == 15 * SECOND
    assert all(wait <= 5 * MINUTE + 15 * SECOND for wait in waits)
    hosted.faults = Faults()
    run_due(runtime)
    record = record_of(runtime, context)
    assert (record.consecutive_failures, record.last_success_at) == (0, clock.now())


def test_a_wrong_password_is_tried_once_a_window(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.password = "changed"
    hosted.drop_connections()
    attempts = hosted.stats.auth_attempts
    tried = []
    for number in range(4 * 60):  # an hour
        before = hosted.stats.auth_attempts
        run_due(runtime)
        if hosted.stats.auth_attempts > before:
            tried.append(number)
        clock.advance(15 * SECOND)
    assert hosted.stats.auth_attempts == attempts + len(tried)
    assert tried == [0, 60, 180], "at once, after 15 minutes, after 30 more"
    assert record_of(runtime, context).last_error_code == "ROUTER_AUTH_FAILED"


def test_a_changed_host_key_gets_no_credentials(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    pinned = record_of(runtime, context).host_key
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()
    attempts = hosted.stats.auth_attempts
    with pytest.raises(HostKeyChanged):
        runtime.collector.collect(context)
    for _ in range(10):
        run_due(runtime)
        clock.advance(MINUTE)
    record = record_of(runtime, context)
    assert (record.last_error_code, record.host_key) == ("HOST_KEY_CHANGED", pinned)
    assert hosted.stats.auth_attempts == attempts


def test_a_router_that_hangs_keeps_no_other_from_being_collected(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock
) -> None:
    runtime = make_runtime(collector_workers=2, router_command_timeout_s=4)
    hanging = ssh.add(empty_router(clock))
    stuck = register(runtime, hanging)
    hanging.faults = Faults(hang=True)
    others = [register(runtime, ssh.add(empty_router(clock))) for _ in range(6)]

    def all_others() -> bool:
        runtime.collector.collect_due()
        return all(record_of(runtime, context).last_success_at for context in others)

    until(all_others, "the readings of the others")
    assert hanging.stats.running == 1, "it still hangs"
    until(lambda: record_of(runtime, stuck).last_error_code, "the hanging router's failure")
    assert record_of(runtime, stuck).last_error_code == "ROUTER_TIMEOUT"


FAULTS = [
    (Faults(refuse=True), RouterUnreachable),
    (Faults(silent=True), RouterTimeout),
    (Faults(hang=True), RouterTimeout),
    (Faults(drip_s=0.05), RouterTimeout),
    (Faults(refuse_auth=True), RouterAuthFailed),
    (Faults(endless=True), OutputTooLarge),
    (Faults(exit_status=1), BadRouterOutput),
    (Faults(no_exit_status=True), BadRouterOutput),
    (Faults(stdout=b""), BadRouterOutput),
    (Faults(stdout=b"\xff<html>Login</html>"), BadRouterOutput),
]


@pytest.mark.parametrize(("faults", "error"), FAULTS, ids=lambda value: str(value).removeprefix("Faults")[:40])
def test_whatever_goes_wrong_nothing_is_stored_and_the_next_reading_brings_all(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    faults: Faults,
    error: type[RouterError],
) -> None:
    runtime = make_runtime(router_command_timeout_s=0.7, router_connect_timeout_s=0.7, router_max_output_bytes=200_000)
    context = register(runtime, hosted)
    router.traffic(PHONE, rx=1, tx=1)
    runtime.collector.collect(context)
    stored = dump(database)
    router.traffic(PHONE, rx=1_000, tx=10)
    clock.advance(MINUTE)
    hosted.drop_connections()
    hosted.faults = faults
    with pytest.raises(error) as caught:
        runtime.collector.collect(context)
    assert type(caught.value) is error
    assert record_of(runtime, context).last_error_code == error.code
    after = dump(database)
    assert {**after, "routers": stored["routers"]} == stored
    hosted.faults = Faults()
    router.traffic(LAPTOP, rx=5, tx=5)
    clock.set(record_of(runtime, context).next_collect_at or clock.now())
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (1_000, 10), LAPTOP: (5, 5)}
    assert covered(database, context) == [(START, clock.now())]


def test_a_talkative_standard_error_hinders_nothing(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    hosted.faults = Faults(stderr_flood=3_000_000)
    assert runtime.collector.collect(context).stored.devices == 1


@pytest.mark.parametrize(
    ("stderr", "status", "error"),
    [("", 247, NlbwmonDown), ("Not found", 127, NlbwmonMissing), ("", 1, BadRouterOutput)],
)
def test_what_is_wrong_with_nlbwmon_has_its_own_name(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, stderr: str, status: int, error: type[Exception]
) -> None:
    if status == 127:
        router.missing = {"nlbw"}
    else:
        router.broken = {"nlbw": (stderr, status)}
    with pytest.raises(error):
        runtime.collector.collect(context)


def test_an_archive_that_can_not_be_fetched_now_is_waited_for(
    runtime: Runtime,
    hosted: HostedRouter,
    context: RouterContext,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    """The reading fails as a whole rather than guess what the old period held in the end."""
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=70, tx=7)
    clock.advance(timedelta(days=30))
    router.traffic(PHONE, rx=1, tx=2)
    whole = router.run
    answered: list[str] = []

    def archive_breaks(line: str, **options: bool):
        result = whole(line, **options)
        if " -t " in line:
            answered.append(line)
            hosted.drop_connections()
        return result

    router.run = archive_breaks  # type: ignore[method-assign]
    with pytest.raises(RouterError):
        runtime.collector.collect(context)
    assert answered
    assert hourly(database, context) == {}
    router.run = whole  # type: ignore[method-assign]
    clock.advance(MINUTE)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(router.ledger.totals())


@pytest.mark.parametrize("printed", ['{"columns":["fam', "<html>"])
def test_an_archive_that_is_garbage_is_a_gap_and_does_not_end_the_monitoring(
    runtime: Runtime,
    context: RouterContext,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    printed: str,
) -> None:
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=70, tx=7)
    router.daemon.damaged["2031-11-01"] = printed
    clock.advance(timedelta(days=30))
    router.traffic(PHONE, rx=1, tx=2)

    for _ in range(PUT_OFF_FOR // timedelta(minutes=1)):  # it may be busy
        with pytest.raises(FileUnreadable):
            runtime.collector.collect(context)
        clock.advance(timedelta(minutes=1))
    taken = runtime.collector.collect(context).taken

    assert per_device(hourly(database, context)) == {PHONE: (1, 2)}
    assert "archive_missing" in {note.kind for note in taken.usage.notes}
    assert len(taken.usage.gaps) == 1


def test_a_database_that_does_not_answer_fails_the_collection_not_the_router(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter
) -> None:
    def no_database(*_: object) -> None:
        raise DatabaseUnavailable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime.collector._store, "store", no_database)
        with pytest.raises(DatabaseUnavailable):
            runtime.collector.collect(context)
        run_due(runtime)
    assert record_of(runtime, context).consecutive_failures == 0
