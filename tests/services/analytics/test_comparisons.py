"""What is stored of two periods, held against each other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from db_operations import events_db, protocols_db, rollups_db
from db_operations.database import Database
from db_operations.events_db import EventRecord
from db_operations.protocols_db import ProtocolRow
from db_operations.rollups_db import RollupRow
from db_operations.statements import execute
from server import Runtime
from services.accounting.notes import Quality
from services.analytics.change_parts import PART_OF_DAY, UNKNOWN_PROTOCOL
from services.analytics.period_comparison import Extent, PeriodUsage
from services.asked_periods import ComparedPeriod, parse_period
from services.comparisons import ComparedUsage
from services.context import RouterContext
from simulator.clock import ManualClock
from tests.homes import BOB, LAPTOP, PHONE, TV
from tests.services.analytics.watched import BERLIN, DAY, NOW, Use, cover
from utils.errors import RouterNotFound, ValidationFailed
from utils.mac import ZERO_MAC

Compare = Callable[..., ComparedUsage]
Told = Callable[[str, datetime, str, int], None]

#: A Tuesday and the one before, 13:00 in Berlin.
TUESDAY, TUESDAY_BEFORE = (datetime(2031, 11, day, 12, tzinfo=UTC) for day in (11, 4))


@pytest.fixture
def compare(runtime: Runtime, home: RouterContext) -> Compare:
    """compare(first, second): by their names."""

    def of(first: str, second: str, context: RouterContext = home) -> ComparedUsage:
        return runtime.services.comparisons.compare(context, parse_period(first), parse_period(second))

    return of


@pytest.fixture
def tell(database: Database, context: RouterContext, use: Use) -> Told:
    """tell(mac, hour, protocol, down): usage whose protocol is known."""

    def store(mac: str, at: datetime, protocol: str, down: int) -> None:
        use(mac, at, down, 0)
        with database.transaction() as conn:
            row = ProtocolRow(mac, BERLIN.day_of(at), protocol, down, 0, 0, 0)
            protocols_db.add_to_protocols(conn, context.session_id, context.router_id, [row])

    return store


def protocols(usage: PeriodUsage, mac: str = PHONE) -> dict[str | None, int]:
    return {name: down for name, (down, _) in usage.protocols_of(mac).items()}


def test_this_week_is_held_against_the_last_up_to_the_same_point(compare: Compare, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 12, 14, tzinfo=UTC), 900)  # the running hour: all there is of it
    use(PHONE, datetime(2031, 11, 5, 14, tzinfo=UTC), 1_001)  # half of it was over by then
    use(PHONE, datetime(2031, 11, 5, 15, tzinfo=UTC), 50_000)  # later
    use(PHONE, datetime(2031, 11, 2, 23, tzinfo=UTC), 7)  # Monday's first hour in Berlin
    use(PHONE, datetime(2031, 11, 2, 22, tzinfo=UTC), 50_000)  # the Sunday before
    compared = compare("last-week", "this-week")

    assert (compared.before.start, compared.before.end) == (
        datetime(2031, 11, 2, 23, tzinfo=UTC),
        datetime(2031, 11, 5, 14, 30, tzinfo=UTC),
    )
    assert (compared.after.start, compared.after.end) == (datetime(2031, 11, 9, 23, tzinfo=UTC), NOW)
    assert (compared.before.extent, compared.after.extent) == (Extent.SAME_POINT, Extent.RUNNING)
    assert compared.comparison.total.before == (507, 0)
    assert compared.comparison.total.after == (900, 0)
    assert (compared.before.coverage, compared.after.coverage) == (1, 1)
    assert compared.names == {PHONE: "phone"}
    assert compared.warnings == []
    assert compared.message == (
        "393 B more than in the week before, up to the same point of time (+77.5 %): phone +393 B."
    )


def test_a_month_keeps_its_local_time_over_the_clock_change(runtime: Runtime, home: RouterContext) -> None:
    before = runtime.services.comparisons.compare(home, *ComparedPeriod.MONTH.with_the_one_before()).before
    assert before.start == datetime(2031, 9, 30, 22, tzinfo=UTC)
    assert before.end == datetime(2031, 10, 12, 13, 30, tzinfo=UTC)


def test_ranges_of_days_are_whole(compare: Compare, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 1, 22, tzinfo=UTC), 10)
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    compared = compare("2031-11-01..2031-11-02", "2031-11-03..2031-11-04")
    assert (compared.comparison.total.absolute, compared.comparison.total.percent) == (20, 200.0)
    assert (compared.before.extent, compared.after.extent) == (Extent.WHOLE, Extent.WHOLE)


def test_a_day_that_begins_within_an_hour_has_its_own_part_of_it(
    compare: Compare, runtime: Runtime, home: RouterContext, database: Database
) -> None:
    """In India days begin at 18:30 UTC; it is 20:00 there now."""
    runtime.routers.update(home, {"timezone": "Asia/Kolkata"})
    slots = [
        (datetime(2031, 11, 10, 18, 0, tzinfo=UTC), 50_000),  # the last half hour of the 10th
        (datetime(2031, 11, 10, 18, 30, tzinfo=UTC), 3),
        (datetime(2031, 11, 11, 14, 0, tzinfo=UTC), 9),  # half of it was over by then
        (datetime(2031, 11, 11, 15, 0, tzinfo=UTC), 50_000),
    ]
    with database.transaction() as conn:
        for at, amount in slots:
            rollups_db.add_to_hourly(conn, home.session_id, home.router_id, [RollupRow(PHONE, at, amount, 0)])
    compared = compare("yesterday", "today")
    assert compared.before.start == datetime(2031, 11, 10, 18, 30, tzinfo=UTC)
    assert compared.before.end == NOW - DAY
    assert compared.comparison.total.before == (7, 0)


def test_a_period_nobody_observed_is_not_zero(compare: Compare, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    compared = compare("2030-11-03..2030-11-04", "2031-11-03..2031-11-04")
    assert (compared.before.totals, compared.before.coverage) == (None, 0)
    assert compared.comparison.total.absolute is None
    assert [warning.code for warning in compared.warnings] == ["NOT_OBSERVED"]
    assert compare("2031-10-03..2031-10-04", "2031-11-03..2031-11-04").comparison.total.absolute == 30


def test_the_hour_of_midnight_has_nothing_to_compare_yet(compare: Compare, clock: ManualClock) -> None:
    clock.set(datetime(2031, 11, 9, 23, 0, tzinfo=UTC))
    compared = compare("last-week", "this-week")
    assert (compared.before.totals, compared.after.totals) == (None, None)


def test_a_period_that_has_not_begun_is_refused(compare: Compare) -> None:
    with pytest.raises(ValidationFailed):
        compare("today", "2031-11-13")


def test_a_router_is_only_its_owners(compare: Compare, home: RouterContext, bob: str) -> None:
    with pytest.raises(RouterNotFound):
        compare("2031-11-01", "2031-11-02", RouterContext(BOB, home.router_id))


# --- protocols -------------------------------------------------------------------------------------------


def test_whole_days_are_told_by_protocol_and_those_from_before_it_was_kept_are_unknown(
    compare: Compare, tell: Told, use: Use
) -> None:
    use(PHONE, TUESDAY_BEFORE, 1_000, 0)
    tell(PHONE, TUESDAY_BEFORE, "HTTPS", 10)
    tell(PHONE, TUESDAY, "HTTPS", 500)
    tell(PHONE, TUESDAY, "QUIC", 40)
    compared = compare("2031-11-04", "2031-11-11")

    assert protocols(compared.before) == {"HTTPS": 10, UNKNOWN_PROTOCOL: 1_000}
    assert protocols(compared.after) == {"HTTPS": 500, "QUIC": 40}
    assert {name: one.absolute for name, one in compared.comparison.protocols.items()} == {
        UNKNOWN_PROTOCOL: -1_000,
        "HTTPS": 490,
        "QUIC": 40,
    }
    assert compared.comparison.gone_protocols == ()
    assert compared.comparison.new_protocols is None  # it may have been among the unknown


def test_of_a_day_that_is_cut_both_tell_no_protocols(compare: Compare, tell: Told) -> None:
    for at, amount in ((TUESDAY_BEFORE, 100), (TUESDAY_BEFORE + DAY, 30), (TUESDAY, 160), (TUESDAY + DAY, 50)):
        tell(PHONE, at, "HTTPS", amount)
    tell(PHONE, TUESDAY_BEFORE + DAY + timedelta(hours=8), "HTTPS", 5_000)  # that evening
    compared = compare("last-week", "this-week")

    assert protocols(compared.before) == {"HTTPS": 100, PART_OF_DAY: 30}
    assert protocols(compared.after) == {"HTTPS": 160, PART_OF_DAY: 50}
    assert compared.before.protocols_end == BERLIN.midnight((TUESDAY_BEFORE + DAY).date())
    assert compared.after.protocols_end == BERLIN.midnight((TUESDAY + DAY).date())
    assert compared.comparison.total.absolute == 80


def test_today_is_told_by_protocol_where_the_other_is_not_cut(compare: Compare, tell: Told) -> None:
    tell(PHONE, TUESDAY + DAY, "HTTPS", 50)
    compared = compare("2031-11-01..2031-11-02", "2031-11-10..2031-11-14")
    assert protocols(compared.after) == {"HTTPS": 50}
    assert compared.after.protocols_end == NOW
    assert [warning.code for warning in compared.warnings] == ["STILL_RUNNING"]


# --- devices ---------------------------------------------------------------------------------------------


def test_merged_devices_are_one_and_those_out_of_monitoring_are_in_nothing(
    compare: Compare, tell: Told, runtime: Runtime, home: RouterContext
) -> None:
    for mac, amount in ((PHONE, 1), (LAPTOP, 20), (TV, 300)):
        tell(mac, TUESDAY_BEFORE, "HTTPS", amount)
        tell(mac, TUESDAY, "HTTPS", 10 * amount)
    runtime.services.merged_devices.merge(home, LAPTOP, PHONE)
    runtime.services.devices.remove(home, TV, purge=False)
    compared = compare("2031-11-04", "2031-11-11")

    assert {mac: (one.before, one.after) for mac, one in compared.comparison.devices.items()} == {
        PHONE: ((21, 0), (210, 0))
    }
    assert protocols(compared.after) == {"HTTPS": 210}
    assert compared.comparison.total.absolute == 189
    assert compared.comparison.new_devices == compared.comparison.gone_devices == ()


def test_the_router_and_unresolved_hosts_count_but_do_not_come_and_go(
    compare: Compare, use: Use, database: Database
) -> None:
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_router = true WHERE device_mac = %(mac)s", {"mac": TV})
    for mac in (TV, ZERO_MAC):
        use(mac, TUESDAY, 100, 0)
    compared = compare("2031-11-04", "2031-11-11")
    assert compared.comparison.total.absolute == 200
    assert compared.comparison.new_devices == compared.comparison.returned_devices == ()
    assert compared.router_macs == {TV}


def test_a_device_is_new_by_its_first_reading(compare: Compare, use: Use, database: Database) -> None:
    for mac in (PHONE, LAPTOP):
        use(mac, TUESDAY, 100, 0)
    with database.transaction() as conn:
        execute(
            conn, "UPDATE devices SET first_seen = %(at)s WHERE device_mac = %(mac)s", {"at": TUESDAY, "mac": PHONE}
        )
    comparison = compare("2031-11-04", "2031-11-11").comparison
    assert (comparison.new_devices, comparison.returned_devices) == ((PHONE,), (LAPTOP,))


# --- how far it is to be trusted -------------------------------------------------------------------------


def test_each_period_has_its_quality(compare: Compare, use: Use, database: Database, home: RouterContext) -> None:
    use(PHONE, TUESDAY, 100, 0)
    event = EventRecord(
        start_at=TUESDAY,
        end_at=TUESDAY + timedelta(hours=1),
        type="gap",
        message="",
        quality=Quality.UNKNOWN,
    )
    with database.transaction() as conn:
        events_db.insert_event(conn, home.session_id, home.router_id, event)
    compared = compare("2031-11-04", "2031-11-11")
    assert (compared.before.trust.quality, compared.after.trust.quality) == (Quality.MEASURED, Quality.UNKNOWN)
    assert compared.after.trust.reasons == ("gap",)


def test_the_minutes_since_the_last_reading_are_no_gap(
    compare: Compare, clock: ManualClock, database: Database, home: RouterContext
) -> None:
    midnight = BERLIN.midnight(NOW.date() + DAY)
    cover(database, home, NOW, midnight + timedelta(minutes=3))
    clock.set(midnight + timedelta(minutes=10))
    compared = compare("yesterday", "today")
    assert compared.after.coverage == pytest.approx(0.3)
    assert compared.warnings == []
    clock.set(midnight + timedelta(minutes=20))
    assert [warning.code for warning in compare("yesterday", "today").warnings] == ["PARTLY_OBSERVED"]
