"""Devices out of monitoring and back: what is counted, and what is hidden."""

from collections.abc import Callable
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import BOB, LAPTOP, PHONE, TV, ask, daily, dump, hourly, per_device, register
from tests.services.devices.monitored_home import MINUTE, live_in, shown
from utils.errors import DeviceNotFound, RouterNotFound


@pytest.fixture
def home(router: SimulatedRouter, read: Callable[..., None]) -> None:
    live_in(router, read)


# --- out and back ----------------------------------------------------------------------------------------


def test_a_removed_device_is_hidden_everywhere_and_its_usage_is_kept(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    kept = daily(database, context)
    device = runtime.services.devices.remove(context, PHONE, purge=False)
    assert (device.record.is_monitored, device.record.is_active) == (False, False)
    assert shown(runtime, context) == {LAPTOP: 1_000, TV: 1_000}
    page = runtime.services.devices.list_devices(
        context, active=None, search=None, sort="mac", page=1, page_size=9, monitored=True
    )
    assert ([one.record.mac for one in page.devices], page.total, page.active) == ([TV, LAPTOP], 2, 2)
    assert PHONE not in {one.mac for one in runtime.services.device_usage.get_current(context).devices}
    (period,) = runtime.services.periods.list_periods(context, page=1, page_size=9, top=100).periods
    assert PHONE not in {one.mac for one in period.devices}
    for ask_for in (runtime.services.device_usage.get_device_current, _history_of(runtime)):
        with pytest.raises(DeviceNotFound, match="out of monitoring"):
            ask_for(context, PHONE)
    assert daily(database, context) == kept


def _history_of(runtime: Runtime) -> Callable[[RouterContext, str], object]:
    return lambda context, mac: runtime.services.history.get_device_history(
        context, mac, start_date=None, end_date=None, granularity=Granularity.DAY
    )


def test_while_a_device_is_out_nothing_of_it_is_stored(
    runtime: Runtime, context: RouterContext, home: None, database: Database, router: SimulatedRouter, read: Any
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    before = ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE)
    row = ask(database, "SELECT d::text FROM devices AS d WHERE device_mac = %(mac)s", mac=PHONE)
    router.add_host(PHONE, "192.168.1.99", "renamed", state="REACHABLE")
    router.traffic(PHONE, rx=7_000)
    router.traffic(LAPTOP, rx=1)
    read()
    assert ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE) == before
    assert ask(database, "SELECT d::text FROM devices AS d WHERE device_mac = %(mac)s", mac=PHONE) == row
    assert per_device(hourly(database, context)) == {PHONE: (1_000, 0), LAPTOP: (1_001, 0), TV: (1_000, 0)}


def test_one_that_is_back_counts_from_then_on_and_not_what_ran_in_between(
    runtime: Runtime,
    context: RouterContext,
    home: None,
    database: Database,
    router: SimulatedRouter,
    read: Any,
    clock: ManualClock,
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    router.traffic(PHONE, rx=50_000)
    read()
    router.traffic(PHONE, rx=60_000)  # after the last reading, before it is back
    clock.advance(MINUTE)
    back = runtime.services.devices.update(context, PHONE, {}, is_monitored=True)
    assert (back.record.is_monitored, back.record.is_active) == (True, True), "it was read at once"
    router.traffic(PHONE, rx=300)
    read()
    assert shown(runtime, context)[PHONE] == 1_300
    assert per_device(hourly(database, context))[PHONE] == per_device(daily(database, context))[PHONE] == (1_300, 0)


def test_one_that_is_back_while_the_router_is_away_counts_from_the_next_reading_on(
    runtime: Runtime,
    context: RouterContext,
    home: None,
    database: Database,
    router: SimulatedRouter,
    hosted: HostedRouter,
    read: Any,
    clock: ManualClock,
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    router.traffic(PHONE, rx=50_000)
    hosted.faults = Faults(refuse=True)
    hosted.drop_connections()
    clock.advance(MINUTE)
    assert runtime.services.devices.update(context, PHONE, {}, is_monitored=True).record.is_monitored
    hosted.faults = Faults()
    router.traffic(PHONE, rx=20)
    read()
    assert ask(
        database,
        "SELECT usage_down FROM device_usage_monitoring WHERE device_mac = %(mac)s ORDER BY timestamp",
        mac=PHONE,
    ) == [(None,), (1_000,), (None,)], "a base, not an empty interval"
    router.traffic(PHONE, rx=300)
    read()
    assert per_device(hourly(database, context))[PHONE] == (1_300, 0)


def test_a_router_that_failed_last_time_is_not_waited_for(
    runtime: Runtime, context: RouterContext, home: None, hosted: HostedRouter, clock: ManualClock
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    hosted.faults = Faults(refuse=True)
    hosted.drop_connections()
    clock.advance(MINUTE)
    with pytest.raises(Exception, match="does not answer"):
        runtime.collector.collect(context)
    tried = hosted.stats.connections
    assert runtime.services.devices.update(context, PHONE, {}, is_monitored=True).record.is_monitored
    assert hosted.stats.connections == tried


def test_purging_erases_the_usage_of_the_device_and_nothing_else(
    runtime: Runtime, context: RouterContext, home: None, database: Database, read: Any
) -> None:
    runtime.services.devices.update(context, PHONE, {"name": "Anna"})
    before = dump(database)
    runtime.services.devices.remove(context, PHONE, purge=True)
    runtime.services.devices.remove(context, PHONE, purge=True)  # once more does no harm
    after = dump(database)
    for table in ("device_usage_monitoring", "device_usage_hourly", "device_usage_history", "events"):
        assert after[table] == [row for row in before[table] if PHONE not in row], table
    assert after["last_readings"] == before["last_readings"], "the base of the next reading"
    read()
    assert shown(runtime, context) == {LAPTOP: 1_000, TV: 1_000}
    back = runtime.services.devices.update(context, PHONE, {}, is_monitored=True)
    assert back.record.name == "Anna"
    assert PHONE not in shown(runtime, context)


def test_purging_after_removing_purges(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    runtime.services.devices.remove(context, PHONE, purge=False)
    assert PHONE in per_device(daily(database, context))
    runtime.services.devices.remove(context, PHONE, purge=True)
    assert PHONE not in per_device(daily(database, context))
    counted = "SELECT (timestamp AT TIME ZONE 'UTC')::date, count(*), min(timestamp), max(timestamp)"
    assert ask(database, "SELECT day, snapshots, oldest, newest FROM snapshot_days ORDER BY day") == ask(
        database, f"{counted} FROM device_usage_monitoring GROUP BY 1 ORDER BY 1"
    )


def test_a_day_without_any_row_left_is_not_counted(
    runtime: Runtime, context: RouterContext, database: Database, router: SimulatedRouter, read: Any
) -> None:
    router.traffic(PHONE, rx=5)
    read()
    runtime.services.devices.remove(context, PHONE, purge=True)
    assert ask(database, "SELECT * FROM snapshot_days") == []
    assert runtime.services.status.get_status(context).stored.snapshots == 0


# --- accounts --------------------------------------------------------------------------------------------


def test_another_accounts_devices_can_not_be_changed(
    runtime: Runtime, context: RouterContext, home: None, bob: str, database: Database
) -> None:
    stranger = RouterContext(BOB, context.router_id)
    before = dump(database)
    services = runtime.services
    for change in (
        lambda: services.devices.update(stranger, PHONE, {"name": "mine"}),
        lambda: services.devices.update(stranger, PHONE, {}, is_monitored=False),
        lambda: services.devices.remove(stranger, PHONE, purge=True),
        lambda: services.merged_devices.merge(stranger, PHONE, TV),
        lambda: services.merged_devices.part(stranger, PHONE),
        lambda: services.people.list_people(stranger, start_date=None, end_date=None, page=1, page_size=9),
    ):
        with pytest.raises((RouterNotFound, DeviceNotFound)):
            change()
    assert services.merged_devices.suggest(stranger, page=1, page_size=9) == ([], 0)
    assert dump(database) == before


def test_a_device_of_another_router_is_none_of_this_one(
    runtime: Runtime, context: RouterContext, home: None, ssh: Any, clock: ManualClock
) -> None:
    from simulator.home import empty_router

    other = register(runtime, ssh.add(empty_router(clock)), name="Cabin")
    for change in (
        lambda: runtime.services.devices.update(other, PHONE, {"name": "x"}),
        lambda: runtime.services.devices.remove(other, PHONE, purge=True),
        lambda: runtime.services.merged_devices.merge(other, PHONE, TV),
    ):
        with pytest.raises(DeviceNotFound):
            change()
