"""Usage of spans that end at any moment, and what of a span nobody observed."""

from datetime import UTC, datetime, timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.buckets import Span
from services.context import RouterContext
from services.period_usage import gaps_in, load_usage
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import PHONE
from utils.nlbwmon_parser import DeviceTotals
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")
HOUR = timedelta(hours=1)


def at(hour: int) -> datetime:
    return datetime(2031, 11, 11, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stretches", "gaps"),
    [
        ([], [(0, 9)]),
        ([(0, 9)], []),
        ([(2, 4), (5, 6)], [(0, 2), (4, 5), (6, 9)]),
        ([(0, 4), (4, 9)], []),
        ([(7, 9)], [(0, 7)]),
    ],
)
def test_a_gap_is_what_lies_in_no_stretch(stretches: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> None:
    found = gaps_in(Span(at(0), at(9)), [Span(at(start), at(end)) for start, end in stretches])
    assert found == [Span(at(start), at(end)) for start, end in gaps]


def test_stretches_may_reach_beyond_the_span() -> None:
    assert gaps_in(Span(at(3), at(6)), [Span(at(0), at(4)), Span(at(5), at(9))]) == [Span(at(4), at(5))]


@pytest.fixture
def lived(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Two days from 10:00 on, a reading an hour, 60 bytes in each."""
    runtime.collector.collect(context)
    for _ in range(48):
        router.traffic(PHONE, rx=60, tx=6)
        clock.advance(HOUR)
        runtime.collector.collect(context)


@pytest.mark.parametrize(
    ("end", "hours"),
    [
        (datetime(2031, 11, 11, 23, 0, tzinfo=UTC), 14),
        (datetime(2031, 11, 12, 4, 0, tzinfo=UTC), 19),
        (datetime(2031, 11, 12, 4, 30, tzinfo=UTC), 19.5),
        (datetime(2031, 11, 13, 9, 0, tzinfo=UTC), 48),
    ],
)
def test_an_hour_that_is_cut_counts_by_its_share(
    context: RouterContext, lived: None, database: Database, clock: ManualClock, end: datetime, hours: float
) -> None:
    start = datetime(2031, 11, 10, 23, 0, tzinfo=UTC)
    with database.transaction() as conn:
        usage = load_usage(conn, context, BERLIN, Span(start, end), clock.now())
    assert usage.totals == {PHONE: DeviceTotals(int(60 * hours), int(6 * hours))}
    assert usage.coverage == pytest.approx(hours * HOUR / (end - start))


def test_what_nobody_observed_has_no_totals(context: RouterContext, database: Database, clock: ManualClock) -> None:
    with database.transaction() as conn:
        usage = load_usage(conn, context, BERLIN, Span(at(0) - HOUR, at(8)), clock.now())
    assert usage.totals is None
