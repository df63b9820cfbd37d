"""The base of the accounting is given up: another router answers, or this server's clock was ahead."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from db_operations import periods_db
from db_operations.database import Database
from db_operations.periods_db import NamedPeriod, PeriodState
from server import Runtime, create_app
from services.context import RouterContext
from services.given_up_bases import give_up_replaced_base
from simulator.clock import ManualClock
from simulator.ssh_server import HostedRouter
from tests.db_operations.usage_rows import ALICE, AT, BOB, add_router
from tests.homes import PHONE, START, Api, ask, covered, hourly, per_device, register, run_due
from tests.services.collector_observation import record_of
from utils.errors import ServerClock

MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)


def test_archives_of_a_router_that_another_one_has_replaced_are_waited_for_no_longer(database: Database) -> None:
    october = NamedPeriod(date(2026, 10, 1), date(2026, 10, 31), "2026-10-01")
    with database.transaction() as conn:
        for owner in (ALICE, BOB):
            add_router(conn, owner)
            periods_db.insert_pending_periods(conn, *owner, [october])
        give_up_replaced_base(conn, RouterContext(*ALICE), AT)
        assert periods_db.list_period_states(conn, *ALICE) == [(october.start, PeriodState.MISSING)]
        assert periods_db.list_pending_periods(conn, *BOB) == [october]


# --- the server's clock ----------------------------------------------------------------------------------


class WrongClock:
    """A server's clock that is ahead of the true one by what a test says."""

    def __init__(self, true: ManualClock) -> None:
        self._true = true
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return self._true.now() + self.ahead


@pytest.fixture
def wrong(clock: ManualClock) -> WrongClock:
    return WrongClock(clock)


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], wrong: WrongClock) -> Runtime:
    return make_runtime(wrong.now)


@pytest.fixture
def collect(
    runtime: Runtime, hosted: HostedRouter, clock: ManualClock, database: Database, wrong: WrongClock
) -> Callable[..., RouterContext]:
    """Two readings by the right clock, then as many as a test wants by one that is ahead, 1,000 bytes before each."""

    def read(ahead: timedelta, readings: int = 1) -> RouterContext:
        context = register(runtime, hosted)
        for _ in range(2):
            hosted.router.traffic(PHONE, rx=1_000)
            runtime.collector.collect(context)
            clock.advance(5 * MINUTE)
        wrong.ahead = ahead
        for _ in range(readings):
            hosted.router.traffic(PHONE, rx=1_000)
            runtime.collector.collect(context)
            clock.advance(5 * MINUTE)
        wrong.ahead = timedelta(0)
        return context

    return read


def tries(runtime: Runtime, clock: ManualClock, count: int) -> None:
    """So many passes of the collector, each when the router is due: its next time may be some seconds more than an
    interval away.
    """
    for _ in range(count):
        run_due(runtime)
        clock.advance(6 * MINUTE)


def test_a_reading_stamped_ahead_is_told_and_tried_again_though_its_next_time_is_far_away(
    runtime: Runtime, clock: ManualClock, collect: Callable[..., RouterContext], database: Database
) -> None:
    context = collect(YEAR)
    api = Api(create_app(runtime).test_client())
    before = api.data("/api/device-usage/status")
    assert before["warnings"][0]["code"] == "SERVER_CLOCK"
    assert "364 days ahead" in before["warnings"][0]["message"]
    assert api.body("/api/device-usage/summary")["metadata"]["router"]["warning"]["code"] == "SERVER_CLOCK"

    run_due(runtime)

    after = api.data("/api/device-usage/status")
    assert [warning["code"] for warning in after["warnings"]].count("SERVER_CLOCK") == 1
    assert after["router"]["reachable"] is None
    router = record_of(runtime, context)
    assert (router.consecutive_failures, router.last_error_code) == (1, "SERVER_CLOCK")
    assert router.next_collect_at is not None
    assert router.next_collect_at - clock.now() < MINUTE
    with pytest.raises(ServerClock):
        runtime.collector.collect(context)


@pytest.mark.parametrize("bad_readings", [1, 5])
def test_a_base_far_ahead_is_given_up_with_a_gap_and_no_byte_counts_twice(
    runtime: Runtime,
    hosted: HostedRouter,
    clock: ManualClock,
    collect: Callable[..., RouterContext],
    database: Database,
    bad_readings: int,
) -> None:
    context = collect(YEAR, bad_readings)
    stored = per_device(hourly(database, context))
    hosted.router.traffic(PHONE, rx=50_000)
    tries(runtime, clock, 10)
    assert per_device(hourly(database, context)) == stored, "it may be the present time that is wrong"

    begins_anew = clock.now()
    tries(runtime, clock, 1)
    hosted.router.traffic(PHONE, rx=77)
    runtime.collector.collect(context)

    last_right = START + 5 * MINUTE
    assert stored == {PHONE: (1_000 * (1 + bad_readings), 0)}
    assert per_device(hourly(database, context)) == {PHONE: (stored[PHONE][0] + 77, 0)}
    assert covered(database, context) == [(START, last_right), (begins_anew, clock.now())]
    gaps = "SELECT start_at, end_at, quality FROM events WHERE type = 'gap'"
    assert ask(database, gaps) == [(last_right, begins_anew, "unknown")]
    assert Api(create_app(runtime).test_client()).data("/api/device-usage/status")["warnings"] == []


def test_where_the_present_time_was_wrong_everything_is_counted_once_it_is_right(
    runtime: Runtime,
    hosted: HostedRouter,
    clock: ManualClock,
    collect: Callable[..., RouterContext],
    database: Database,
    wrong: WrongClock,
) -> None:
    context = collect(timedelta(0))
    wrong.ahead = -YEAR
    hosted.router.traffic(PHONE, rx=50_000)
    tries(runtime, clock, 3)
    wrong.ahead = timedelta(0)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (52_000, 0)}
    assert covered(database, context) == [(START, clock.now())]


def test_a_base_that_is_a_little_ahead_is_waited_for(
    runtime: Runtime,
    hosted: HostedRouter,
    clock: ManualClock,
    collect: Callable[..., RouterContext],
    database: Database,
) -> None:
    context = collect(timedelta(minutes=55))
    hosted.router.traffic(PHONE, rx=50_000)
    tries(runtime, clock, 12)
    assert per_device(hourly(database, context)) == {PHONE: (52_000, 0)}
    assert ask(database, "SELECT 1 FROM events WHERE type = 'gap'") == []
