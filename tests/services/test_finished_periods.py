"""Periods that end while a router is watched: their final totals are kept with the reading that finds them over."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from db_operations import periods_db
from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.archived_homes import states
from tests.homes import LAPTOP, PHONE, TV, Api, Totals, ask, daily, dump, per_device, register

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

#: Five minutes before December begins in Berlin.
EVE = datetime(2031, 11, 30, 22, 55, tzinfo=UTC)

Read = Callable[..., None]


def counted(database: Database) -> Totals:
    """(start, mac) -> bytes of every stored period."""
    rows = ask(
        database,
        "SELECT start_date::text, device_mac, total_download, total_upload FROM device_usage_history "
        "WHERE span = 'period' AND total_usage = total_download + total_upload",
    )
    return {(start, mac): (down, up) for start, mac, down, up in rows}


def over(database: Database) -> dict[str, str]:
    """States of the periods that ended since the first reading."""
    return {start: state for start, state in states(database).items() if start >= "2031-11-01"}


def test_the_archive_of_a_period_takes_the_place_of_what_its_first_reading_saw(
    router: SimulatedRouter, read: Read, clock: ManualClock, database: Database
) -> None:
    router.traffic(PHONE, rx=1_000, tx=100)
    read()
    assert counted(database) == {("2031-11-01", PHONE): (1_000, 100)}
    router.traffic(PHONE, rx=500, tx=50)
    router.traffic(LAPTOP, rx=7, tx=7)
    read()
    clock.set(EVE)
    router.traffic(TV, rx=9, tx=9)  # between the last reading and midnight
    assert over(database) == {}
    read(10 * MINUTE)
    november = {("2031-11-01", PHONE): (1_500, 150), ("2031-11-01", LAPTOP): (7, 7), ("2031-11-01", TV): (9, 9)}
    assert (counted(database), over(database)) == (november, {"2031-11-01": "complete"})
    router.traffic(PHONE, rx=1, tx=1)
    read()
    assert (counted(database), over(database)) == (november, {"2031-11-01": "complete"})


def test_a_device_that_is_in_the_archive_alone_is_a_device_like_any_other(
    router: SimulatedRouter, read: Read, context: RouterContext, clock: ManualClock, database: Database, api: Api
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.traffic(PHONE, rx=1_000, tx=100)
    read()
    clock.set(EVE)
    router.traffic(TV, rx=70_000, tx=3)
    router.traffic("00:00:00:00:00:00", rx=5)
    clock.advance(DAY)
    router.hosts.pop(TV, None)
    read()
    assert per_device(daily(database, context))[TV] == (70_000, 3)
    assert ask(database, "SELECT device_mac, is_active FROM devices ORDER BY 1") == [(TV, False), (PHONE, True)]
    assert api.data(f"/api/device-usage/device/{TV}/info")["isActive"] is False
    api.data(f"/api/device-usage/device/{TV}?purge=true", "DELETE")


def test_without_an_archive_what_the_last_reading_saw_is_kept(
    router: SimulatedRouter, read: Read, clock: ManualClock, database: Database
) -> None:
    router.traffic(PHONE, rx=1_000, tx=100)
    read()
    router.traffic(PHONE, rx=500, tx=50)
    read()
    clock.set(EVE)
    router.traffic(TV, rx=9, tx=9)
    clock.advance(10 * MINUTE)
    router.advance()
    router.daemon.files.clear()
    read()
    assert counted(database) == {("2031-11-01", PHONE): (1_500, 150)}
    assert over(database) == {"2031-11-01": "partial"}


def test_whole_periods_in_between_are_kept_too(
    router: SimulatedRouter, read: Read, clock: ManualClock, database: Database
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    read()
    for month, year in ((12, 2031), (1, 2032), (2, 2032)):
        clock.set(datetime(year, month, 10, tzinfo=UTC))
        router.traffic(PHONE, rx=month * 100, tx=month)
    router.advance()
    del router.daemon.files["2032-01-01"]
    clock.set(datetime(2032, 3, 3, tzinfo=UTC))
    read()
    assert counted(database) == {
        ("2031-11-01", PHONE): (1, 1),
        ("2031-12-01", PHONE): (1_200, 12),
        ("2032-02-01", PHONE): (200, 2),
    }
    assert over(database) == {
        "2031-11-01": "complete",
        "2031-12-01": "complete",
        "2032-01-01": "missing",
        "2032-02-01": "complete",
    }
    ends = ask(database, "SELECT end_date::text FROM accounting_periods WHERE start_date >= '2031-11-01' ORDER BY 1")
    assert [end for (end,) in ends] == ["2031-11-30", "2031-12-31", "2032-01-31", "2032-02-29"]


def test_days_that_end_are_periods_that_touch_no_measured_day(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = empty_router(clock, database_interval="2031-11-01/1")
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    for _ in range(3 * 24):
        router.traffic(PHONE, rx=10, tx=1)
        clock.advance(60 * MINUTE)
        runtime.collector.collect(context)
    ended = {start: state for start, state in states(database).items() if start >= "2031-11-11"}
    assert ended == {"2031-11-11": "complete", "2031-11-12": "complete", "2031-11-13": "complete"}
    # Cut at 01:00 local time: the first period has 15 hours of traffic, the others 24.
    assert {start: both for (start, _), both in counted(database).items()} == {
        "2031-11-11": (150, 15),
        "2031-11-12": (240, 24),
        "2031-11-13": (240, 24),
    }
    assert sum(down for down, _ in daily(database, context).values()) == 720


@pytest.mark.parametrize("name", ["upsert_period_totals", "upsert_period"])
def test_what_can_not_be_stored_is_stored_with_the_next_reading(
    router: SimulatedRouter, read: Read, clock: ManualClock, database: Database, name: str
) -> None:
    router.traffic(PHONE, rx=1_000, tx=100)
    read()
    clock.set(EVE)
    router.traffic(PHONE, rx=500, tx=50)
    stored = {table: rows for table, rows in dump(database).items() if table != "routers"}
    whole = getattr(periods_db, name)

    def fails(*args: object, **options: object) -> None:
        whole(*args, **options)
        raise OSError("injected")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(periods_db, name, fails)
        with pytest.raises(OSError, match="injected"):
            read(10 * MINUTE)
    assert {table: rows for table, rows in dump(database).items() if table != "routers"} == stored
    read()
    assert counted(database) == {("2031-11-01", PHONE): (1_500, 150)}
    assert over(database) == {"2031-11-01": "complete"}


def test_a_clock_that_was_wrong_at_the_first_reading_hides_no_archive(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database, context: RouterContext
) -> None:
    """After a boot a router believes that it is 1970; its archives have their names from before."""
    router = empty_router(clock)
    router.set_router_time(datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
    other = register(runtime, ssh.add(router))
    runtime.collector.collect(other)
    pending = ask(
        database,
        "SELECT max(start_date)::text, min(start_date)::text FROM accounting_periods WHERE router_id = %(router)s",
        router=other.router_id,
    )
    assert pending == [("2031-10-01", "2031-01-01")]
