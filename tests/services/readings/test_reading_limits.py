"""What no router is believed beyond: devices by the hundred thousand, and counters that no link could have moved."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime, create_app
from services.context import RouterContext
from services.readings.reading_limits import ReadingLimits
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.rows import row_key
from simulator.ssh_server import HostedRouter, SshServer
from tests.archived_homes import Ahead, archived, collect, lived_home, noon, states
from tests.homes import LAPTOP, PHONE, START, TV, Api, ask, hourly, per_device, register
from utils.errors import BadRouterOutput, TooManyDevices

MINUTE = timedelta(minutes=1)
STORED = ("last_readings", "devices", "events", "device_usage_monitoring", "device_usage_history")


def counts(database: Database) -> dict[str, int]:
    return {table: ask(database, f"SELECT count(*) FROM {table}")[0][0] for table in STORED}


@pytest.mark.parametrize("claimed_by", ["counters", "leases", "neighbours"])
def test_a_router_that_names_too_many_devices_is_not_stored_and_says_what_to_do(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    claimed_by: str,
) -> None:
    runtime = make_runtime(router_max_devices=3)
    context = register(runtime, hosted)
    for mac in (PHONE, LAPTOP, TV):
        router.add_host(mac)
        router.traffic(mac, rx=10)
    runtime.collector.collect(context)
    before = counts(database)
    assert before["devices"] == 3, "as many as that are fine"
    one_more = "02:00:00:00:00:01"
    if claimed_by == "counters":
        router.traffic(one_more, rx=1)
    else:
        router.add_host(one_more, lease=claimed_by == "leases", state="" if claimed_by == "leases" else "REACHABLE")
    clock.advance(5 * MINUTE)
    with pytest.raises(TooManyDevices, match=r"names 4 devices .*ROUTER_MAX_DEVICES \(3\)") as caught:
        runtime.collector.collect(context)
    assert counts(database) == before
    api = Api(create_app(runtime).test_client())
    (warning,) = api.data("/api/device-usage/status")["warnings"]
    assert (warning["code"], warning["message"]) == ("BAD_ROUTER_OUTPUT", caught.value.message)
    assert "raise ROUTER_MAX_DEVICES" in warning["message"]
    current = api.data("/api/device-usage/current")
    assert (current["source"], len(current["devices"])) == ("stored", 3)
    runtime = make_runtime(router_max_devices=4)
    runtime.collector.collect(context)
    assert counts(database)["devices"] == 4


def test_a_router_that_makes_up_new_devices_each_time_fills_no_disk(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    runtime = make_runtime(router_max_devices=3)
    context = register(runtime, hosted)
    router.traffic(PHONE, rx=1)
    runtime.collector.collect(context)
    ask(
        database,
        """INSERT INTO devices (router_id, session_id, device_mac, is_active, first_seen)
           SELECT router_id, session_id, '02:00:00:00:00:' || to_char(number, 'FM00'), false, first_seen
           FROM devices, generate_series(1, 29) AS number RETURNING 1""",
    )
    router.traffic(PHONE, rx=1)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    before = counts(database)
    assert before["devices"] == 30, "as many as that are fine"
    router.traffic(LAPTOP, rx=1)
    clock.advance(5 * MINUTE)
    with pytest.raises(TooManyDevices, match=r"31 devices .* more than the 30 \(ten times ROUTER_MAX_DEVICES\)"):
        runtime.collector.collect(context)
    assert counts(database) == before
    assert runtime.routers.get(context).last_error_code == "BAD_ROUTER_OUTPUT"
    runtime = make_runtime(router_max_devices=4)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (1, 0), LAPTOP: (1, 0)}, "nothing of it was lost"


def test_readings_without_end_fill_no_disk_and_lose_no_byte(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The raw rows of a day end at some time; hours, days and protocols go on, and it is said once."""
    monkeypatch.setattr(ReadingLimits, "most_snapshots_a_day", 5)
    runtime = make_runtime()
    context = register(runtime, hosted)
    for _ in range(6):
        router.traffic(PHONE, rx=10)
        router.traffic(LAPTOP, rx=1)
        runtime.collector.collect(context)
        clock.advance(MINUTE)
    assert ask(database, "SELECT count(*) FROM device_usage_monitoring") == [(4,)], "whole readings"
    assert ask(database, "SELECT snapshots FROM snapshot_days") == [(4,)]
    assert per_device(hourly(database, context)) == {PHONE: (50, 0), LAPTOP: (5, 0)}
    assert ask(database, "SELECT sum(ipv4_download)::int FROM device_usage_protocols") == [(55,)]
    told = ask(database, "SELECT message, end_at - start_at FROM events WHERE type = 'raw_rows_left_out'")
    assert len(told) == 1
    assert "5 a day" in told[0][0]
    assert told[0][1] == 4 * MINUTE
    clock.advance(timedelta(days=1))
    router.traffic(PHONE, rx=10)
    runtime.collector.collect(context)
    assert ask(database, "SELECT count(*) FROM device_usage_monitoring") == [(6,)], "the next day has its own"


def test_of_the_addresses_that_a_router_makes_up_for_a_device_some_are_kept(
    runtime: Runtime, hosted: HostedRouter, router: SimulatedRouter, database: Database
) -> None:
    context = register(runtime, hosted)
    for number in range(40):
        router.load({row_key("TCP", 443, PHONE, f"fd00::{number:x}"): (1, 2, 1, 1, 1)})
    router.load({row_key("TCP", 443, PHONE, "192.168.1.101"): (1, 2, 1, 1, 1)})
    runtime.collector.collect(context)
    ((ips,),) = ask(database, "SELECT ips FROM devices")
    assert len(ips) == 32
    assert ips[0] == "192.168.1.101"


def test_more_devices_than_anybody_reads_about_are_one_event(
    runtime: Runtime,
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.devices.device_events._MOST_BY_THEMSELVES", 2)
    context = register(runtime, hosted)
    router.traffic(PHONE, rx=1)
    runtime.collector.collect(context)
    for count in (2, 3):
        for number in range(count):
            router.traffic(f"02:00:00:00:0{count}:0{number}", rx=1)
        clock.advance(5 * MINUTE)
        runtime.collector.collect(context)
    told = ask(database, "SELECT device_mac, message FROM events WHERE type = 'device_new' ORDER BY id")
    assert [mac for mac, _ in told] == ["02:00:00:00:02:00", "02:00:00:00:02:01", None]
    assert told[2][1] == "3 devices were seen for the first time, all at once."


def test_an_archive_with_too_many_devices_is_not_used(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, caplog: Any
) -> None:
    home = lived_home(clock, [(date(2031, 8, 10), PHONE, 1, 1)], until=noon(date(2031, 9, 10)))
    guests = [f"02:00:00:00:00:0{number}" for number in range(3)]
    home.load({row_key("TCP", 443, mac, f"192.168.1.{200 + at}"): (1, 2, 1, 1, 1) for at, mac in enumerate(guests)})
    for month in (10, 11):
        clock.set(noon(date(2031, month, 10)))
        home.traffic(PHONE, rx=month)
    clock.set(START)
    runtime = make_runtime(Ahead(clock).now, backfill=True, router_max_devices=2)
    context = register(runtime, ssh.add(home))
    collect(runtime, context, times=6)
    assert {start for start, _ in archived(database)} == {"2031-08-01", "2031-10-01"}
    assert states(database)["2031-09-01"] == "missing"
    assert "archive 2031-09-01 is not used" in caplog.text
    assert "ROUTER_MAX_DEVICES" in caplog.text


def test_an_archive_of_a_period_that_ended_with_too_many_devices_is_as_good_as_missing(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    caplog: Any,
) -> None:
    """An archive never changes: were it refused, no reading would ever succeed again."""
    runtime = make_runtime(router_max_devices=3)
    context = register(runtime, hosted)
    router.traffic(PHONE, rx=500)
    runtime.collector.collect(context)
    for number in range(3):
        router.traffic(f"02:00:00:00:00:0{number}", rx=10)
    clock.advance(timedelta(days=25))
    router.hosts.clear()
    router.traffic(PHONE, rx=7)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (7, 0)}
    assert ask(database, "SELECT quality FROM events WHERE type = 'archive_missing'") == [("unknown",)]
    assert "archive 2031-11-01 is not used: It names 4 devices" in caplog.text


@pytest.mark.parametrize(("gbitps", "is_counted"), [(100, True), (2.5, True), (2.4, False), (0.001, False)])
def test_the_fastest_link_is_configured(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    gbitps: float,
    is_counted: bool,
) -> None:
    runtime = make_runtime(router_max_link_gbitps=gbitps)
    context = register(runtime, hosted)
    router.traffic(PHONE, rx=5)
    runtime.collector.collect(context)
    used = 2_500_000_000 // 8 * 330
    router.traffic(PHONE, rx=used)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == ({PHONE: (used, 0)} if is_counted else {})
    events = [kind for (kind,) in ask(database, "SELECT type FROM events")]
    assert ("implausible" in events) is not is_counted
    other = make_runtime()
    router.traffic(PHONE, rx=used)
    clock.advance(5 * MINUTE)
    other.collector.collect(context)
    assert per_device(hourly(database, context))[PHONE][0] in (2 * used, used), "each server has its own"


def test_a_limit_says_how_much_a_day_can_bring() -> None:
    limits = ReadingLimits(max_devices=1, max_link_gbitps=100)
    assert limits.max_bytes_a_day == 100 * 10**9 // 8 * 86_400
    limits.check_devices({PHONE}, where="It")
    with pytest.raises(BadRouterOutput):
        limits.check_devices({PHONE, TV}, where="It")


def test_an_absurd_refresh_interval_makes_no_sums_that_can_not_be_stored(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    router.daemon.settings = replace(router.daemon.settings, refresh_interval=99_999_999_999_999_999)
    router.stop()
    router.start()
    for port in (80, 81, 82):
        router.traffic(PHONE, rx=2**62, tx=2**62, port=port)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {}
    assert ask(database, "SELECT count(*) FROM events WHERE type = 'implausible'") == [(1,)]
