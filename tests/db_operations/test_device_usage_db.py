"""Snapshots, devices, histories and clean-up on a real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from db_operations import (
    device_usage_db,
    devices_db,
    events_db,
    partitions_db,
    protocols_db,
    readings_db,
    rollups_db,
    snapshots_db,
    users_db,
)
from db_operations.database import Database
from db_operations.device_usage_db import CleanupResult, DeviceSighting, SnapshotRow
from db_operations.devices_db import KnownDevice
from db_operations.events_db import EventRecord
from db_operations.protocols_db import ProtocolRow
from db_operations.rollups_db import DAILY, HOURLY, RollupRow
from db_operations.statements import Connection, execute
from db_operations.users_db import UserRecord
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, NAMES, OTHER_MAC, add_router, reading_at

DAY = AT.date()


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """One transaction with both routers and today's partition."""
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        partitions_db.ensure_partition(conn, DAY)
        yield conn


def sighting(mac: str = MAC, **fields: object) -> DeviceSighting:
    values: dict[str, object] = {"hostname": "phone", "ips": "192.168.1.2", "is_router": False, "is_active": True}
    return DeviceSighting(mac=mac, **(values | fields))  # type: ignore[arg-type]


def see(
    conn: Connection, sightings: list[DeviceSighting], *, at: datetime, previous_at: datetime | None = None
) -> None:
    """What a reading of Alice's router does with its devices."""
    device_usage_db.update_device_metadata(conn, *ALICE, sightings, at=at, previous_at=previous_at)
    readings_db.upsert_last_reading(conn, *ALICE, reading_at(at))


def say(conn: Connection, mac: str, **words: object) -> None:
    for name, value in words.items():
        execute(conn, f"UPDATE devices SET {name} = %(value)s WHERE device_mac = %(mac)s", {"value": value, "mac": mac})


# --- snapshots -------------------------------------------------------------------------------------------


def test_a_snapshot_is_read_back_as_it_was_stored(conn: Connection) -> None:
    rows = [SnapshotRow(OTHER_MAC, None, 0, 0, None, None), SnapshotRow(MAC, "phone", 5, 6, 1, 2)]
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, rows, at=AT)
    assert snapshots_db.list_snapshot(conn, *ALICE, at=AT) == rows
    assert snapshots_db.list_snapshot(conn, *ALICE, at=AT + timedelta(microseconds=1)) == []


def test_counters_that_do_not_fit_are_stored_as_null_and_the_others_exactly(conn: Connection) -> None:
    top = 2**63 - 1
    macs = [f"02:00:00:00:00:0{number}" for number in range(4)]
    rows = [
        SnapshotRow(macs[0], None, top, 0, 1, 1),
        SnapshotRow(macs[1], None, top, 1, 1, 1),
        SnapshotRow(macs[2], None, top + 1, 7, None, 0),
        SnapshotRow(macs[3], None, 2**64 - 1, 2**64 - 1, top + 1, top),
    ]
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, rows, at=AT)
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT bytes_downloaded, bytes_uploaded, total_bytes, usage_down, usage_up FROM device_usage_monitoring "
            "ORDER BY device_mac"
        )
        assert cursor.fetchall() == [
            (top, 0, top, 1, 1),
            (top, 1, None, 1, 1),
            (None, 7, None, None, 0),
            (None, None, None, None, top),
        ]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives_copy(conn: Connection, name: str) -> None:
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, name, 1, 1, 1, 1)], at=AT)
    assert snapshots_db.list_snapshot(conn, *ALICE, at=AT)[0].name == name


def test_a_nul_is_left_out_of_a_name(conn: Connection) -> None:
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, "a\0b", 1, 1, 1, 1)], at=AT)
    assert snapshots_db.list_snapshot(conn, *ALICE, at=AT)[0].name == "ab"


def test_a_reading_without_a_device_stores_nothing(conn: Connection) -> None:
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, [], at=AT)
    assert snapshots_db.count_snapshots(conn, *ALICE) == snapshots_db.StoredSnapshots(
        snapshots=0, oldest=None, newest=None
    )


def test_snapshots_are_counted_with_their_oldest_and_newest(conn: Connection) -> None:
    for minutes in (0, 5, 10):
        at = AT + timedelta(minutes=minutes)
        device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, None, 1, 1, 1, 1)], at=at)
    counted = snapshots_db.count_snapshots(conn, *ALICE)
    assert (counted.snapshots, counted.oldest, counted.newest) == (3, AT, AT + timedelta(minutes=10))


def test_the_counts_of_days_are_those_of_the_rows(conn: Connection) -> None:
    partitions_db.ensure_partition(conn, DAY + timedelta(days=1))
    midnight = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    for owner in (ALICE, BOB):
        for number, at in enumerate((AT, AT + timedelta(minutes=5), midnight - timedelta(microseconds=1), midnight)):
            macs = [f"02:00:00:00:00:0{one}" for one in range(number + 1)]
            rows = [SnapshotRow(mac, None, 1, 1, 1, 1) for mac in macs]
            device_usage_db.store_device_usage_snapshot(conn, *owner, rows, at=at)
    kept = "SELECT router_id, session_id, day, snapshots, oldest, newest FROM snapshot_days ORDER BY 1, 3"
    counted = """
        SELECT router_id, session_id, (timestamp AT TIME ZONE 'UTC')::date, count(*), min(timestamp), max(timestamp)
        FROM device_usage_monitoring GROUP BY 1, 2, 3 ORDER BY 1, 3
    """
    with conn.cursor() as cursor:
        for zone in ("UTC", "Pacific/Auckland"):
            cursor.execute(f"SET LOCAL TimeZone = '{zone}'")
            cursor.execute(counted)
            rows_of_days = cursor.fetchall()
            cursor.execute(kept)
            assert cursor.fetchall() == rows_of_days
        assert [row[3] for row in rows_of_days] == [6, 4, 6, 4]


def test_another_account_sees_no_snapshot(conn: Connection) -> None:
    device_usage_db.store_device_usage_snapshot(conn, *ALICE, [SnapshotRow(MAC, None, 1, 1, 1, 1)], at=AT)
    for stranger in (BOB, ("bob", ALICE[1])):
        assert snapshots_db.list_snapshot(conn, *stranger, at=AT) == []
        assert snapshots_db.count_snapshots(conn, *stranger).snapshots == 0


# --- devices ---------------------------------------------------------------------------------------------


def test_an_active_device_was_last_seen_at_the_last_reading_and_one_that_left_at_the_one_before(
    conn: Connection,
) -> None:
    later, latest = AT + timedelta(minutes=5), AT + timedelta(minutes=10)
    see(conn, [sighting()], at=AT)
    see(conn, [], at=later, previous_at=AT)  # nothing changed, so nothing is written
    assert devices_db.list_devices(conn, *ALICE)[0].last_seen == later
    see(conn, [sighting(is_active=False)], at=latest, previous_at=later)
    assert devices_db.list_devices(conn, *ALICE)[0].last_seen == later
    see(conn, [sighting(is_active=False)], at=latest + timedelta(minutes=5), previous_at=latest)
    assert devices_db.list_devices(conn, *ALICE)[0].last_seen == later


def test_what_a_reading_is_compared_with_has_those_out_of_monitoring_too(conn: Connection) -> None:
    see(conn, [sighting(ips="192.168.1.2 fd00::2")], at=AT)
    say(conn, MAC, is_monitored=False, name="Anna")
    assert devices_db.list_known_devices(conn, *ALICE) == [
        KnownDevice(MAC, "Anna", "phone", "192.168.1.2 fd00::2", is_monitored=False, is_router=False, is_active=True)
    ]
    for stranger in (BOB, ("bob", ALICE[1])):
        assert devices_db.list_known_devices(conn, *stranger) == []


def test_a_new_device_is_first_and_last_seen_now(conn: Connection) -> None:
    see(conn, [sighting(), sighting(OTHER_MAC, is_active=False)], at=AT)
    active, idle = devices_db.list_devices(conn, *ALICE, sort="mac")[::-1]
    assert (active.first_seen, active.last_seen, active.is_active) == (AT, AT, True)
    assert (idle.first_seen, idle.last_seen, idle.is_active) == (AT, None, False)
    assert active.ips == ("192.168.1.2",)


def test_what_a_device_is_called_by_people_stays(conn: Connection) -> None:
    see(conn, [sighting()], at=AT)
    say(conn, MAC, name="Anna", category="phone", notes="hers")
    later = AT + timedelta(hours=1)
    again = sighting(hostname=None, ips="192.168.1.9 fd00::9", is_active=False)
    see(conn, [again], at=later, previous_at=AT)
    device = devices_db.get_device_by_mac(conn, *ALICE, MAC)
    assert device is not None
    assert (device.name, device.category, device.notes) == ("Anna", "phone", "hers")
    assert (device.hostname, device.display_name) == ("phone", "Anna")
    assert (device.first_seen, device.last_seen, device.is_active) == (AT, AT, False)
    assert device.ips == ("192.168.1.9", "fd00::9")


@pytest.mark.parametrize("name", NAMES)
def test_any_hostname_survives_the_arrays(conn: Connection, name: str) -> None:
    see(conn, [sighting(hostname=name, ips='a,b " {} \\')], at=AT)
    device = devices_db.get_device_by_mac(conn, *ALICE, MAC)
    assert device is not None
    assert device.hostname == name
    assert device.ips == ("a,b", '"', "{}", "\\")


def test_a_device_may_have_no_address(conn: Connection) -> None:
    see(conn, [sighting(ips="")], at=AT)
    assert devices_db.list_all_devices(conn, *ALICE)[0].ips == ()


def test_nothing_seen_changes_nothing(conn: Connection) -> None:
    see(conn, [], at=AT)
    assert devices_db.list_all_devices(conn, *ALICE) == []


def test_devices_are_found_by_name_hostname_mac_and_address_whatever_the_needle_holds(conn: Connection) -> None:
    see(conn, [sighting(hostname="100%_TV"), sighting(OTHER_MAC, hostname="büro", ips="fd00::7")], at=AT)
    say(conn, OTHER_MAC, name="Küche 客厅")

    def found(needle: str) -> list[str]:
        return [device.mac for device in devices_db.list_devices(conn, *ALICE, search=needle)]

    assert found("%") == found("_") == found("100%_tv") == [MAC]
    assert found("büro") == found("küche") == found("客厅") == found("fd00::7") == found("a4:34") == [OTHER_MAC]
    assert found("\\") == found("nothing") == []
    assert len(found("")) == 2
    assert devices_db.count_devices(conn, *ALICE, search="%").matching == 1


def test_devices_are_filtered_sorted_paged_and_counted_without_the_router(conn: Connection) -> None:
    macs = [f"02:00:00:00:00:0{number}" for number in range(4)]
    see(
        conn,
        [
            sighting(macs[0], hostname="delta"),
            sighting(macs[1], hostname="Alpha", is_active=False),
            sighting(macs[2], hostname="zebra"),
            sighting(macs[3], hostname="beta", is_router=True),
        ],
        at=AT,
    )
    later = AT + timedelta(hours=1)
    see(conn, [sighting(macs[0], hostname="delta", is_active=False)], at=later, previous_at=AT)

    def listed(**options: object) -> list[str]:
        return [device.mac for device in devices_db.list_devices(conn, *ALICE, **options)]  # type: ignore[arg-type]

    assert listed(sort="mac") == macs
    assert listed(sort="name") == [macs[1], macs[3], macs[0], macs[2]]
    assert listed(sort="lastSeen") == [macs[2], macs[3], macs[0], macs[1]]
    assert listed(sort="firstSeen") == macs
    assert listed(sort="mac", active=False) == macs[:2]
    assert listed(sort="mac", limit=2, offset=1) == macs[1:3]
    counts = devices_db.count_devices(conn, *ALICE, active=True)
    assert (counts.matching, counts.total, counts.active) == (2, 3, 1)


def test_a_device_out_of_monitoring_is_hidden_but_known(conn: Connection) -> None:
    see(conn, [sighting()], at=AT)
    say(conn, MAC, is_monitored=False)
    assert devices_db.list_devices(conn, *ALICE) == []
    assert devices_db.count_devices(conn, *ALICE).total == 0
    assert [device.mac for device in devices_db.list_all_devices(conn, *ALICE)] == [MAC]


def test_another_account_sees_no_device(conn: Connection) -> None:
    see(conn, [sighting()], at=AT)
    for stranger in (BOB, ("bob", ALICE[1])):
        assert devices_db.list_devices(conn, *stranger) == []
        assert devices_db.list_all_devices(conn, *stranger) == []
        assert devices_db.get_device_by_mac(conn, *stranger, MAC) is None
        assert devices_db.count_devices(conn, *stranger).total == 0


# --- histories and clean-up ------------------------------------------------------------------------------


def test_a_history_has_the_rows_of_its_range_and_devices_and_no_others(conn: Connection) -> None:
    hour = timedelta(hours=1)
    rows = [RollupRow(mac, AT + step * hour, step, 10 * step) for mac in (MAC, OTHER_MAC) for step in range(4)]
    rollups_db.add_to_hourly(conn, *ALICE, rows)
    read = device_usage_db.get_device_usage_history
    found = read(conn, *ALICE, HOURLY, start=AT + hour, end=AT + 3 * hour)
    assert sorted(found) == [
        (OTHER_MAC, AT + hour, 1, 10),
        (OTHER_MAC, AT + 2 * hour, 2, 20),
        (MAC, AT + hour, 1, 10),
        (MAC, AT + 2 * hour, 2, 20),
    ]
    only = read(conn, *ALICE, HOURLY, start=AT, end=AT + 9 * hour, macs=[MAC])
    assert sorted(row.bytes_down for row in only) == [0, 1, 2, 3]
    assert read(conn, *ALICE, HOURLY, start=AT, end=AT + 9 * hour, macs=[]) == []
    for stranger in (BOB, ("bob", ALICE[1])):
        assert read(conn, *stranger, HOURLY, start=AT, end=AT + 9 * hour) == []


def test_cleaning_up_removes_what_is_older_than_each_limit_and_nothing_else(conn: Connection) -> None:
    days = [DAY + timedelta(days=offset) for offset in (-2, -1, 0)]
    for day in days[:2]:
        partitions_db.ensure_partition(conn, day)
    for offset in (-2, -1, 0):
        at = AT + timedelta(days=offset)
        for owner in (ALICE, BOB):
            device_usage_db.store_device_usage_snapshot(conn, *owner, [SnapshotRow(MAC, None, 1, 1, 1, 1)], at=at)
            rollups_db.add_to_hourly(conn, *owner, [RollupRow(MAC, at, 1, 1)])
            rollups_db.add_to_daily(conn, *owner, [RollupRow(MAC, at.date(), 1, 1)])
            protocols_db.add_to_protocols(conn, *owner, [ProtocolRow(MAC, at.date(), "HTTPS", 1, 1, 0, 0)])
    result = device_usage_db.cleanup_old_data(
        conn, raw_before=AT, hourly_before=AT - timedelta(hours=24), daily_before=DAY - timedelta(days=1)
    )
    assert result == CleanupResult(raw_partitions=2, hourly_rows=2, daily_rows=2)
    assert partitions_db.list_partition_days(conn) == [DAY]
    for owner in (ALICE, BOB):
        assert snapshots_db.count_snapshots(conn, *owner).snapshots == 1
        read = device_usage_db.get_device_usage_history
        assert len(read(conn, *owner, HOURLY, start=AT - timedelta(days=9), end=AT + timedelta(days=9))) == 2
        assert len(read(conn, *owner, DAILY, start=date(2031, 1, 1), end=date(2032, 1, 1))) == 2
        kept = protocols_db.list_protocol_totals(conn, *owner, start=date(2031, 1, 1), end=date(2032, 1, 1))
        assert [(total.protocol, total.ipv4_down) for total in kept] == [("HTTPS", 2)]


@pytest.mark.parametrize(
    ("hourly_days", "daily_days", "kept_days"), [(3, 1, 3), (1, 3, 3), (None, 1, None), (1, None, None)]
)
def test_doubts_and_coverage_stay_as_long_as_hours_or_days_do(
    conn: Connection, hourly_days: int | None, daily_days: int | None, kept_days: int | None
) -> None:
    for age in range(6):
        at = AT - timedelta(days=age)
        readings_db.insert_coverage(conn, *ALICE, start=at - timedelta(hours=1), end=at)
        event = EventRecord(type="gap", start_at=at, end_at=at, message="x", quality="unknown")
        events_db.insert_event(conn, *ALICE, event)
    device_usage_db.cleanup_old_data(
        conn,
        raw_before=None,
        hourly_before=None if hourly_days is None else AT - timedelta(days=hourly_days),
        daily_before=None if daily_days is None else AT.date() - timedelta(days=daily_days),
    )
    ever = {"start": AT - timedelta(days=99), "end": AT + timedelta(days=1)}
    kept = 6 if kept_days is None else kept_days + 1
    assert len(readings_db.list_coverage(conn, *ALICE, **ever)) == kept
    assert len(events_db.list_qualities(conn, *ALICE, **ever)) == kept


def test_cleaning_up_without_limits_keeps_everything(conn: Connection) -> None:
    rollups_db.add_to_hourly(conn, *ALICE, [RollupRow(MAC, AT, 1, 1)])
    nothing = device_usage_db.cleanup_old_data(conn, raw_before=None, hourly_before=None, daily_before=None)
    assert nothing == CleanupResult(raw_partitions=0, hourly_rows=0, daily_rows=0)
    assert partitions_db.list_partition_days(conn) == [DAY]


def test_erasing_a_router_erases_only_its_usage(conn: Connection) -> None:
    for owner in (ALICE, BOB):
        device_usage_db.store_device_usage_snapshot(conn, *owner, [SnapshotRow(MAC, None, 1, 1, 1, 1)], at=AT)
        rollups_db.add_to_hourly(conn, *owner, [RollupRow(MAC, AT, 1, 1)])
        rollups_db.add_to_daily(conn, *owner, [RollupRow(MAC, DAY, 1, 1)])
        protocols_db.add_to_protocols(conn, *owner, [ProtocolRow(MAC, DAY, "HTTPS", 1, 1, 0, 0)])
    device_usage_db.delete_usage(conn, "bob", ALICE[1])
    assert snapshots_db.count_snapshots(conn, *ALICE).snapshots == 1
    device_usage_db.delete_usage(conn, *ALICE)
    assert snapshots_db.count_snapshots(conn, *ALICE).snapshots == 0
    assert snapshots_db.count_snapshots(conn, *BOB).snapshots == 1
    with conn.cursor() as cursor:
        for table in ("device_usage_hourly", "device_usage_history", "device_usage_protocols"):
            cursor.execute(f"SELECT session_id FROM {table}")
            assert cursor.fetchall() == [("bob",)]


# --- accounts --------------------------------------------------------------------------------------------


def test_an_account_is_made_once_and_keeps_its_name(conn: Connection) -> None:
    users_db.insert_user_unless_there(conn, UserRecord(session_id="alice", display_name="Another name"))
    assert users_db.get_user(conn, "alice") == UserRecord(session_id="alice", display_name="Alice")
    assert users_db.get_user(conn, "nobody") is None
