"""Routers that give trouble while their archives are read: nothing is lost, doubled, or held up."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.rows import row_key
from simulator.ssh_server import SshServer
from tests.archived_homes import OF_MONTHS, Ahead, archived, asked_for, collect, lived_home, noon, settle, states
from tests.homes import LAPTOP, PHONE, START, register


@pytest.mark.parametrize("spoilt", ["", "\x1f\x8bgarbage", '{"columns":["family"', '{"columns":[],"data":[]}'])
def test_an_archive_that_stays_garbage_is_given_up_and_holds_nothing_up(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database, spoilt: str, caplog: Any
) -> None:
    months.daemon.damaged["2031-09-01"] = spoilt
    context, _ = join(months)
    collect(runtime, context, times=20)
    assert states(database)["2031-09-01"] == "missing"
    assert archived(database) == {key: both for key, both in OF_MONTHS.items() if key[0] != "2031-09-01"}
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "archive of 2031-09-01 can't be read" in warning.getMessage()


@pytest.mark.parametrize("status", [195, 137])
def test_archives_that_are_there_and_can_not_be_read_out_are_tried_again(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database, status: int
) -> None:
    context, _ = join(months)
    months.daemon.failing = dict.fromkeys(months.daemon.files, status)
    collect(runtime, context, times=3)
    assert "missing" not in states(database).values()
    months.daemon.failing.clear()
    collect(runtime, context, times=12)
    assert archived(database) == OF_MONTHS


def test_a_connection_that_is_cut_is_tried_again_after_the_next_reading(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, hosted = join(months)
    is_cut = [True]
    names = asked_for(months, lambda _: hosted.drop_connections() if is_cut else None)
    collect(runtime, context)
    assert names
    assert set(states(database).values()) == {"pending"}
    router = runtime.routers.get(context)
    assert (router.consecutive_failures, router.last_error_code) == (0, None)
    is_cut.clear()
    names.clear()
    collect(runtime, context)
    assert names == ["2031-10-01"], "one alone, after a failure"
    collect(runtime, context, times=12)
    assert archived(database) == OF_MONTHS
    assert {names.count(f"2031-{month:02d}-01") for month in range(5, 11)} == {1}


def test_a_cut_anywhere_in_the_answer_loses_and_doubles_nothing(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, hosted = join(months)
    for number, offset in enumerate((0, 1, 100, 300, 500)):

        def cut(_: str, offset: int = offset) -> None:
            hosted.faults = Faults(cut_after=offset)

        whole = months.run
        asked_for(months, cut)
        runtime.collector.collect(context)
        settle(runtime)
        months.run = whole  # type: ignore[method-assign]
        hosted.faults = Faults()
        assert list(states(database).values()).count("missing") == 0, number
        runtime.backfill._troubles.clear()
    collect(runtime, context, times=4)
    assert archived(database) == OF_MONTHS


def test_a_daemon_that_goes_down_after_the_reading_is_waited_for(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database, clock: ManualClock
) -> None:
    context, _ = join(months)
    whole = months.run
    asked_for(months, lambda _: months.stop())
    collect(runtime, context)
    assert set(states(database).values()) == {"pending"}
    months.run = whole  # type: ignore[method-assign]
    clock.advance(timedelta(seconds=30))
    months.start()
    collect(runtime, context, times=12)
    assert archived(database) == OF_MONTHS


def test_a_busy_daemon_is_asked_once_more_at_once(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, _ = join(months)
    whole, busy = months.run, [True]

    def run(line: str, **options: bool) -> Any:
        return whole(line, nlbw_busy=" -t " in line and bool(busy) and busy.pop())

    months.run = run  # type: ignore[method-assign]
    collect(runtime, context, times=3)
    assert archived(database) == OF_MONTHS


def wide(clock: ManualClock, rows: int) -> SimulatedRouter:
    """Archives of July to October with so many rows each, some 80 bytes long."""
    router = lived_home(clock, [(date(2031, 7, 2), PHONE, 1, 1)], until=noon(date(2031, 7, 3)))
    for month in range(7, 11):
        clock.set(noon(date(2031, month, 3)))
        keys = [row_key("TCP", 443, LAPTOP, f"10.0.{number // 250}.{number % 250 + 1}") for number in range(rows)]
        router.load(dict.fromkeys(keys, (1, 2, 1, 1, 1)))
    clock.set(START)
    return router


def test_archives_that_are_too_large_together_are_read_one_by_one(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = wide(clock, 200)
    runtime = make_runtime(Ahead(clock).now, backfill=True, router_max_output_bytes=30_000)
    context = register(runtime, ssh.add(router))
    names = asked_for(router)
    collect(runtime, context)
    assert "complete" not in states(database).values()
    collect(runtime, context, times=5)
    assert {start for start, _ in archived(database)} == {f"2031-{month:02d}-01" for month in range(7, 11)}
    assert names[:6] == ["2031-10-01", "2031-09-01", "2031-08-01", "2031-07-01", "2031-10-01", "2031-09-01"]


def test_one_that_is_too_large_alone_is_missing_and_the_others_are_read(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, caplog: Any
) -> None:
    router = wide(clock, 200)
    router.daemon.damaged["2031-09-01"] = "x" * 40_000
    runtime = make_runtime(Ahead(clock).now, backfill=True, router_max_output_bytes=30_000)
    context = register(runtime, ssh.add(router))
    collect(runtime, context, times=6)
    assert {start for start, _ in archived(database)} == {"2031-07-01", "2031-08-01", "2031-10-01"}
    assert states(database)["2031-09-01"] == "missing"
    assert "ROUTER_MAX_OUTPUT_BYTES" in caplog.text


def test_an_archive_that_always_fails_waits_behind_the_others_and_is_tried_ever_more_rarely(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, hosted = join(months)

    def cut(line: str) -> None:
        if "2031-10-01" in line:
            hosted.drop_connections()

    names = asked_for(months, cut)
    collect(runtime, context, times=20)
    assert {start for start, _ in archived(database)} == {f"2031-{month:02d}-01" for month in range(5, 10)}
    assert states(database)["2031-10-01"] == "pending"
    names.clear()
    collect(runtime, context, times=40)
    assert set(names) == {"2031-10-01"}
    assert len(names) <= 2 * 8, "each try is two commands: a broken connection is replaced once"
    router = runtime.routers.get(context)
    assert (router.consecutive_failures, router.last_error_code) == (0, None)
