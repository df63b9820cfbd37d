"""The hourly and the daily rollup on a real PostgreSQL."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from db_operations import rollups_db
from db_operations.database import Database
from db_operations.rollups_db import DAILY, HOURLY, BucketTotal, DeviceTotal, RollupRow
from db_operations.statements import Connection
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, OTHER_MAC, add_router

DAY = AT.date()
HOUR = timedelta(hours=1)
MAX = 2**63 - 1


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        yield conn


def rows_of(conn: Connection, table: str) -> list[tuple[object, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(f"SELECT total_download, total_upload, data_points FROM {table} ORDER BY device_mac")
        return cursor.fetchall()


def test_usage_adds_up_in_its_hour(conn: Connection) -> None:
    for down in (5, 7):
        rollups_db.add_to_hourly(conn, *ALICE, [RollupRow(MAC, AT, down, 1)])
    rollups_db.add_to_hourly(conn, *ALICE, [])
    assert rows_of(conn, "device_usage_hourly") == [(12, 2, 2)]


def test_usage_adds_up_in_its_day_with_its_total(conn: Connection) -> None:
    for down in (5, 7):
        rollups_db.add_to_daily(conn, *ALICE, [RollupRow(MAC, DAY, down, 1)])
    rollups_db.add_to_daily(conn, *ALICE, [])
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT span, start_date, end_date, total_download, total_upload, total_usage, data_points "
            "FROM device_usage_history"
        )
        assert cursor.fetchall() == [("day", DAY, DAY, 12, 2, 14, 2)]


def test_the_largest_counter_is_exact(conn: Connection) -> None:
    rollups_db.add_to_hourly(conn, *ALICE, [RollupRow(MAC, AT, MAX, 0)])
    rollups_db.add_to_daily(conn, *ALICE, [RollupRow(MAC, DAY, 0, MAX)])
    assert rows_of(conn, "device_usage_hourly") == [(MAX, 0, 1)]
    assert rows_of(conn, "device_usage_history") == [(0, MAX, 1)]


def test_a_period_is_stored_once_and_is_in_no_day(conn: Connection) -> None:
    start, end = date(2031, 11, 1), date(2031, 11, 30)
    for down in (100, 999):
        rollups_db.insert_period_totals(conn, *ALICE, [RollupRow(MAC, start, down, 1)], end_date=end)
    rollups_db.insert_period_totals(conn, *ALICE, [], end_date=end)
    with conn.cursor() as cursor:
        cursor.execute("SELECT span, start_date, end_date, total_download, total_usage FROM device_usage_history")
        assert cursor.fetchall() == [("period", start, end, 100, 101)]
    assert rollups_db.list_totals(conn, *ALICE, DAILY, start=start, end=end) == ([], [])


def test_a_day_and_a_period_of_the_same_date_stand_side_by_side(conn: Connection) -> None:
    rollups_db.add_to_daily(conn, *ALICE, [RollupRow(MAC, DAY, 1, 1)])
    rollups_db.insert_period_totals(conn, *ALICE, [RollupRow(MAC, DAY, 9, 9)], end_date=DAY)
    assert rows_of(conn, "device_usage_history") == [(1, 1, 1), (9, 9, 1)]


@pytest.mark.parametrize("rollup", [HOURLY, DAILY], ids=["hourly", "daily"])
def test_totals_come_by_bucket_in_order_and_by_device_largest_first(
    conn: Connection, rollup: rollups_db.Rollup
) -> None:
    is_hourly = rollup is HOURLY
    add = rollups_db.add_to_hourly if is_hourly else rollups_db.add_to_daily
    first, second, third = (AT, AT + HOUR, AT + 2 * HOUR) if is_hourly else (DAY, DAY + 24 * HOUR, DAY + 48 * HOUR)
    for owner, factor in ((ALICE, 1), (BOB, 1_000)):
        add(
            conn,
            *owner,
            [
                RollupRow(MAC, second, 1 * factor, 2 * factor),
                RollupRow(MAC, first, 3 * factor, 4 * factor),
                RollupRow(OTHER_MAC, first, 50 * factor, 60 * factor),
                RollupRow(MAC, third, 7 * factor, 7 * factor),
            ],
        )
    buckets, devices = rollups_db.list_totals(conn, *ALICE, rollup, start=first, end=third)
    assert buckets == [BucketTotal(first, 53, 64), BucketTotal(second, 1, 2)]
    assert devices == [DeviceTotal(OTHER_MAC, 50, 60), DeviceTotal(MAC, 4, 6)]
    assert rollups_db.list_totals(conn, "bob", ALICE[1], rollup, start=first, end=third) == ([], [])


def test_one_devices_totals_come_for_each_range_in_the_order_asked(conn: Connection) -> None:
    for back in range(3):
        rollups_db.add_to_daily(conn, *ALICE, [RollupRow(MAC, DAY - timedelta(days=back), 10**back, 1)])
    rollups_db.add_to_daily(conn, *ALICE, [RollupRow(OTHER_MAC, DAY, 5_000, 1)])
    rollups_db.insert_period_totals(conn, *ALICE, [RollupRow(MAC, DAY, 7_000, 1)], end_date=DAY)
    starts = [DAY, DAY - timedelta(days=1), DAY - timedelta(days=29), DAY]
    end = DAY + timedelta(days=1)
    assert rollups_db.list_device_totals(conn, *ALICE, [MAC], starts=starts, end=end) == [
        (1, 1),
        (11, 2),
        (111, 3),
        (1, 1),
    ]
    for stranger in (BOB, ("bob", ALICE[1])):
        assert rollups_db.list_device_totals(conn, *stranger, [MAC], starts=starts[:1], end=end) == [(0, 0)]
