"""Which archives are read, when, and what they become."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from db_operations import devices_db
from db_operations.database import Database
from server import Runtime
from simulator.clock import ManualClock
from simulator.home import typical_home
from simulator.router import SimulatedRouter
from simulator.rows import row_key
from tests.archived_homes import DAYS, MONTHS, OF_MONTHS, archived, asked_for, collect, lived_home, noon, states
from tests.homes import ALICE, LAPTOP, PHONE, START, TV, ask, daily
from utils.mac import ZERO_MAC

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def test_archives_are_read_newest_first_a_few_after_each_reading_and_then_no_more(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    names = asked_for(months)
    context, hosted = join(months)
    collect(runtime, context)
    assert names == ["2031-10-01", "2031-09-01", "2031-08-01", "2031-07-01"]
    assert list(states(database).values()).count("pending") == 6
    collect(runtime, context, times=2)
    assert archived(database) == OF_MONTHS
    assert set(states(database).values()) == {"complete", "missing"}
    assert "2031-11-01" not in states(database), "the running period is the last reading's"
    asked, names[:] = hosted.stats.commands, []
    collect(runtime, context, times=3)
    assert (hosted.stats.commands, names) == (asked + 3, [])


def test_a_first_reading_is_kept_beside_the_archives_as_what_it_is(
    runtime: Runtime, join: Any, months: SimulatedRouter, database: Database
) -> None:
    context, _ = join(months)
    collect(runtime, context, times=3)
    assert ask(
        database, "SELECT total_download, total_upload FROM device_usage_history WHERE start_date = '2031-11-01'"
    ) == [(11_000, 11)]
    assert daily(database, context) == {}
    assert ask(database, "SELECT count(*) FROM events WHERE type = 'backfilled'") == [(0,)]


def test_the_routers_list_is_not_needed(runtime: Runtime, join: Any, clock: ManualClock, database: Database) -> None:
    """It is empty from a rollover until the next commit."""
    router = lived_home(clock, MONTHS[:-1], until=datetime(2031, 10, 31, 23, 5, tzinfo=UTC))  # five past midnight
    assert router.run("nlbw -c list").stdout == b""
    context, _ = join(router)
    collect(runtime, context, times=3)
    assert archived(database) == OF_MONTHS


def test_in_the_first_minutes_of_a_period_its_predecessors_archive_may_not_be_there_yet(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    router = lived_home(clock, MONTHS[:-1], until=datetime(2031, 10, 31, 23, 0, 20, tzinfo=UTC))
    names = asked_for(router)
    context, _ = join(router)
    collect(runtime, context)
    assert (names, states(database)["2031-10-01"]) == ([], "pending")
    clock.advance(5 * MINUTE)
    collect(runtime, context)
    assert states(database)["2031-10-01"] == "complete"


def test_periods_with_a_day_their_month_lacks_are_found_by_their_names(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    context, _ = join(lived_home(clock, MONTHS, database_interval="31"))
    collect(runtime, context, times=3)
    assert archived(database) == {
        ("2031-05-01", PHONE): (5_000, 5),  # the router calls it 2031-04-31
        ("2031-05-31", PHONE): (6_000, 6),
        ("2031-07-01", PHONE): (7_000, 7),  # 2031-06-31
        ("2031-07-31", PHONE): (8_000, 8),
        ("2031-08-31", PHONE): (9_000, 9),
        ("2031-10-01", PHONE): (10_000, 10),  # 2031-09-31
    }


def test_a_router_without_uci_is_asked_for_what_it_lists(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    router = lived_home(clock, DAYS, database_interval="2031-10-01/1", database_generations=6)
    router.missing = {"uci"}
    router.commit()
    context, _ = join(router, timezone="Europe/Berlin")
    collect(runtime, context, times=5)
    assert {start for start, _ in archived(database)} == {f"2031-11-{day:02d}" for day in range(6, 11)}


def test_archives_are_the_ledgers_months_in_a_lifelike_home(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    """The demo's home, 70 days on."""
    began = START - 70 * DAY
    clock.set(began)
    router = typical_home(start=began, clock=clock)
    clock.set(START)
    context, _ = join(router)
    collect(runtime, context, times=3)
    cuts = [began, datetime(2031, 9, 30, 22, 0, tzinfo=UTC), datetime(2031, 10, 31, 23, 0, tzinfo=UTC)]
    expected = {}
    for name, start, end in (("2031-09-01", cuts[0], cuts[1]), ("2031-10-01", cuts[1], cuts[2])):
        of_month = router.ledger.between(start, end)
        expected |= {(name, mac): (used.rx, used.tx) for mac, used in of_month.items() if used.rx or used.tx}
    found = archived(database)
    assert {key: both for key, both in found.items() if sum(both)} == expected
    assert (ZERO_MAC in {mac for _, mac in found}) == (ZERO_MAC in {mac for _, mac in expected})


def test_devices_known_from_archives_alone_are_listed(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    past = [(date(2031, 9, 3), TV, 5, 5), (date(2031, 10, 3), ZERO_MAC, 7, 7), *MONTHS[-1:]]
    router = lived_home(clock, past)
    router.hosts.pop(TV)
    context, _ = join(router)
    collect(runtime, context)
    with database.transaction() as conn:
        devices = {device.mac: device for device in devices_db.list_devices(conn, ALICE, context.router_id)}
    assert set(devices) == {TV, PHONE}, "hosts without a MAC are no device"
    first_midnight = datetime(2031, 8, 31, 22, 0, tzinfo=UTC)
    assert (devices[TV].is_active, devices[TV].first_seen, devices[TV].last_seen) == (False, first_midnight, None)
    assert devices[PHONE].first_seen > START, "what a reading told stays"
    assert archived(database)["2031-10-01", ZERO_MAC] == (7, 7)


def test_devices_out_of_monitoring_are_left_out(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    context, _ = join(lived_home(clock, [(date(2031, 10, 3), TV, 5, 5), *MONTHS[-2:]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime.collector, "_after_reading", lambda *_: None)
        runtime.collector.collect(context)
    ask(database, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s RETURNING 1", mac=TV)
    collect(runtime, context)
    assert archived(database) == {("2031-10-01", PHONE): (10_000, 10)}


def test_a_total_no_link_can_carry_spoils_no_other(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    clock.set(noon(date(2031, 10, 3)))
    router = lived_home(clock, [(date(2031, 10, 3), PHONE, 5, 5)], until=noon(date(2031, 10, 4)))
    router.load({row_key("TCP", 443, LAPTOP, "192.168.1.9"): (1, 2**64 - 1, 1, 2**64 - 1, 1)})
    clock.set(START)
    context, _ = join(router)
    collect(runtime, context)
    assert archived(database) == {("2031-10-01", PHONE): (5, 5)}
    assert states(database)["2031-10-01"] == "complete"
