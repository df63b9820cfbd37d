"""Usage by protocol on a real PostgreSQL."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db_operations import protocols_db
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, update_device_metadata
from db_operations.protocols_db import ProtocolRow, ProtocolTotal
from db_operations.statements import Connection, execute, fetch_all, read_one_moment
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, NAMES, OTHER_MAC, add_router
from utils.mac import ZERO_MAC

DAY = AT.date()
ONE = timedelta(days=1)
MAX = 2**63 - 1


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        yield conn


def see(conn: Connection, mac: str, *, is_router: bool = False) -> None:
    sighting = DeviceSighting(mac=mac, hostname=None, ips="192.168.1.2", is_router=is_router, is_active=True)
    update_device_metadata(conn, *ALICE, [sighting], at=AT, previous_at=None)


def totals(conn: Connection, *owner: str, **options: str) -> list[tuple[object, ...]]:
    found = protocols_db.list_protocol_totals(
        conn, *(owner or ALICE), start=DAY - 9 * ONE, end=DAY + ONE, macs=[options["mac"]] if "mac" in options else None
    )
    return sorted(tuple(total) for total in found)


def test_usage_adds_up_in_its_day_each_family_by_itself(conn: Connection) -> None:
    protocols_db.add_to_protocols(conn, *ALICE, [ProtocolRow(MAC, DAY, "HTTPS", 1, 2, 3, 4)])
    protocols_db.add_to_protocols(
        conn, *ALICE, [ProtocolRow(MAC, DAY, "DNS", 5, 5, 0, 0), ProtocolRow(MAC, DAY, "HTTPS", 10, 20, 30, 40)]
    )
    protocols_db.add_to_protocols(conn, *ALICE, [])

    rows = fetch_all(conn, "SELECT day, device_mac, protocol FROM device_usage_protocols ORDER BY protocol", {})
    assert rows == [(DAY, MAC, "DNS"), (DAY, MAC, "HTTPS")]
    assert totals(conn) == [("DNS", 5, 5, 0, 0, 0), ("HTTPS", 11, 22, 33, 44, 0)]


def test_rows_of_several_days_some_of_them_there_already_are_written_at_once(conn: Connection) -> None:
    protocols_db.add_to_protocols(conn, *ALICE, [ProtocolRow(MAC, DAY - ONE, "HTTPS", 1, 0, 0, 0)])
    rows = [
        ProtocolRow(mac, DAY - offset * ONE, name, 10, 0, 0, 0)
        for offset in range(3)
        for mac in (MAC, OTHER_MAC)
        for name in ("HTTPS", "DNS")
    ]

    protocols_db.add_to_protocols(conn, *ALICE, rows)

    assert fetch_all(conn, "SELECT count(*) FROM device_usage_protocols", {}) == [(12,)]
    assert [(name, down) for name, down, *_ in totals(conn)] == [("DNS", 60), ("HTTPS", 61)]


def test_the_largest_counter_is_exact_and_sums_go_beyond_it(conn: Connection) -> None:
    for offset in range(2):
        protocols_db.add_to_protocols(conn, *ALICE, [ProtocolRow(MAC, DAY - offset * ONE, "x", MAX, 0, 0, MAX)])

    assert totals(conn) == [("x", 2 * MAX, 0, 0, 2 * MAX, 0)]


READINGS = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from([MAC, OTHER_MAC]), st.integers(0, 1), st.sampled_from([*"abcdefgh", "other"])),
        st.tuples(*[st.integers(0, 2**40)] * 4),
        min_size=1,
        max_size=12,
    ),
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(readings=READINGS)
def test_names_without_end_are_few_rows_and_no_byte_is_lost(
    conn: Connection, readings: list[dict[tuple[str, int, str], tuple[int, int, int, int]]]
) -> None:
    execute(conn, "DELETE FROM device_usage_protocols", {})
    used: defaultdict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocols_db, "MOST_NAMES_A_DAY", 3)
        for reading in readings:
            rows = [ProtocolRow(mac, DAY - ago * ONE, name, *told) for (mac, ago, name), told in reading.items()]
            protocols_db.add_to_protocols(conn, *ALICE, rows)
            for mac, day, _, *told in rows:
                used[mac, day] = [before + now for before, now in zip(used[mac, day], told, strict=True)]

    days = fetch_all(
        conn,
        """
        SELECT device_mac, day, count(*) FILTER (WHERE protocol <> 'other'), sum(ipv4_download)::bigint,
               sum(ipv4_upload)::bigint, sum(ipv6_download)::bigint, sum(ipv6_upload)::bigint
        FROM device_usage_protocols GROUP BY device_mac, day
        """,
        {},
    )
    assert {(mac, day): list(told) for mac, day, _, *told in days} == used
    assert all(names <= 3 for _, _, names, *_ in days)


def test_the_names_of_a_day_stay_and_only_later_ones_are_other(conn: Connection) -> None:
    names = [f"n{number:03}" for number in range(100)]
    first = [ProtocolRow(MAC, DAY, name, 1, 0, 0, 0) for name in names[:60]]
    for rows in (first, [ProtocolRow(MAC, DAY, name, 1, 0, 0, 0) for name in names], first):
        protocols_db.add_to_protocols(conn, *ALICE, rows)

    told = {name: down for name, down, *_ in totals(conn)}
    assert told == {**dict.fromkeys(names[:60], 3), **dict.fromkeys(names[60:64], 1), "other": 36}


def test_a_name_is_stored_as_the_router_writes_it(conn: Connection) -> None:
    names = [name[: protocols_db.MAX_NAME_LENGTH] for name in NAMES]
    for _ in range(2):
        rows = [ProtocolRow(MAC, DAY, name, 1, 0, 0, 0) for name in names]
        protocols_db.add_to_protocols(conn, *ALICE, rows)

    assert totals(conn) == sorted((name, 2, 0, 0, 0, 0) for name in names)


def test_totals_are_those_of_the_range_and_of_the_device_asked_for(conn: Connection) -> None:
    rows = [ProtocolRow(MAC, DAY - offset * ONE, "HTTPS", 10**offset, 0, 0, 0) for offset in range(5)]
    protocols_db.add_to_protocols(conn, *ALICE, [*rows, ProtocolRow(OTHER_MAC, DAY, "HTTPS", 0, 7, 0, 0)])

    def ask(first: int, end: int, mac: str | None = None) -> list[ProtocolTotal]:
        start, end_day = DAY - first * ONE, DAY - end * ONE
        return protocols_db.list_protocol_totals(conn, *ALICE, start=start, end=end_day, macs=[mac] if mac else None)

    assert [total[1:3] for total in ask(3, 0)] == [(1_110, 0)]
    assert [total[1:3] for total in ask(0, -1)] == [(1, 7)]
    assert [total[1:3] for total in ask(0, -1, MAC)] == [(1, 0)]
    assert ask(9, 5) == ask(3, 0, OTHER_MAC) == []


def test_devices_are_counted_without_the_router_and_unresolved_hosts(conn: Connection) -> None:
    gateway = "02:00:00:00:00:01"
    see(conn, MAC)
    see(conn, OTHER_MAC)
    see(conn, gateway, is_router=True)
    rows = [ProtocolRow(mac, DAY, "DNS", 1, 1, 0, 0) for mac in (MAC, OTHER_MAC, gateway, ZERO_MAC)]
    again = [ProtocolRow(MAC, DAY - ONE, "DNS", 1, 1, 0, 0), ProtocolRow(MAC, DAY - ONE, "SSH", 1, 1, 0, 0)]

    protocols_db.add_to_protocols(conn, *ALICE, [*rows, *again])

    assert [(name, devices) for name, *_, devices in totals(conn)] == [("DNS", 2), ("SSH", 1)]


def test_another_account_sees_and_changes_nothing(conn: Connection) -> None:
    protocols_db.add_to_protocols(conn, *ALICE, [ProtocolRow(MAC, DAY, "HTTPS", 1, 1, 0, 0)])
    protocols_db.add_to_protocols(conn, *BOB, [ProtocolRow(MAC, DAY, "HTTPS", 50, 50, 0, 0)])
    protocols_db.add_to_protocols(conn, BOB[0], ALICE[1], [ProtocolRow(MAC, DAY, "HTTPS", 9, 9, 0, 0)])

    assert totals(conn) == [("HTTPS", 1, 1, 0, 0, 0)]
    assert totals(conn, *BOB) == [("HTTPS", 50, 50, 0, 0, 0)]
    assert totals(conn, BOB[0], ALICE[1]) == []


def test_a_transaction_that_reads_one_moment_does_not_see_what_is_stored_meanwhile(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
    with database.transaction() as reader:
        read_one_moment(reader)
        before = totals(reader)
        with database.transaction() as writer:
            protocols_db.add_to_protocols(writer, *ALICE, [ProtocolRow(MAC, DAY, "HTTPS", 1, 1, 0, 0)])
        assert totals(reader) == before == []
    with database.transaction() as reader:
        execute(reader, "SELECT 1", {})
        assert len(totals(reader)) == 1


def device_totals(conn: Connection, *owner: str) -> list[tuple[object, ...]]:
    found = protocols_db.list_device_protocol_totals(conn, *(owner or ALICE), start=DAY - ONE, end=DAY + ONE)
    return sorted(tuple(total) for total in found)


def test_each_device_has_its_protocols_both_families_together(conn: Connection) -> None:
    rows = [ProtocolRow(MAC, DAY - offset * ONE, "HTTPS", 1, 2, MAX, MAX) for offset in range(-1, 3)]
    protocols_db.add_to_protocols(conn, *ALICE, [*rows, ProtocolRow(ZERO_MAC, DAY, "客", 0, 7, 0, 0)])
    protocols_db.add_to_protocols(conn, *BOB, [ProtocolRow(MAC, DAY, "HTTPS", 9, 9, 9, 9)])

    assert device_totals(conn) == [(ZERO_MAC, "客", 0, 7), (MAC, "HTTPS", 2 * MAX + 2, 2 * MAX + 4)]
    assert device_totals(conn, ALICE[0], BOB[1]) == []


def test_the_protocols_of_merged_devices_are_one_and_those_out_of_monitoring_are_in_none(conn: Connection) -> None:
    hidden = "8c:79:f5:21:40:0b"
    for mac in (MAC, OTHER_MAC, hidden):
        see(conn, mac)
    execute(conn, "UPDATE devices SET merged_into = %(a)s WHERE device_mac = %(b)s", {"a": MAC, "b": OTHER_MAC})
    execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": hidden})
    rows = [ProtocolRow(mac, DAY, "HTTPS", 1, 0, 0, 10) for mac in (MAC, OTHER_MAC, hidden)]
    protocols_db.add_to_protocols(conn, *ALICE, [*rows, ProtocolRow(OTHER_MAC, DAY, "DNS", 3, 3, 0, 0)])

    assert device_totals(conn) == [(MAC, "DNS", 3, 3), (MAC, "HTTPS", 2, 20)]
