"""What the status warns of, and when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router, office, typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import LAPTOP, PHONE, START, ask, register
from utils.errors import RouterError

MINUTE = timedelta(minutes=1)


def warnings(runtime: Runtime, context: RouterContext) -> list[str]:
    return [warning.code for warning in runtime.services.status.get_status(context).warnings]


def test_an_old_reading_is_warned_of_after_two_intervals(
    runtime: Runtime, context: RouterContext, clock: ManualClock
) -> None:
    runtime.collector.collect(context)
    clock.advance(10 * MINUTE)
    assert warnings(runtime, context) == []
    clock.advance(MINUTE)
    assert warnings(runtime, context) == ["READING_OLD"]


@pytest.mark.parametrize(("minutes", "expected"), [(4, []), (6, ["CLOCK_SKEW"]), (-6, ["CLOCK_SKEW"]), (-4, [])])
def test_a_router_whose_clock_is_off_is_warned_of(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, minutes: int, expected: list[str]
) -> None:
    router.clock_offset = minutes * MINUTE
    runtime.collector.collect(context)
    assert warnings(runtime, context) == expected


def test_what_a_reading_finds_is_warned_of_with_what_mends_it_until_it_is_mended(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = empty_router(clock, database_directory="/var/lib/nlbwmon", commit_interval=7 * 86_400)
    hosted = ssh.add(router)
    context = register(runtime, hosted)
    asked = hosted.stats.commands
    router.flow_offloading, router.conntrack_acct, router.rmem_max = True, False, 212_992
    runtime.collector.collect(context)
    assert hosted.stats.commands == asked + 1, "a reading is one round trip, the doctor's facts in it"
    found = runtime.services.status.get_status(context).warnings
    assert [one.code for one in found] == [
        *("CONNTRACK_ACCT_OFF", "FLOW_OFFLOADING", "NETLINK_BUFFER", "DATABASE_IN_RAM"),
    ]
    assert all(one.message and one.fix for one in found)
    assert "uci set firewall.@defaults[0].flow_offloading='0'" in str(found[1].fix)
    assert hosted.stats.commands == asked + 1, "the status asks nobody"
    router.flow_offloading, router.conntrack_acct, router.rmem_max = False, True, 524_288
    router.daemon.settings = replace(router.daemon.settings, database_directory="/etc/nlbwmon", commit_interval=3_600)
    clock.advance(MINUTE)
    runtime.collector.collect(context)
    assert warnings(runtime, context) == []
    assert ask(database, "SELECT findings FROM last_readings") == [(None,)]


def test_it_does_not_look_at_what_the_router_printed(
    runtime: Runtime, context: RouterContext, database: Database
) -> None:
    runtime.collector.collect(context)
    before = runtime.services.status.get_status(context)
    ask(database, "UPDATE last_readings SET usage_json = 'not even compressed' RETURNING 1")
    assert runtime.services.status.get_status(context) == before


def test_what_is_stored_is_told_without_counting_it(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=1)
        runtime.collector.collect(context)
        clock.advance(timedelta(days=1))
    rows = ask(database, "SELECT count(*), min(timestamp), max(timestamp) FROM device_usage_monitoring")
    stored = runtime.services.status.get_status(context).stored
    assert (stored.snapshots, stored.oldest, stored.newest) == rows[0] == (3, START, START + timedelta(days=1))
    with database.transaction() as conn:
        execute(conn, "LOCK TABLE device_usage_monitoring IN ACCESS EXCLUSIVE MODE", {})
        assert runtime.services.status.get_status(context).stored == stored, "nobody looks at the rows themselves"


@pytest.mark.parametrize(("readings", "expected"), [(5, []), (6, ["ROWS_FROZEN"])])
@pytest.mark.parametrize("state", ["REACHABLE", "STALE"])
def test_counters_that_stand_still_while_devices_are_active_are_warned_of(
    runtime: Runtime,
    context: RouterContext,
    router: SimulatedRouter,
    database: Database,
    readings: int,
    expected: list[str],
    state: str,
) -> None:
    router.add_host(PHONE, state=state)
    runtime.collector.collect(context)
    ask(
        database,
        "UPDATE last_readings SET unchanged_readings = %(readings)s, unchanged_since = read_at RETURNING 1",
        readings=readings,
    )
    ask(database, "UPDATE routers SET is_frozen = %(readings)s >= 6 RETURNING 1", readings=readings)
    assert warnings(runtime, context) == (expected if state == "REACHABLE" else [])


def test_a_router_in_another_zone_than_its_users_days_is_warned_of(
    runtime: Runtime, ssh: SshServer, clock: ManualClock
) -> None:
    context = register(runtime, ssh.add(empty_router(clock, zone="UTC")), timezone="Europe/Berlin")
    runtime.collector.collect(context)
    assert warnings(runtime, context) == ["TIMEZONE"]


def test_the_ready_made_homes_are_healthy(runtime: Runtime, ssh: SshServer, clock: ManualClock) -> None:
    for home in (typical_home(start=clock.now() - timedelta(days=1), clock=clock), office(clock, devices=20)):
        context = register(runtime, ssh.add(home))
        runtime.collector.collect(context)
        assert warnings(runtime, context) == []


def test_a_router_that_tells_nothing_but_its_counters_is_not_warned_of(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter
) -> None:
    router.missing = {"uci", "ip", "ubus", "date", "cat"}
    runtime.collector.collect(context)
    assert warnings(runtime, context) == []


def test_a_failing_router_is_warned_of_with_what_mends_it_until_it_answers(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    runtime.collector.collect(context)
    router.stop()
    with pytest.raises(RouterError):
        runtime.collector.collect(context)
    status = runtime.services.status.get_status(context)
    assert [(one.code, one.fix) for one in status.warnings] == [("NLBWMON_DOWN", "/etc/init.d/nlbwmon restart")]
    assert (status.is_reachable, status.is_nlbwmon_running) == (True, False)
    router.start()
    hosted.faults = Faults(refuse=True)
    with pytest.raises(RouterError):
        runtime.collector.collect(context)
    status = runtime.services.status.get_status(context)
    assert (status.is_reachable, status.is_nlbwmon_running) == (False, None)
    hosted.faults = Faults()
    clock.advance(MINUTE)
    runtime.collector.collect(context)
    assert warnings(runtime, context) == []


def test_a_server_that_does_not_collect_says_so(make_runtime: Callable[..., Runtime], hosted: HostedRouter) -> None:
    runtime = make_runtime(collector_enabled=False)
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    assert warnings(runtime, context) == ["COLLECTOR_OFF"]


def test_the_last_days_coverage_is_the_share_between_good_readings(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=1)
    runtime.collector.collect(context)
    for _ in range(4):
        clock.advance(timedelta(hours=3))
        runtime.collector.collect(context)
    assert runtime.services.status.get_status(context).coverage_24h == pytest.approx(0.5)
    clock.advance(timedelta(hours=18))
    assert runtime.services.status.get_status(context).coverage_24h == pytest.approx(0.25)
