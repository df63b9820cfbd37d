"""Events on a real PostgreSQL: what goes on, what happens again, and whose it is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from db_operations import events_db
from db_operations.database import Database
from db_operations.events_db import EventRecord
from db_operations.statements import Connection
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, add_router

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

GAP = EventRecord(type="gap", start_at=AT, end_at=AT + MINUTE, message="3 rows, 5 %s", quality="unknown")


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        yield conn


def later(event: EventRecord, by: timedelta, **fields: object) -> EventRecord:
    return replace(event, start_at=event.start_at + by, end_at=event.end_at + by, **fields)  # type: ignore[arg-type]


def listed(conn: Connection, owner: tuple[str, str] = ALICE) -> list[EventRecord]:
    """The oldest first."""
    everything = {"start": AT - 9 * HOUR, "end": AT + 9 * HOUR, "types": None, "macs": None}
    return events_db.list_events(conn, *owner, **everything, limit=99, offset=0)[::-1]  # type: ignore[arg-type]


def repeat(conn: Connection, event: EventRecord, owner: tuple[str, str] = ALICE) -> bool:
    return events_db.repeat_event(conn, *owner, event, within=HOUR, own=2)


def test_the_third_within_the_hour_is_counted_to_the_second(conn: Connection) -> None:
    assert not repeat(conn, GAP)
    events_db.insert_event(conn, *ALICE, GAP)
    second = later(GAP, 30 * MINUTE)
    assert not repeat(conn, second), "the first two stay by themselves"
    events_db.insert_event(conn, *ALICE, second)
    third = later(GAP, 60 * MINUTE, message="4 rows, 66 %s")
    assert repeat(conn, third)
    assert listed(conn) == [GAP, replace(second, end_at=third.end_at, message=third.message, times=2)]
    assert repeat(conn, later(third, HOUR)), "just less than an hour after the end of the series"
    assert [event.times for event in listed(conn)] == [1, 3]
    assert not repeat(conn, later(third, 2 * HOUR + MINUTE)), "a whole hour lies in between"


@pytest.mark.parametrize(
    "fields",
    [{"type": "frozen"}, {"quality": "recovered"}, {"quality": None}, {"device_mac": MAC}, {"message": "3 rows, 5 %"}],
    ids=["type", "quality", "no quality", "device", "words"],
)
def test_what_says_something_else_is_no_repetition(conn: Connection, fields: dict[str, object]) -> None:
    for minutes in (0, 5):
        events_db.insert_event(conn, *ALICE, later(GAP, minutes * MINUTE))
    assert not repeat(conn, later(GAP, 10 * MINUTE, **fields))
    assert not events_db.extend_event(conn, *ALICE, later(GAP, 6 * MINUTE, **fields), in_same_words=True)
    assert repeat(conn, later(GAP, 10 * MINUTE))


def test_another_accounts_events_are_not_touched(conn: Connection) -> None:
    for minutes in (0, 5):
        events_db.insert_event(conn, *ALICE, later(GAP, minutes * MINUTE))
    before = listed(conn)
    for stranger in (BOB, ("bob", ALICE[1])):
        assert not repeat(conn, later(GAP, 10 * MINUTE), stranger)
        assert not events_db.extend_event(conn, *stranger, later(GAP, 6 * MINUTE), in_same_words=True)
    assert listed(conn) == before


def test_one_that_goes_on_in_the_same_words_has_the_latest_numbers(conn: Connection) -> None:
    events_db.insert_event(conn, *ALICE, GAP)
    following = later(GAP, MINUTE, message="44 rows, 0 %s")
    assert events_db.extend_event(conn, *ALICE, following, in_same_words=True)
    assert listed(conn) == [replace(GAP, end_at=following.end_at, message=following.message)]
    assert not events_db.extend_event(conn, *ALICE, later(following, 2 * MINUTE), in_same_words=True), "not adjoining"
