"""Periods of which the router has no archive cost little."""

from datetime import timedelta
from typing import Any

import pytest

from db_operations.database import Database
from db_operations.periods_db import PeriodState
from server import Runtime
from services.context import RouterContext
from services.readings.backfill import ARCHIVES_AT_ONCE, MISSING_FROM_THE_START, MISSING_IN_A_ROW, find_hopeless
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.archived_homes import MONTHS, archived, asked_for, collect, lived_home, states
from tests.homes import START

DAY = timedelta(days=1)


def test_a_new_router_without_a_limit_is_asked_little(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, database: Database, router: SimulatedRouter
) -> None:
    router.daemon.settings = type(router.daemon.settings)(database_interval="2031-10-01/1", database_generations=0)
    names = asked_for(router)
    collect(runtime, context, times=4)
    assert set(states(database).values()) == {"missing"}
    assert len(states(database)) == 400
    assert len(set(names)) == MISSING_FROM_THE_START


def test_below_the_oldest_archive_three_tries_are_enough(
    runtime: Runtime, join: Any, days: SimulatedRouter, database: Database
) -> None:
    names = asked_for(days)
    context, _ = join(days)
    collect(runtime, context, times=5)
    assert list(states(database).values()).count("missing") == 390
    assert 10 + MISSING_IN_A_ROW <= len(set(names)) < 10 + MISSING_IN_A_ROW + ARCHIVES_AT_ONCE
    assert "pending" not in states(database).values()


def test_a_month_in_which_the_router_was_off_hides_none_before_it(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    router = lived_home(clock, MONTHS)
    for name in ("2031-10-01", "2031-07-01", "2031-06-01"):
        del router.daemon.files[name]
    context, _ = join(router)
    collect(runtime, context, times=4)
    assert {start for start, _ in archived(database)} == {"2031-09-01", "2031-08-01", "2031-05-01"}


P, C, M = PeriodState.PENDING, PeriodState.COMPLETE, PeriodState.MISSING


@pytest.mark.parametrize(
    ("newest_first", "hopeless"),
    [
        ([], 0),
        ([P] * 20, 0),
        ([C, M, M, P, P], 0),
        ([C, M, M, M, P, P], 2),
        ([C, M, M, M, M, P, P], 2),
        ([M, M, M, M, C, M, M, P], 0),
        ([M] * 11 + [P, P], 0),
        ([M] * 12 + [P, P], 2),
        ([C, P, M, M, M, P], 1),  # one that could not be fetched yet is still waited for
        ([C, M, M, M], 0),
        ([C, PeriodState.PARTIAL, M, M, M, P], 1),
    ],
)
def test_when_the_rest_is_given_up(newest_first: list[PeriodState], hopeless: int) -> None:
    listed = [(START.date() - number * DAY, state) for number, state in enumerate(newest_first)]
    pending = [start for start, state in listed if state is P]
    assert find_hopeless(listed) == (pending[-hopeless:] if hopeless else [])
