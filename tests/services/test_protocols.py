"""Usage by protocol over days: stored with each reading, to the byte of the daily history, and told with its rest."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.analytics.change_parts import UNKNOWN_PROTOCOL
from services.context import RouterContext
from services.protocols import ProtocolUsage
from simulator.clock import ManualClock
from simulator.home import typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.homes import BOB, LAPTOP, PHONE, ask, daily, protocols_by_day, register
from utils.errors import DeviceNotFound, RouterNotFound
from utils.mac import ZERO_MAC

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Ask = Callable[..., ProtocolUsage]


@pytest.fixture
def protocols(runtime: Runtime, context: RouterContext) -> Ask:
    def get(mac: str | None = None, **asked: object) -> ProtocolUsage:
        options = {"start_date": None, "end_date": None, "page": 1, "page_size": 50} | asked
        if mac is None:
            return runtime.services.protocols.get_protocols(context, **options)  # type: ignore[arg-type]
        return runtime.services.protocols.get_device_protocols(context, mac, **options)[0]  # type: ignore[arg-type]

    return get


def told(usage: ProtocolUsage) -> list[tuple[object, ...]]:
    return [(one.name, one.share.bytes_down, one.share.bytes_up, one.devices) for one in usage.protocols]


def families(usage: ProtocolUsage) -> list[tuple[int, int]]:
    return [(one.bytes_down, one.bytes_up) for one in (usage.ipv4, usage.ipv6, usage.unknown)]


def test_each_protocol_and_family_has_what_flowed(
    router: SimulatedRouter, read: Callable[..., None], protocols: Ask
) -> None:
    read()
    router.traffic(PHONE, rx=600, tx=60)
    router.traffic(PHONE, rx=200, tx=20, family=6)
    router.traffic(PHONE, rx=9, tx=1, proto="TCP", port=54_321)
    router.traffic(LAPTOP, rx=100, tx=10, proto="UDP", port=53)
    read()
    usage = protocols()

    assert told(usage) == [("HTTPS", 800, 80, 1), ("DNS", 100, 10, 1), ("other", 9, 1, 1)]
    assert [one.share.percentage for one in usage.protocols] == [88.0, 11.0, 1.0]
    assert families(usage) == [(709, 71), (200, 20), (0, 0)]
    assert (usage.ipv4.percentage, usage.ipv6.percentage, usage.unknown.percentage) == (78.0, 22.0, 0.0)
    assert tuple(usage.totals) == (909, 91)
    assert told(protocols(LAPTOP)) == [("DNS", 100, 10, 1)]
    assert protocols(LAPTOP).protocols[0].share.percentage == 100.0


def test_usage_that_is_in_an_archive_alone_keeps_its_protocol(
    router: SimulatedRouter, clock: ManualClock, read: Callable[..., None], protocols: Ask
) -> None:
    """The row of that port is in the table no more when it is read."""
    clock.set(datetime(2031, 11, 30, 22, 50, tzinfo=UTC))
    read(MINUTE)
    router.traffic(PHONE, rx=70, tx=7, port=993)
    read(HOUR)

    assert [one[:3] for one in told(protocols())] == [("IMAPS", 70, 7)]


def test_three_days_of_a_home_agree_with_its_daily_history_to_the_byte(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    start = datetime(2031, 11, 29, 9, tzinfo=UTC)
    clock.set(start)
    home = typical_home(start=start, clock=clock)
    runtime = make_runtime()
    context = register(runtime, ssh.add(home))
    runtime.collector.collect(context)
    for step in range(20):
        clock.advance(timedelta(minutes=217) if step != 7 else timedelta(hours=31))
        runtime.collector.collect(context)
    days = daily(database, context)
    asked = {"start_date": date(2031, 11, 29), "end_date": date(2031, 12, 4), "page": 1, "page_size": 500}

    assert protocols_by_day(database, context) == days
    assert ZERO_MAC in {mac for mac, _ in days}
    usage = runtime.services.protocols.get_protocols(context, **asked)
    assert tuple(usage.totals) == (sum(down for down, _ in days.values()), sum(up for _, up in days.values()))
    assert sum(one.share.bytes_down for one in usage.protocols) == usage.totals.bytes_down
    assert usage.unknown.bytes_down == usage.unknown.bytes_up == 0
    assert usage.ipv6.bytes_down > 0


def test_what_was_stored_before_there_were_protocols_is_unknown_and_the_totals_agree(
    router: SimulatedRouter, database: Database, read: Callable[..., None], protocols: Ask
) -> None:
    read()
    router.traffic(PHONE, rx=70, tx=7)
    read()
    with database.transaction() as conn:
        execute(conn, "DELETE FROM device_usage_protocols", {})
    router.traffic(PHONE, rx=5, tx=6)
    read()

    for usage in (protocols(), protocols(PHONE)):
        assert [one[:3] for one in told(usage)] == [(UNKNOWN_PROTOCOL, 70, 7), ("HTTPS", 5, 6)]
        assert usage.protocols[0].devices is None
        assert families(usage) == [(5, 6), (0, 0), (70, 7)]
        assert tuple(usage.totals) == (75, 13)


def test_a_protocol_that_the_router_calls_unknown_is_one_with_the_rest(
    router: SimulatedRouter, database: Database, read: Callable[..., None], protocols: Ask
) -> None:
    read()
    router.traffic(PHONE, rx=70, tx=7)
    router.traffic(PHONE, rx=1, tx=1, port=993)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE device_usage_protocols SET protocol = 'unknown' WHERE protocol = 'IMAPS'", {})
    assert told(protocols()) == [("HTTPS", 70, 7, 1), ("unknown", 1, 1, 1)]
    with database.transaction() as conn:
        execute(conn, "DELETE FROM device_usage_protocols WHERE protocol = 'HTTPS'", {})

    assert told(protocols()) == [("unknown", 71, 8, None)]
    assert families(protocols()) == [(1, 1), (0, 0), (70, 7)]


def test_a_device_out_of_monitoring_has_no_protocols(
    router: SimulatedRouter, database: Database, read: Callable[..., None], protocols: Ask
) -> None:
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=1, tx=1)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": PHONE})
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=10, tx=20)
    read()

    assert ask(database, "SELECT device_mac, ipv4_download, ipv4_upload FROM device_usage_protocols") == [
        (LAPTOP, 10, 20)
    ]
    assert told(protocols()) == [("HTTPS", 10, 20, 1)]


def test_where_nothing_was_observed_nothing_is_told(read: Callable[..., None], protocols: Ask) -> None:
    read()
    usage = protocols(start_date=date(2031, 10, 1), end_date=date(2031, 10, 2))

    assert (usage.totals, usage.protocols, usage.days.coverage) == ((None, None), [], 0.0)
    assert usage.ipv4.percentage is None


def test_another_accounts_router_is_none(runtime: Runtime, context: RouterContext, bob: str) -> None:
    asked = {"start_date": None, "end_date": None, "page": 1, "page_size": 50}
    with pytest.raises(RouterNotFound):
        runtime.services.protocols.get_protocols(RouterContext(BOB, context.router_id), **asked)
    with pytest.raises(RouterNotFound):
        runtime.services.protocols.get_device_protocols(RouterContext(BOB, context.router_id), PHONE, **asked)


def test_a_device_that_nobody_knows_is_not_found_but_unresolved_hosts_are(
    read: Callable[..., None], protocols: Ask
) -> None:
    read()
    with pytest.raises(DeviceNotFound):
        protocols(PHONE)
    assert protocols(ZERO_MAC).protocols == []
