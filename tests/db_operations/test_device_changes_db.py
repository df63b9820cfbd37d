"""Changes of devices touch one router's of one account; readers look through what is merged and hidden."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg2
import pytest

from db_operations import (
    device_changes_db,
    device_usage_db,
    devices_db,
    events_db,
    partitions_db,
    rollups_db,
    shown_devices_db,
)
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, SnapshotRow
from db_operations.events_db import EventRecord
from db_operations.rollups_db import DAILY, HOURLY, RollupRow
from db_operations.statements import Connection, fetch_all
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, NAMES, OTHER_MAC, add_router

THIRD = "02:00:00:00:00:03"
HOUR = timedelta(hours=1)


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """Alice's and Bob's routers with the same three devices, each with usage."""
    with database.transaction() as conn:
        partitions_db.ensure_partition(conn, AT.date())
        for owner in (ALICE, BOB):
            add_router(conn, owner)
            seen = [
                DeviceSighting(mac=mac, hostname="host", ips="10.0.0.1", is_router=False, is_active=True)
                for mac in (MAC, OTHER_MAC, THIRD)
            ]
            device_usage_db.update_device_metadata(conn, *owner, seen, at=AT, previous_at=None)
            for number, mac in enumerate((MAC, OTHER_MAC, THIRD), start=1):
                for step in range(2):
                    at = AT + step * HOUR
                    snapshot = [SnapshotRow(mac, "host", 5, 6, 1, 2)]
                    device_usage_db.store_device_usage_snapshot(conn, *owner, snapshot, at=at)
                    rollups_db.add_to_hourly(conn, *owner, [RollupRow(mac, at, 10**number, 1)])
                rollups_db.add_to_daily(conn, *owner, [RollupRow(mac, AT.date(), 2 * 10**number, 2)])
                event = EventRecord(type="device_new", start_at=AT, end_at=AT, message="new", device_mac=mac)
                events_db.insert_event(conn, *owner, event)
        yield conn


def rows(conn: Connection, table: str, router: str = ALICE[1]) -> list[str]:
    statement = f"SELECT t::text FROM {table} AS t WHERE router_id = %(router)s ORDER BY 1"
    return [row[0] for row in fetch_all(conn, statement, {"router": router})]


CHANGES: list[Callable[[Connection, str, str], object]] = [
    lambda conn, *owner: device_changes_db.update_words(conn, *owner, MAC, {"name": "mine", "notes": None}),
    lambda conn, *owner: device_changes_db.set_monitored(conn, *owner, [MAC], is_monitored=False, at=AT),
    lambda conn, *owner: device_changes_db.set_merged_into(conn, *owner, MAC, OTHER_MAC),
    lambda conn, *owner: device_changes_db.delete_device_usage(conn, *owner, [MAC]),
    lambda conn, *owner: devices_db.set_vanished(conn, *owner, [MAC], vanished_at=AT),
]
TABLES = (
    "devices",
    "device_usage_monitoring",
    "snapshot_days",
    "device_usage_hourly",
    "device_usage_history",
    "events",
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_bound_to_account_and_router_both(conn: Connection, change: Callable[..., object]) -> None:
    before = {(table, owner): rows(conn, table, owner[1]) for table in TABLES for owner in (ALICE, BOB)}
    for stranger in ((ALICE[0], BOB[1]), (BOB[0], ALICE[1]), ("nobody", ALICE[1])):
        change(conn, *stranger)
    assert {(table, owner): rows(conn, table, owner[1]) for table in TABLES for owner in (ALICE, BOB)} == before
    change(conn, *ALICE)
    assert [table for table in TABLES if rows(conn, table, BOB[1]) != before[table, BOB]] == []
    changed = {table for table in TABLES if rows(conn, table) != before[table, ALICE]}
    assert changed == ({"devices"} if change is not CHANGES[3] else set(TABLES) - {"devices"})


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_any_word_is_kept_exactly(conn: Connection, name: str) -> None:
    words = {"name": name, "notes": name, "person": name}
    device_changes_db.update_words(conn, *ALICE, MAC, words)
    device = devices_db.get_device_by_mac(conn, *ALICE, MAC)
    assert device is not None
    assert (device.name, device.notes, device.person, device.category) == (name, name, name, None)


def test_words_that_are_not_given_stay_and_null_takes_away(conn: Connection) -> None:
    device_changes_db.update_words(conn, *ALICE, MAC, {"name": "a", "category": "tv", "notes": "b", "person": "c"})
    device_changes_db.update_words(conn, *ALICE, MAC, {})
    device_changes_db.update_words(conn, *ALICE, MAC, {"notes": None, "person": "d"})
    device = devices_db.get_device_by_mac(conn, *ALICE, MAC)
    assert device is not None
    assert (device.name, device.category, device.notes, device.person) == ("a", "tv", None, "d")


def test_the_counts_of_days_are_those_of_the_rows_after_some_were_erased(conn: Connection) -> None:
    counted = """
        SELECT router_id, (timestamp AT TIME ZONE 'UTC')::date, count(*), min(timestamp), max(timestamp)
        FROM device_usage_monitoring GROUP BY 1, 2 ORDER BY 1, 2
    """
    kept = "SELECT router_id, day, snapshots, oldest, newest FROM snapshot_days ORDER BY 1, 2"
    first = [SnapshotRow(THIRD, None, 1, 1, 1, 1)]
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, first, at=AT - HOUR)
    for macs in ([MAC], [THIRD], [OTHER_MAC, MAC]):
        device_changes_db.delete_device_usage(conn, *ALICE, macs)
        assert fetch_all(conn, kept, {}) == fetch_all(conn, counted, {})
    assert rows(conn, "device_usage_monitoring") == rows(conn, "snapshot_days") == []


def test_the_database_itself_refuses_a_device_that_is_merged_into_itself_or_nothing(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        devices_db.insert_devices_unless_there(conn, *ALICE, [MAC], first_seen=AT)
    for into, error in ((MAC, psycopg2.errors.CheckViolation), (THIRD, psycopg2.errors.ForeignKeyViolation)):
        with pytest.raises(error), database.transaction() as conn:
            device_changes_db.set_merged_into(conn, *ALICE, MAC, into)


# --- reading through it ----------------------------------------------------------------------------------


def test_merged_usage_is_one_row_a_bucket_and_hidden_usage_is_none(conn: Connection) -> None:
    device_changes_db.set_merged_into(conn, *ALICE, OTHER_MAC, MAC)
    device_changes_db.set_monitored(conn, *ALICE, [THIRD], is_monitored=False, at=AT)
    read = device_usage_db.get_device_usage_history
    hours = {"start": AT, "end": AT + 9 * HOUR}
    days = {"start": AT.date(), "end": AT.date() + timedelta(days=1)}
    assert sorted(read(conn, *ALICE, HOURLY, **hours)) == [(MAC, AT, 110, 2), (MAC, AT + HOUR, 110, 2)]
    assert read(conn, *ALICE, HOURLY, **hours, macs=[MAC]) == read(conn, *ALICE, HOURLY, **hours)
    assert read(conn, *ALICE, HOURLY, **hours, macs=[THIRD]) == []
    buckets, devices = rollups_db.list_totals(conn, *ALICE, DAILY, **days)
    assert (buckets, devices) == ([(AT.date(), 220, 4)], [(MAC, 220, 4)])
    assert len(read(conn, *BOB, HOURLY, **hours)) == 6
    assert shown_devices_db.get_shown_devices(conn, "nobody", ALICE[1]) == shown_devices_db.ShownDevices(hidden=[])
    sums = rollups_db.list_device_totals(conn, *ALICE, [MAC, OTHER_MAC], starts=[AT.date()], end=days["end"])
    assert sums == [(220, 4)]


def test_sums_of_merged_devices_are_exact_beyond_what_a_column_holds(conn: Connection) -> None:
    top = 2**63 - 1
    day = AT.date() + timedelta(days=1)
    rollups_db.add_to_daily(conn, *ALICE, [RollupRow(mac, day, top, 0) for mac in (MAC, OTHER_MAC, THIRD)])
    device_changes_db.set_merged_into(conn, *ALICE, OTHER_MAC, MAC)
    device_changes_db.set_merged_into(conn, *ALICE, THIRD, MAC)
    span = {"start": day, "end": day + timedelta(days=1)}
    assert device_usage_db.get_device_usage_history(conn, *ALICE, DAILY, **span) == [(MAC, day, 3 * top, 0)]
    assert rollups_db.list_totals(conn, *ALICE, DAILY, **span) == ([(day, 3 * top, 0)], [(MAC, 3 * top, 0)])


def test_merged_devices_are_listed_counted_filtered_and_sorted_as_one(conn: Connection) -> None:
    device_changes_db.update_words(conn, *ALICE, OTHER_MAC, {"name": "zz", "person": "Bea"})
    device_changes_db.set_merged_into(conn, *ALICE, OTHER_MAC, MAC)
    device_changes_db.set_monitored(conn, *ALICE, [THIRD], is_monitored=False, at=AT)
    gone = DeviceSighting(mac=MAC, hostname=None, ips="fd00::1 10.0.0.9", is_router=False, is_active=False)
    device_usage_db.update_device_metadata(conn, *ALICE, [gone], at=AT + HOUR, previous_at=AT)
    (device,) = devices_db.list_devices(conn, *ALICE, active=True)
    assert (device.mac, device.merged_macs, device.name, device.person) == (MAC, (OTHER_MAC,), None, None)
    assert device.ips == ("10.0.0.9", "10.0.0.1", "fd00::1")
    assert device.is_active, "the other one is"
    counts = devices_db.count_devices(conn, *ALICE, search=OTHER_MAC)
    assert (counts.matching, counts.total, counts.active) == (1, 1, 1)
    assert [one.mac for one in devices_db.list_devices(conn, *ALICE, monitored=False)] == [THIRD]
    assert devices_db.count_devices(conn, *ALICE, monitored=False).matching == 1
    every = {one.mac: one for one in devices_db.list_all_devices(conn, *ALICE)}
    assert (every[OTHER_MAC].merged_into, every[OTHER_MAC].name, every[MAC].merged_into) == (MAC, "zz", None)
    for stranger in ((ALICE[0], BOB[1]), (BOB[0], ALICE[1])):
        assert devices_db.list_all_devices(conn, *stranger) == []
        assert devices_db.get_device_by_mac(conn, *stranger, MAC) is None
        assert devices_db.list_lifetimes(conn, *stranger) == {}


def test_absence_begins_with_the_first_reading_that_does_not_find_it(conn: Connection) -> None:
    def see(step: int, *, is_active: bool) -> None:
        seen = [DeviceSighting(mac=MAC, hostname=None, ips="", is_router=False, is_active=is_active)]
        at = AT + step * HOUR
        device_usage_db.update_device_metadata(conn, *ALICE, seen, at=at, previous_at=at - HOUR)

    def absent_since() -> object:
        return next(one.absent_since for one in devices_db.list_known_devices(conn, *ALICE) if one.mac == MAC)

    assert absent_since() is None
    for step in (1, 2):
        see(step, is_active=False)
        assert absent_since() == AT + HOUR
    see(3, is_active=True)
    assert absent_since() is None
