"""Archives of single days: they fill the daily history of the days before monitoring, and say so."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from db_operations.database import Database
from server import Runtime
from services.routers.credentials import Credentials
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.archived_homes import DAYS, archived, collect, lived_home
from tests.homes import LAPTOP, PHONE, START, TV, ask, daily, protocols_by_day

DAY = timedelta(days=1)


def test_archives_of_single_days_fill_the_daily_history_and_say_so(
    runtime: Runtime, join: Any, days: SimulatedRouter, database: Database
) -> None:
    context, _ = join(days)
    collect(runtime, context, times=5)
    expected = {(PHONE, day): (down, up) for day, _, down, up in DAYS}
    assert daily(database, context) == protocols_by_day(database, context) == expected
    assert len(archived(database)) == len(expected)
    what = "start_at, end_at, quality, device_mac, message"
    events = ask(database, f"SELECT {what} FROM events WHERE type = 'backfilled' ORDER BY start_at")
    midnight = datetime(2031, 10, 31, 23, 0, tzinfo=UTC)
    assert [event[:2] for event in events] == [(midnight + n * DAY, midnight + (n + 1) * DAY) for n in range(10)]
    assert {event[2:4] for event in events} == {("estimated", None)}
    assert "archive of 2031-11-01" in events[0][4]


def test_usage_measured_since_is_not_touched(
    runtime: Runtime, join: Any, days: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    context, _ = join(days)
    collect(runtime, context)
    days.traffic(LAPTOP, rx=70, tx=7)
    collect(runtime, context, times=5)
    usage = daily(database, context)
    assert protocols_by_day(database, context) == usage
    assert usage.pop((LAPTOP, START.date())) == (70, 7)
    assert usage == {(PHONE, day): (down, up) for day, _, down, up in DAYS}


def test_days_in_america_are_shown_where_they_lie(
    runtime: Runtime, join: Any, clock: ManualClock, database: Database
) -> None:
    """Noon UTC is 7 in the morning there; the router's period of that time is called by the evening before."""
    router = lived_home(clock, DAYS, zone="America/New_York", database_interval="2031-10-01/1", database_generations=0)
    context, _ = join(router)
    collect(runtime, context, times=5)
    assert daily(database, context) == {(PHONE, day): (down, up) for day, _, down, up in DAYS}
    assert {start for start, _ in archived(database)} == {str(day - DAY) for day, *_ in DAYS}


def test_a_router_that_becomes_another_has_no_measured_day_overwritten(
    runtime: Runtime, join: Any, days: SimulatedRouter, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    """The new one has archives of days on which the old one was watched."""
    context, _ = join(days)
    collect(runtime, context, times=5)
    days.traffic(LAPTOP, rx=70, tx=7)
    collect(runtime, context)
    measured = daily(database, context)
    other = lived_home(
        clock,
        [(date(2031, 11, day), TV, 9, 9) for day in range(8, 14)],
        database_interval="2031-10-01/1",
        until=START + 3 * DAY,
    )
    hosted = ssh.add(other)
    address = {"host": hosted.host, "port": hosted.port}
    runtime.routers.update(context, address, credentials=Credentials(password=hosted.password))
    collect(runtime, context, times=4)
    assert {key: both for key, both in daily(database, context).items() if key[0] != TV} == measured
    assert [day for mac, day in daily(database, context) if mac == TV] == []
