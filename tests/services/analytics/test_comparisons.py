"""Which periods are held against each other, and what was observed of them."""

from datetime import UTC, date, datetime

import pytest

from server import Runtime
from services.chosen_days import Days
from services.comparisons import ComparedPeriod, ComparisonService
from services.context import RouterContext
from simulator.clock import ManualClock
from tests.homes import BOB, PHONE
from tests.services.analytics.watched import BERLIN, NOW, Use
from utils.errors import RouterNotFound, ValidationFailed


@pytest.fixture
def comparisons(runtime: Runtime) -> ComparisonService:
    return runtime.services.comparisons


def test_this_week_is_held_against_the_last_up_to_the_same_point(
    comparisons: ComparisonService, home: RouterContext, use: Use
) -> None:
    use(PHONE, datetime(2031, 11, 12, 14, tzinfo=UTC), 900)  # the running hour: all there is of it
    use(PHONE, datetime(2031, 11, 5, 14, tzinfo=UTC), 1_001)  # half of it was over by then
    use(PHONE, datetime(2031, 11, 5, 15, tzinfo=UTC), 50_000)  # later
    use(PHONE, datetime(2031, 11, 2, 23, tzinfo=UTC), 7)  # Monday's first hour in Berlin
    use(PHONE, datetime(2031, 11, 2, 22, tzinfo=UTC), 50_000)  # the Sunday before
    compared = comparisons.compare_to_previous(home, ComparedPeriod.WEEK)

    assert (compared.before.start, compared.before.end) == (
        datetime(2031, 11, 2, 23, tzinfo=UTC),
        datetime(2031, 11, 5, 14, 30, tzinfo=UTC),
    )
    assert (compared.after.start, compared.after.end) == (datetime(2031, 11, 9, 23, tzinfo=UTC), NOW)
    assert compared.comparison.total.before == (507, 0)
    assert compared.comparison.total.after == (900, 0)
    assert (compared.before.coverage, compared.after.coverage) == (1, 1)
    assert compared.names == {PHONE: "phone"}


def test_a_month_keeps_its_local_time_over_the_clock_change(
    comparisons: ComparisonService, home: RouterContext
) -> None:
    compared = comparisons.compare_to_previous(home, ComparedPeriod.MONTH)
    assert compared.before.start == datetime(2031, 9, 30, 22, tzinfo=UTC)
    assert compared.before.end == datetime(2031, 10, 12, 13, 30, tzinfo=UTC)


def test_a_month_longer_than_the_one_before_is_held_against_all_of_that(
    comparisons: ComparisonService, home: RouterContext, clock: ManualClock
) -> None:
    clock.set(datetime(2031, 10, 31, 12, 0, tzinfo=UTC))
    before = comparisons.compare_to_previous(home, ComparedPeriod.MONTH).before
    assert before.end == BERLIN.midnight(date(2031, 10, 1))


def test_ranges_of_days_are_whole(comparisons: ComparisonService, home: RouterContext, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 1, 22, tzinfo=UTC), 10)
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    first, second = Days(date(2031, 11, 1), date(2031, 11, 2)), Days(date(2031, 11, 3), date(2031, 11, 4))
    compared = comparisons.compare_days(home, first, second)
    assert (compared.comparison.total.absolute, compared.comparison.total.percent) == (20, 200.0)


def test_a_period_nobody_observed_is_not_zero(comparisons: ComparisonService, home: RouterContext, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    days = Days(date(2031, 11, 3), date(2031, 11, 4))
    compared = comparisons.compare_days(home, Days(date(2030, 11, 3), date(2030, 11, 4)), days)
    assert (compared.before.totals, compared.before.coverage) == (None, 0)
    assert compared.comparison.total.absolute is None
    observed = comparisons.compare_days(home, Days(date(2031, 10, 3), date(2031, 10, 4)), days)
    assert observed.comparison.total.absolute == 30


def test_the_hour_of_midnight_has_nothing_to_compare_yet(
    comparisons: ComparisonService, home: RouterContext, clock: ManualClock
) -> None:
    clock.set(datetime(2031, 11, 9, 23, 0, tzinfo=UTC))
    compared = comparisons.compare_to_previous(home, ComparedPeriod.WEEK)
    assert (compared.before.totals, compared.after.totals) == (None, None)


@pytest.mark.parametrize(("first", "last"), [("2031-11-02", "2031-11-01"), ("2026-11-02", "2031-11-01")])
def test_a_range_that_is_none_names_its_start(
    comparisons: ComparisonService, home: RouterContext, first: str, last: str
) -> None:
    good = Days(date(2031, 11, 1), date(2031, 11, 2))
    with pytest.raises(ValidationFailed) as caught:
        comparisons.compare_days(home, good, Days(date.fromisoformat(first), date.fromisoformat(last)))
    assert list(caught.value.details or {}) == ["period2Start"]


def test_a_router_is_only_its_owners(comparisons: ComparisonService, home: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, home.router_id)
    days = Days(date(2031, 11, 1), date(2031, 11, 2))
    with pytest.raises(RouterNotFound):
        comparisons.compare_days(stranger, days, days)
    with pytest.raises(RouterNotFound):
        comparisons.compare_to_previous(stranger, ComparedPeriod.WEEK)
