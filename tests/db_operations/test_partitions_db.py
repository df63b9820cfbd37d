"""Partitions of the raw rows, made and dropped on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pytest

from db_operations import device_usage_db, partitions_db
from db_operations.database import Database
from db_operations.device_usage_db import SnapshotRow
from tests.db_operations.usage_rows import ALICE, MAC, add_router

DAY = date(2031, 11, 11)


def test_a_partition_takes_its_whole_utc_day_and_nothing_else(database: Database) -> None:
    midnight = datetime(2031, 11, 11, tzinfo=UTC)
    row = [SnapshotRow(MAC, None, 1, 1, 1, 1)]
    with database.transaction() as conn:
        add_router(conn, ALICE)
        partitions_db.ensure_partition(conn, DAY)
        for at in (midnight, midnight + timedelta(days=1, microseconds=-1)):
            device_usage_db.store_device_usage_snapshot(conn, *ALICE, row, at=at)
    for at in (midnight - timedelta(microseconds=1), midnight + timedelta(days=1)):
        with pytest.raises(psycopg2.errors.CheckViolation), database.transaction() as conn:
            device_usage_db.store_device_usage_snapshot(conn, *ALICE, row, at=at)


def test_the_same_reading_twice_is_refused_by_its_key(database: Database) -> None:
    at = datetime(2031, 11, 11, 9, tzinfo=UTC)
    with database.transaction() as conn:
        partitions_db.ensure_partition(conn, DAY)
        device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, None, 1, 1, 1, 1)], at=at)
    with pytest.raises(psycopg2.errors.UniqueViolation), database.transaction() as conn:
        device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, None, 2, 2, 2, 2)], at=at)


def test_making_a_partition_twice_or_by_many_at_once_makes_one(database: Database) -> None:
    def make(_number: int) -> None:
        with database.transaction() as conn:
            partitions_db.ensure_partition(conn, DAY)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    with database.transaction() as conn:
        assert partitions_db.list_partition_days(conn) == [DAY]


def test_partitions_before_a_day_are_dropped_and_can_be_made_again(database: Database) -> None:
    days = [date(2030, 12, 31), date(2031, 1, 1), DAY]
    with database.transaction() as conn:
        for day in reversed(days):
            partitions_db.ensure_partition(conn, day)
        assert partitions_db.list_partition_days(conn) == days
        assert partitions_db.drop_partitions_before(conn, DAY) == 2
        assert partitions_db.drop_partitions_before(conn, DAY) == 0
        assert partitions_db.list_partition_days(conn) == [DAY]
        partitions_db.ensure_partition(conn, days[0])
        assert partitions_db.list_partition_days(conn) == [days[0], DAY]
