"""The last reading and the coverage on a real PostgreSQL."""

from datetime import UTC, date, datetime, timedelta

from db_operations import readings_db
from db_operations.database import Database
from tests.db_operations.usage_rows import ALICE, AT, BOB, add_router, reading_at

LATER = AT + timedelta(minutes=5)
FAR = datetime(2040, 1, 1, tzinfo=UTC)


def test_a_reading_is_read_back_byte_for_byte_and_replaced_by_the_next(database: Database) -> None:
    first = reading_at(AT)
    second = reading_at(
        LATER,
        usage_since=AT,
        covered_since=AT,
        period_start=date(2031, 12, 1),
        uptime_s=None,
        boot_id=None,
        clock_skew_s=None,
        database_interval=None,
        usage_json=b"\\x00 other",
    )
    with database.transaction() as conn:
        add_router(conn, ALICE)
        assert readings_db.get_last_reading(conn, *ALICE) is None
        for reading in (first, second):
            readings_db.upsert_last_reading(conn, *ALICE, reading)
            assert readings_db.get_last_reading(conn, *ALICE) == reading
        assert readings_db.get_last_reading(conn, "bob", ALICE[1]) is None


def test_coverage_has_the_stretches_that_ended_and_the_running_one(database: Database) -> None:
    hour = timedelta(hours=1)
    with database.transaction() as conn:
        for owner in (ALICE, BOB):
            add_router(conn, owner)
        for _ in range(2):  # twice is once
            readings_db.insert_coverage(conn, *ALICE, start=AT, end=AT + hour)
        running = reading_at(AT + 5 * hour, covered_since=AT + 2 * hour)
        readings_db.upsert_last_reading(conn, *ALICE, running)
        both = [(AT, AT + hour), (AT + 2 * hour, AT + 5 * hour)]
        touches = readings_db.list_coverage
        assert touches(conn, *ALICE, start=AT - hour, end=FAR) == both
        assert touches(conn, *ALICE, start=AT - hour, end=AT) == []
        assert touches(conn, *ALICE, start=AT + hour, end=AT + 2 * hour) == []
        assert touches(conn, *ALICE, start=AT + hour / 2, end=AT + 2 * hour) == both[:1]
        assert touches(conn, *ALICE, start=AT + hour, end=FAR) == both[1:]
        assert touches(conn, *ALICE, start=AT + 5 * hour, end=FAR) == []
        assert touches(conn, *BOB, start=AT, end=FAR) == touches(conn, "bob", ALICE[1], start=AT, end=FAR) == []


def test_a_large_reading_is_kept_whole(database: Database) -> None:
    reading = reading_at(AT, usage_json=bytes(range(256)) * 4_000)
    with database.transaction() as conn:
        add_router(conn, ALICE)
        readings_db.upsert_last_reading(conn, *ALICE, reading)
        assert readings_db.get_last_reading(conn, *ALICE) == reading
