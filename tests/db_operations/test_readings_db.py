"""The last reading and the coverage on a real PostgreSQL."""

from datetime import UTC, date, datetime, timedelta

from db_operations import device_usage_db, readings_db
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting
from db_operations.readings_db import Finding, ReadingHeader, Standstill
from db_operations.statements import execute
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, OTHER_MAC, add_router, reading_at

LATER = AT + timedelta(minutes=5)
FAR = datetime(2040, 1, 1, tzinfo=UTC)


def test_a_reading_is_read_back_byte_for_byte_and_replaced_by_the_next(database: Database) -> None:
    findings = (
        Finding(code="DATABASE_IN_RAM", message='It\'s in /tmp: "lost" 客厅 %s', fix="uci set a.@b[0].c='d'; reboot"),
        Finding(code="TIMEZONE", message="no rule", fix=None),
    )
    first = reading_at(
        AT,
        findings=findings,
        database_directory="/etc/nlbwmon",
        period_name="2031-11-01",
        last_commit_at=AT - timedelta(hours=1),
    )
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
            assert readings_db.get_reading_header(conn, *ALICE) == ReadingHeader(
                read_at=reading.read_at,
                database_interval=reading.database_interval,
                last_commit_at=reading.last_commit_at,
                findings=reading.findings,
            )
        for get in (readings_db.get_last_reading, readings_db.get_reading_header):
            assert get(conn, "bob", ALICE[1]) is None


def test_a_standstill_has_its_length_and_the_devices_that_are_active(database: Database) -> None:
    with database.transaction() as conn:
        for owner in (ALICE, BOB):
            add_router(conn, owner)
        assert readings_db.get_standstill(conn, *ALICE) is None
        readings_db.upsert_last_reading(conn, *ALICE, reading_at(AT))
        assert readings_db.get_standstill(conn, *ALICE) == Standstill(since=None, readings=0, active_devices=0)
        sightings = [
            DeviceSighting(mac=mac, hostname=None, ips="", is_router=is_router, is_active=is_active)
            for mac, is_router, is_active in (
                (MAC, False, True),
                (OTHER_MAC, False, False),
                ("94:83:c4:5a:10:01", True, True),
            )
        ]
        for owner in (ALICE, BOB):
            device_usage_db.update_device_metadata(conn, *owner, sightings, at=AT, previous_at=None)
        execute(conn, "UPDATE last_readings SET unchanged_since = %(at)s, unchanged_readings = 7", {"at": AT})
        assert readings_db.get_standstill(conn, *ALICE) == Standstill(since=AT, readings=7, active_devices=1)
        assert readings_db.get_standstill(conn, "bob", ALICE[1]) is None


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
