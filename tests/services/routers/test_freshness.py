"""How far what is stored of a router can be taken for the present."""

from datetime import UTC, datetime, timedelta

import pytest

from db_operations.routers_db import RouterRecord
from server import Runtime
from services.context import RouterContext
from services.routers.freshness import Freshness, FreshnessWarning, freshness_of
from simulator.clock import ManualClock

NOW = datetime(2031, 11, 11, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def router(**fields: object) -> RouterRecord:
    values: dict[str, object] = {
        "id": "r1",
        "session_id": "alice",
        "name": "Home",
        "host": "192.168.1.1",
        "port": 22,
        "username": "root",
        "credentials": b"",
        "collect_interval_minutes": 5,
        "last_success_at": NOW - 5 * MINUTE,
    }
    return RouterRecord(**(values | fields))  # type: ignore[arg-type]


def test_a_router_that_was_read_within_two_intervals_is_fresh() -> None:
    for minutes in (0, 5, 10):
        at = NOW - minutes * MINUTE
        assert freshness_of(router(last_success_at=at), NOW) == Freshness(last_reading_at=at, is_stale=False)


@pytest.mark.parametrize("interval", [5, 15, 30, 60])
def test_after_two_intervals_it_is_stale_and_says_how_old(interval: int) -> None:
    at = NOW - 2 * interval * MINUTE - timedelta(seconds=1)
    warning = FreshnessWarning(code="READING_OLD", message=f"The last good reading is {2 * interval} minutes old.")
    expected = Freshness(last_reading_at=at, is_stale=True, warning=warning)
    assert freshness_of(router(last_success_at=at, collect_interval_minutes=interval), NOW) == expected


def test_a_router_that_failed_last_time_is_stale_and_says_why_however_young_its_reading() -> None:
    failed = router(consecutive_failures=1, last_error_code="ROUTER_TIMEOUT", last_error_message="It hung.")
    warning = FreshnessWarning(code="ROUTER_TIMEOUT", message="It hung.")
    expected = Freshness(last_reading_at=NOW - 5 * MINUTE, is_stale=True, warning=warning)
    assert freshness_of(failed, NOW) == expected


def test_an_error_of_the_past_is_none_of_now() -> None:
    mended = router(consecutive_failures=0, last_error_code="ROUTER_TIMEOUT", last_error_message="It hung.")
    assert freshness_of(mended, NOW).is_stale is False


def test_of_a_router_that_was_never_read_nothing_is_stale_unless_it_failed() -> None:
    assert freshness_of(router(last_success_at=None), NOW) == Freshness(last_reading_at=None, is_stale=False)
    failed = router(last_success_at=None, consecutive_failures=2, last_error_code="X", last_error_message="x")
    assert freshness_of(failed, NOW).is_stale is True


def test_the_status_and_the_answers_agree(runtime: Runtime, context: RouterContext, clock: ManualClock) -> None:
    runtime.collector.collect(context)
    for minutes in (0, 10, 1):
        clock.advance(minutes * MINUTE)
        found = runtime.routers.freshness_of(runtime.routers.get(context))
        warned = [(one.code, one.message) for one in runtime.services.status.get_status(context).warnings]
        assert warned == ([(found.warning.code, found.warning.message)] if found.warning else [])


def test_it_asks_neither_the_router_nor_the_database(runtime: Runtime, context: RouterContext) -> None:
    record = runtime.routers.get(context)
    runtime.connections.close()
    runtime.database.close()
    assert runtime.routers.freshness_of(record).last_reading_at is None
