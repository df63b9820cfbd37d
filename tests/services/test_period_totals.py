"""Totals of periods that are over: what an archive replaces, and what stays known without one."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from db_operations import periods_db, readings_db, rollups_db
from db_operations.database import Database
from db_operations.periods_db import NamedPeriod
from db_operations.rollups_db import RollupRow
from db_operations.statements import Connection, fetch_all
from services.accounting.periods import AccountingPeriod
from services.period_totals import record_finished_periods, store_archive
from services.readings.past_periods import FinishedPeriod
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, OTHER_MAC, add_router, reading_at
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import CounterTable, DeviceTotals, parse_nlbw_json
from utils.time import parse_zone

OCTOBER = AccountingPeriod(date(2031, 10, 1), date(2031, 10, 31))
NOVEMBER = AccountingPeriod(date(2031, 11, 1), date(2031, 11, 30))
BERLIN = parse_zone("Europe/Berlin")


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        yield conn


def printed(totals: dict[str, tuple[int, int]]) -> bytes:
    columns = ["family", "proto", "port", "mac", "ip", "conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts", "layer7"]
    rows = [[4, "TCP", 443, mac, "192.168.1.2", 1, down, 1, up, 1, "HTTPS"] for mac, (down, up) in totals.items()]
    return json.dumps({"columns": columns, "data": rows}).encode()


def counted(down: int, up: int) -> CounterTable:
    """An archive of one device."""
    return parse_nlbw_json(printed({MAC: (down, up)}))


def first_reading(conn: Connection, period: AccountingPeriod, totals: dict[str, tuple[int, int]]) -> None:
    """What the store leaves of a first reading in ``period``."""
    rows = [RollupRow(mac, period.start, *both) for mac, both in totals.items()]
    rollups_db.insert_period_totals(conn, *ALICE, rows, end_date=period.end)
    last_reading(conn, period, totals)


def last_reading(conn: Connection, period: AccountingPeriod, totals: dict[str, tuple[int, int]]) -> None:
    record = reading_at(AT, period_start=period.start, period_end=period.end, usage_json=printed(totals))
    readings_db.upsert_last_reading(conn, *ALICE, record)


def finished(
    period: AccountingPeriod, totals: dict[str, tuple[int, int]] | None, name: str | None = None
) -> FinishedPeriod:
    final = None if totals is None else {mac: DeviceTotals(*both) for mac, both in totals.items()}
    return FinishedPeriod(period, name or period.start.isoformat(), final)


def stored(conn: Connection) -> dict[tuple[str, str], tuple[int, int, int]]:
    rows = fetch_all(
        conn,
        """
        SELECT start_date::text, device_mac, total_download, total_upload, total_usage FROM device_usage_history
        WHERE span = 'period' AND router_id = %(router)s
        """,
        {"router": ALICE[1]},
    )
    return {(start, mac): (down, up, total) for start, mac, down, up, total in rows}


def states(conn: Connection) -> list[tuple[object, ...]]:
    return fetch_all(
        conn, "SELECT router_id, start_date::text, end_date::text, name, state FROM accounting_periods ORDER BY 2", {}
    )


# --- periods that ended ----------------------------------------------------------------------------------


def test_the_archive_takes_the_place_of_what_the_first_reading_saw(conn: Connection) -> None:
    first_reading(conn, OCTOBER, {MAC: (100, 10), OTHER_MAC: (1, 1)})
    record_finished_periods(conn, ALICE, [finished(OCTOBER, {MAC: (150, 12), OTHER_MAC: (1, 1), ZERO_MAC: (9, 9)})])
    assert stored(conn) == {
        ("2031-10-01", MAC): (150, 12, 162),
        ("2031-10-01", OTHER_MAC): (1, 1, 2),
        ("2031-10-01", ZERO_MAC): (9, 9, 18),
    }
    assert states(conn) == [(ALICE[1], "2031-10-01", "2031-10-31", "2031-10-01", "complete")]


def test_without_an_archive_the_last_reading_is_the_least_that_is_known(conn: Connection) -> None:
    first_reading(conn, OCTOBER, {MAC: (100, 10), OTHER_MAC: (50, 50)})
    last_reading(conn, OCTOBER, {MAC: (150, 12), OTHER_MAC: (7, 7)})  # the second one's rows were evicted
    record_finished_periods(conn, ALICE, [finished(OCTOBER, None)])
    assert stored(conn) == {("2031-10-01", MAC): (150, 12, 162), ("2031-10-01", OTHER_MAC): (50, 50, 100)}
    assert [row[-1] for row in states(conn)] == ["partial"]


def test_a_period_that_only_readings_saw_is_partial_also_without_a_first_one(conn: Connection) -> None:
    last_reading(conn, OCTOBER, {MAC: (150, 12)})
    record_finished_periods(conn, ALICE, [finished(OCTOBER, None)])
    assert stored(conn) == {("2031-10-01", MAC): (150, 12, 162)}
    assert [row[-1] for row in states(conn)] == ["partial"]


def test_whole_periods_in_between_are_kept_too_and_those_without_an_archive_are_missing(conn: Connection) -> None:
    september = AccountingPeriod(date(2031, 9, 1), date(2031, 9, 30))
    first_reading(conn, september, {MAC: (5, 5)})
    record_finished_periods(
        conn,
        ALICE,
        [finished(september, {MAC: (6, 6)}), finished(OCTOBER, None), finished(NOVEMBER, {MAC: (8, 8)})],
    )
    assert {start: both[:2] for (start, _), both in stored(conn).items()} == {
        "2031-09-01": (6, 6),
        "2031-11-01": (8, 8),
    }
    assert [row[-1] for row in states(conn)] == ["complete", "missing", "complete"]


def test_a_period_nobody_used_anything_in_is_complete(conn: Connection) -> None:
    record_finished_periods(conn, ALICE, [finished(OCTOBER, {})])
    assert stored(conn) == {}
    assert [row[-1] for row in states(conn)] == ["complete"]


def test_its_name_is_the_routers_own(conn: Connection) -> None:
    odd = AccountingPeriod(date(2031, 10, 1), date(2031, 10, 30))
    record_finished_periods(conn, ALICE, [finished(odd, {MAC: (1, 1)}, "2031-09-31")])
    assert states(conn) == [(ALICE[1], "2031-10-01", "2031-10-30", "2031-09-31", "complete")]


def test_telling_it_twice_changes_nothing(conn: Connection) -> None:
    first_reading(conn, OCTOBER, {MAC: (100, 10)})
    for totals in ({MAC: (150, 12)}, {MAC: (150, 12)}, None):
        record_finished_periods(conn, ALICE, [finished(OCTOBER, totals)])
        assert stored(conn) == {("2031-10-01", MAC): (150, 12, 162)}
        assert [row[-1] for row in states(conn)] == ["complete"]


def test_plain_tuples_do_and_nothing_finished_is_nothing_stored(conn: Connection) -> None:
    record_finished_periods(conn, ALICE, [])
    assert states(conn) == []
    record_finished_periods(conn, ALICE, [(OCTOBER, "2031-10-01", {MAC: DeviceTotals(1, 2)})])  # type: ignore[list-item]
    assert stored(conn) == {("2031-10-01", MAC): (1, 2, 3)}


def test_a_counter_beyond_belief_spoils_no_other(conn: Connection) -> None:
    last_reading(conn, OCTOBER, {MAC: (2**64 - 1, 2**64 - 1), OTHER_MAC: (1, 1)})
    record_finished_periods(conn, ALICE, [finished(OCTOBER, None), finished(NOVEMBER, {MAC: (2**63, 0)})])
    assert stored(conn) == {("2031-10-01", OTHER_MAC): (1, 1, 2)}
    assert [row[-1] for row in states(conn)] == ["partial", "complete"]


# --- archives of single days -----------------------------------------------------------------------------


def days(conn: Connection) -> list[tuple[object, ...]]:
    return fetch_all(
        conn, "SELECT start_date::text, total_usage FROM device_usage_history WHERE span = 'day' ORDER BY 1", {}
    )


@pytest.mark.parametrize(
    ("router_zone", "shown"),
    [
        ("Europe/Berlin", "2031-11-08"),  # 01:00 on the 8th to 01:00 on the 9th
        ("UTC", "2031-11-08"),
        ("Asia/Kolkata", "2031-11-08"),  # 05:30 to 05:30
        ("America/New_York", "2031-11-09"),  # 19:00 on the 8th to 19:00 on the 9th
        ("Pacific/Auckland", "2031-11-09"),  # 13:00 on the 8th to 13:00 on the 9th
    ],
)
def test_an_archive_of_a_day_is_shown_on_the_day_most_of_it_lies_in(
    conn: Connection, router_zone: str, shown: str
) -> None:
    zone = parse_zone(router_zone)
    last_reading(conn, NOVEMBER, {})  # on the 11th
    archive = NamedPeriod(date(2031, 11, 8), date(2031, 11, 8), "2031-11-08")
    periods_db.insert_pending_periods(conn, *ALICE, [archive])
    assert store_archive(conn, ALICE, archive, counted(1, 2), zone=zone, router_zone=zone)
    assert days(conn) == [(shown, 3)]
    of_protocols = "SELECT day::text, protocol, ipv4_download, ipv4_upload FROM device_usage_protocols"
    assert fetch_all(conn, of_protocols, {}) == [(shown, "HTTPS", 1, 2)]
    ((start, end),) = fetch_all(conn, "SELECT start_at, end_at FROM events", {})
    assert (str(zone.day_of(start)), end - start) == (shown, timedelta(days=1))


def test_days_are_shown_in_the_persons_zone_and_named_in_the_routers(conn: Connection) -> None:
    last_reading(conn, NOVEMBER, {})
    archive = NamedPeriod(date(2031, 11, 8), date(2031, 11, 8), "2031-11-08")
    periods_db.insert_pending_periods(conn, *ALICE, [archive])
    new_york = parse_zone("America/New_York")
    store_archive(conn, ALICE, archive, counted(1, 2), zone=new_york, router_zone=parse_zone("UTC"))
    assert days(conn) == [("2031-11-08", 3)]


@pytest.mark.parametrize("day", [10, 11])
def test_the_day_of_the_first_reading_and_days_after_it_are_never_filled(conn: Connection, day: int) -> None:
    readings_db.insert_coverage(conn, *ALICE, start=AT - timedelta(days=1), end=AT - timedelta(days=1))
    last_reading(conn, NOVEMBER, {})
    archive = NamedPeriod(date(2031, 11, day), date(2031, 11, day), f"2031-11-{day}")
    periods_db.insert_pending_periods(conn, *ALICE, [archive])
    assert store_archive(conn, ALICE, archive, counted(1, 2), zone=BERLIN, router_zone=BERLIN)
    assert days(conn) == []
    assert fetch_all(conn, "SELECT 1 FROM events UNION ALL SELECT 1 FROM device_usage_protocols", {}) == []
    assert len(stored(conn)) == 1


def test_an_archive_is_stored_once_and_not_for_a_router_that_is_gone(conn: Connection) -> None:
    archive = NamedPeriod(*OCTOBER, "2031-10-01")
    periods_db.insert_pending_periods(conn, *ALICE, [archive])
    both = counted(1, 2)
    assert store_archive(conn, ALICE, archive, both, zone=BERLIN, router_zone=BERLIN)
    assert not store_archive(conn, ALICE, archive, both, zone=BERLIN, router_zone=BERLIN)
    assert not store_archive(conn, BOB, archive, both, zone=BERLIN, router_zone=BERLIN)
    assert not store_archive(conn, (BOB[0], "gone"), archive, both, zone=BERLIN, router_zone=BERLIN)
    assert fetch_all(conn, "SELECT router_id, data_points FROM device_usage_history", {}) == [(ALICE[1], 1)]
