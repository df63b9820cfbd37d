"""Accounting periods and their totals on a real PostgreSQL."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from db_operations import devices_db, events_db, periods_db, readings_db, rollups_db, routers_db
from db_operations.database import Database
from db_operations.device_usage_db import cleanup_old_data
from db_operations.events_db import EventRecord
from db_operations.periods_db import NamedPeriod, PeriodState
from db_operations.rollups_db import RollupRow
from db_operations.statements import Connection, execute, fetch_all
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, OTHER_MAC, add_router, reading_at

MAX = 2**63 - 1
OCTOBER = NamedPeriod(date(2031, 10, 1), date(2031, 10, 31), "2031-10-01")
SEPTEMBER = NamedPeriod(date(2031, 9, 1), date(2031, 9, 30), "2031-08-31")
AUGUST = NamedPeriod(date(2031, 8, 1), date(2031, 8, 31), "2031-08-01")
NOVEMBER = NamedPeriod(date(2031, 11, 1), date(2031, 11, 30), "2031-11-01")


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        yield conn


def totals(conn: Connection, span: str = "period") -> list[tuple[object, ...]]:
    return fetch_all(
        conn,
        """
        SELECT start_date, end_date, device_mac, total_download, total_upload, total_usage FROM device_usage_history
        WHERE span = %(span)s ORDER BY start_date, device_mac
        """,
        {"span": span},
    )


def put(conn: Connection, period: NamedPeriod, counted: dict[str, tuple[int, int]], *, is_final: bool = True) -> None:
    periods_db.upsert_period_totals(conn, *ALICE, period, counted, is_final=is_final)


# --- which there are -------------------------------------------------------------------------------------


def test_pending_periods_come_back_newest_first_and_are_put_down_once(conn: Connection) -> None:
    periods_db.insert_pending_periods(conn, *ALICE, [AUGUST, OCTOBER, SEPTEMBER])
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER._replace(name="other")])
    periods_db.insert_pending_periods(conn, *ALICE, [])
    assert periods_db.list_pending_periods(conn, *ALICE) == [OCTOBER, SEPTEMBER, AUGUST]
    assert periods_db.list_pending_periods(conn, *BOB) == []


def test_a_period_is_completed_once_and_not_forgotten(conn: Connection) -> None:
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER, SEPTEMBER])
    assert not periods_db.complete_pending_period(conn, *BOB, start=OCTOBER.start)
    assert periods_db.complete_pending_period(conn, *ALICE, start=OCTOBER.start)
    assert not periods_db.complete_pending_period(conn, *ALICE, start=OCTOBER.start)
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER])
    assert periods_db.list_period_states(conn, *ALICE) == [
        (OCTOBER.start, PeriodState.COMPLETE),
        (SEPTEMBER.start, PeriodState.PENDING),
    ]


def test_what_is_given_up_is_missing_unless_something_is_known_of_it(conn: Connection) -> None:
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER, SEPTEMBER, AUGUST])
    put(conn, SEPTEMBER, {MAC: (1, 2)})
    periods_db.give_up_pending_periods(conn, *BOB, [AUGUST.start])
    periods_db.give_up_pending_periods(conn, *ALICE, [OCTOBER.start, SEPTEMBER.start])
    periods_db.give_up_pending_periods(conn, *ALICE, [])
    assert periods_db.list_period_states(conn, *ALICE) == [
        (OCTOBER.start, PeriodState.MISSING),
        (SEPTEMBER.start, PeriodState.PARTIAL),
        (AUGUST.start, PeriodState.PENDING),
    ]


def test_what_is_complete_stays_so(conn: Connection) -> None:
    for state in (PeriodState.MISSING, PeriodState.PARTIAL, PeriodState.COMPLETE, PeriodState.PARTIAL):
        periods_db.upsert_period(conn, *ALICE, OCTOBER, state=state)
    assert periods_db.list_period_states(conn, *ALICE) == [(OCTOBER.start, PeriodState.COMPLETE)]


def test_a_router_that_is_gone_can_not_be_held(conn: Connection) -> None:
    assert periods_db.hold_router(conn, *ALICE)
    assert not periods_db.hold_router(conn, ALICE[0], BOB[1])


def test_a_deleted_router_takes_its_periods_and_events_with_it(conn: Connection) -> None:
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER])
    events_db.insert_event(conn, *ALICE, EventRecord(type="backfilled", start_at=AT, end_at=AT, message="x"))
    assert routers_db.delete_router(conn, *ALICE)
    assert periods_db.list_period_states(conn, *ALICE) == []
    assert fetch_all(conn, "SELECT 1 FROM events", {}) == []


# --- their totals ----------------------------------------------------------------------------------------


def test_final_totals_take_the_place_of_earlier_ones_and_evicted_devices_stay(conn: Connection) -> None:
    put(conn, OCTOBER, {MAC: (100, 10), OTHER_MAC: (5, 5)})
    put(conn, OCTOBER, {MAC: (90, 9)})
    put(conn, OCTOBER, {})
    assert totals(conn) == [
        (OCTOBER.start, OCTOBER.end, OTHER_MAC, 5, 5, 10),
        (OCTOBER.start, OCTOBER.end, MAC, 90, 9, 99),
    ]


def test_totals_that_are_not_final_only_raise_what_is_stored(conn: Connection) -> None:
    put(conn, OCTOBER, {MAC: (100, 10)})
    put(conn, OCTOBER, {MAC: (104, 2), OTHER_MAC: (1, 1)}, is_final=False)
    put(conn, OCTOBER, {OTHER_MAC: (0, 3)}, is_final=False)
    assert [row[2:5] for row in totals(conn)] == [(OTHER_MAC, 0, 3), (MAC, 100, 10)]


def test_the_largest_totals_are_exact_and_larger_ones_left_out(conn: Connection) -> None:
    put(conn, OCTOBER, {MAC: (MAX, 0), OTHER_MAC: (MAX, 1), "02:00:00:00:00:01": (2**64 - 1, 0)})
    assert totals(conn) == [(OCTOBER.start, OCTOBER.end, MAC, MAX, 0, MAX)]


def test_a_device_out_of_monitoring_gets_no_totals(conn: Connection) -> None:
    devices_db.insert_devices_unless_there(conn, *ALICE, [MAC, OTHER_MAC], first_seen=AT)
    execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": MAC})
    put(conn, OCTOBER, {MAC: (1, 1), OTHER_MAC: (2, 2)})
    assert [row[2] for row in totals(conn)] == [OTHER_MAC]


def test_devices_of_an_archive_are_added_and_known_ones_left_alone(conn: Connection) -> None:
    devices_db.insert_devices_unless_there(conn, *ALICE, [MAC], first_seen=AT)
    devices_db.insert_devices_unless_there(conn, *ALICE, [MAC, OTHER_MAC], first_seen=AT - timedelta(days=50))
    devices = {device.mac: device for device in devices_db.list_devices(conn, *ALICE)}
    assert (devices[MAC].first_seen, devices[OTHER_MAC].first_seen) == (AT, AT - timedelta(days=50))
    assert [(device.is_active, device.last_seen, device.display_name) for device in devices.values()] == [
        (False, None, OTHER_MAC),
        (False, None, MAC),
    ]


def test_a_day_is_filled_from_its_period_once_and_not_beyond_belief_or_with_idle_devices(conn: Connection) -> None:
    day = NamedPeriod(date(2031, 10, 5), date(2031, 10, 5), "2031-10-05")
    put(conn, day, {MAC: (7, 3), OTHER_MAC: (0, 0), "02:00:00:00:00:01": (10, 1)})
    assert periods_db.fill_day_from_period(conn, *BOB, start=day.start, day=day.start, most=10) == []
    assert periods_db.fill_day_from_period(conn, *ALICE, start=day.start, day=day.start, most=10) == [MAC]
    assert periods_db.fill_day_from_period(conn, *ALICE, start=day.start, day=day.start, most=10) == []
    assert totals(conn, "day") == [(day.start, day.start, MAC, 7, 3, 10)]


def test_a_day_with_measured_usage_is_not_filled(conn: Connection) -> None:
    day = NamedPeriod(date(2031, 10, 5), date(2031, 10, 5), "2031-10-05")
    rollups_db.add_to_daily(conn, *ALICE, [RollupRow(OTHER_MAC, day.start, 1, 1)])
    put(conn, day, {MAC: (7, 3)})
    assert periods_db.fill_day_from_period(conn, *ALICE, start=day.start, day=day.start, most=10) == []
    assert [row[2] for row in totals(conn, "day")] == [OTHER_MAC]


def test_the_first_reading_is_the_beginning_of_the_earliest_coverage(conn: Connection) -> None:
    assert periods_db.get_first_reading_at(conn, *ALICE) is None
    readings_db.upsert_last_reading(conn, *ALICE, reading_at(AT))
    assert periods_db.get_first_reading_at(conn, *ALICE) == AT
    before = AT - timedelta(days=9)
    readings_db.insert_coverage(conn, *ALICE, start=before, end=before)
    assert periods_db.get_first_reading_at(conn, *ALICE) == before
    assert periods_db.get_first_reading_at(conn, *BOB) is None


# --- serving them ----------------------------------------------------------------------------------------


def test_pages_hold_what_is_known_newest_first(conn: Connection) -> None:
    july = NamedPeriod(date(2031, 7, 1), date(2031, 7, 31), "2031-07-01")
    june = NamedPeriod(date(2031, 6, 1), date(2031, 6, 30), "2031-06-01")
    for period, state in (
        (OCTOBER, PeriodState.COMPLETE),
        (SEPTEMBER, PeriodState.PENDING),
        (AUGUST, PeriodState.MISSING),
        (july, PeriodState.PARTIAL),
    ):
        periods_db.upsert_period(conn, *ALICE, period, state=state)
    for period in (NOVEMBER, july, june):  # the running one, and one from before periods were kept
        put(conn, period, {MAC: (1, 2)})
    put(conn, july, {OTHER_MAC: (3, 4)})
    assert periods_db.count_periods(conn, *ALICE, running=NOVEMBER.start) == (3, 1)
    assert periods_db.count_periods(conn, *ALICE, running=None) == (4, 1)
    assert periods_db.count_periods(conn, *BOB, running=None) == (0, 0)
    rows = periods_db.list_period_totals(conn, *ALICE, running=NOVEMBER.start, limit=2, offset=0, top=2)
    assert rows == [
        (OCTOBER.start, OCTOBER.end, True, None, 0, 0, 0),
        (july.start, july.end, False, OTHER_MAC, 1, 3, 4),
        (july.start, july.end, False, MAC, 1, 1, 2),
    ]
    (rest,) = periods_db.list_period_totals(conn, *ALICE, running=NOVEMBER.start, limit=2, offset=2, top=2)
    assert rest == (june.start, june.end, False, MAC, 1, 1, 2)
    assert periods_db.list_period_totals(conn, *BOB, running=None, limit=9, offset=0, top=2) == []


def test_beyond_so_many_devices_the_others_are_one_row(conn: Connection) -> None:
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(1, 6)]
    first, second, third, hidden, merged = macs
    devices_db.insert_devices_unless_there(conn, *ALICE, macs, first_seen=AT)
    execute(
        conn,
        """
        UPDATE devices SET is_monitored = device_mac <> %(hidden)s,
                           merged_into = CASE WHEN device_mac = %(merged)s THEN %(second)s END
        WHERE router_id = %(router_id)s
        """,
        {"hidden": hidden, "merged": merged, "second": second, "router_id": ALICE[1]},
    )
    put(conn, SEPTEMBER, {first: (5, 0), second: (MAX - 1, 0), third: (1, 1), hidden: (9, 9), merged: (MAX - 1, 1)})
    put(conn, OCTOBER, {first: (7, 0)})

    def shown(top: int) -> list[tuple[object, ...]]:
        rows = periods_db.list_period_totals(conn, *ALICE, running=None, limit=9, offset=0, top=top)
        return [(row.start.month, *row[3:]) for row in rows]

    ten, most = (10, first, 1, 7, 0), (9, second, 1, 2 * MAX - 2, 1)
    assert shown(9) == [ten, most, (9, first, 1, 5, 0), (9, third, 1, 1, 1)] == shown(3)
    assert shown(2) == [ten, most, (9, first, 1, 5, 0), (9, None, 1, 1, 1)]
    assert shown(1) == [ten, most, (9, None, 2, 6, 1)]


def test_periods_go_with_their_totals_when_their_time_is_over(conn: Connection) -> None:
    periods_db.insert_pending_periods(conn, *ALICE, [OCTOBER, SEPTEMBER])
    put(conn, SEPTEMBER, {MAC: (1, 1)})
    cleanup_old_data(conn, raw_before=None, hourly_before=None, daily_before=None)
    assert len(periods_db.list_pending_periods(conn, *ALICE)) == 2
    cleanup_old_data(conn, raw_before=None, hourly_before=None, daily_before=OCTOBER.start)
    assert periods_db.list_pending_periods(conn, *ALICE) == [OCTOBER]
    assert totals(conn) == []
