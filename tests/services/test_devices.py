"""Devices out of monitoring and back: what is counted, what is hidden, and what happens at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from db_operations import readings_db
from db_operations.database import Database
from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from services.reading_store import ReadingStore
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import BOB, LAPTOP, PHONE, SOAK, TV, Totals, ask, daily, dump, hourly, per_device, register
from utils.errors import DeviceNotFound, RouterNotFound

MINUTE = timedelta(minutes=1)
MACS = (PHONE, LAPTOP, TV)


@pytest.fixture
def home(router: SimulatedRouter, read: Callable[..., None]) -> None:
    """Phone, laptop and TV, read twice: each used 1,000 bytes."""
    for number, mac in enumerate(MACS):
        router.add_host(mac, f"192.168.1.{number + 2}", f"host-{number}", state="REACHABLE")
        router.traffic(mac, rx=5)
    read(timedelta(0))
    for mac in MACS:
        router.traffic(mac, rx=1_000)
    read()


def history(runtime: Runtime, context: RouterContext) -> Any:
    return runtime.services.history.get_history(
        context, start_date=None, end_date=None, granularity=Granularity.DAY, page=1, page_size=50
    )


def shown(runtime: Runtime, context: RouterContext) -> dict[str, int]:
    """Bytes down of each device in the history, which add up to its totals."""
    told = history(runtime, context)
    devices = {device.mac: device.bytes_down for device in told.devices}
    assert sum(devices.values()) == (told.totals.bytes_down or 0)
    return devices


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
    (period,) = runtime.services.periods.list_periods(context, page=1, page_size=9).periods
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


# --- at the same moment ----------------------------------------------------------------------------------


def test_a_reading_that_is_running_does_not_bring_a_removed_device_back(
    runtime: Runtime,
    context: RouterContext,
    home: None,
    database: Database,
    router: SimulatedRouter,
    clock: ManualClock,
) -> None:
    router.traffic(PHONE, rx=9_999)
    clock.advance(5 * MINUTE)
    record = runtime.routers.get(context)
    taken = runtime.taker.take(record)  # the router has answered; nothing is stored yet
    runtime.services.devices.remove(context, PHONE, purge=True)
    ReadingStore(database).store(record, taken)
    assert PHONE not in per_device(hourly(database, context))
    assert ask(database, "SELECT 1 FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE) == []
    assert shown(runtime, context) == {LAPTOP: 1_000, TV: 1_000}


def test_a_removal_waits_for_the_reading_that_is_being_stored_and_erases_it_too(
    runtime: Runtime,
    context: RouterContext,
    home: None,
    database: Database,
    router: SimulatedRouter,
    clock: ManualClock,
) -> None:
    router.traffic(PHONE, rx=9_999)
    clock.advance(5 * MINUTE)
    record = runtime.routers.get(context)
    taken = runtime.taker.take(record)
    whole, storing = readings_db.upsert_last_reading, Event()

    def slowly(*args: object) -> None:
        whole(*args)  # its usage is written, and not committed yet
        storing.set()
        for _ in range(500):
            if ask(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1"):
                return
            Event().wait(0.01)
        raise AssertionError("nobody waited")

    with pytest.MonkeyPatch.context() as monkeypatch, ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(readings_db, "upsert_last_reading", slowly)
        stored = pool.submit(ReadingStore(database).store, record, taken)
        assert storing.wait(5)
        removed = pool.submit(runtime.services.devices.remove, context, PHONE, purge=True)
        stored.result(10)
        assert not removed.result(10).record.is_monitored
    assert PHONE not in per_device(hourly(database, context))


def test_two_changes_at_once_are_one_after_the_other_and_never_a_mixture(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    whole = [
        {"name": f"name {number}", "category": category, "notes": f"notes {number}", "person": f"person {number}"}
        for number, category in enumerate(("phone", "tv", "console", "printer"))
    ]
    seen: list[tuple[object, ...]] = []

    def change(words: dict[str, str]) -> None:
        for _ in range(15):
            record = runtime.services.devices.update(context, PHONE, words).record
            seen.append((record.name, record.category, record.notes, record.person))

    threads = [Thread(target=change, args=(words,)) for words in whole]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 60
    assert set(seen) <= {tuple(words.values()) for words in whole}
    assert ask(database, "SELECT name, category, notes, person FROM devices WHERE device_mac = %(m)s", m=PHONE)[0] in {
        tuple(words.values()) for words in whole
    }


def test_removals_and_refreshes_at_once_leave_nothing_of_the_device_behind(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, router: SimulatedRouter, database: Database, clock: Any
) -> None:
    from tests.homes import TickingClock

    runtimes = [make_runtime(TickingClock(clock).now) for _ in range(2)]
    context = register(runtimes[0], hosted)
    router.traffic(PHONE, rx=5)
    runtimes[0].collector.collect(context)
    stop = Event()
    failures: list[BaseException] = []

    def keep(work: Callable[[], object]) -> None:
        while not stop.is_set():
            try:
                work()
            except Exception as error:
                failures.append(error)

    threads = [Thread(target=keep, args=(lambda one=one: one.collector.collect(context),)) for one in runtimes]
    threads += [
        Thread(target=keep, args=(lambda: runtimes[0].services.devices.update(context, PHONE, {}, is_monitored=True),)),
        Thread(target=keep, args=(lambda: runtimes[1].services.devices.remove(context, PHONE, purge=True),)),
    ]
    for thread in threads:
        thread.start()
    for _ in range(100):
        router.traffic(PHONE, rx=1_000)
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
    runtimes[1].services.devices.remove(context, PHONE, purge=True)
    router.traffic(PHONE, rx=1_000)
    runtimes[0].collector.collect(context)
    assert per_device(hourly(database, context)) == per_device(daily(database, context)) == {}
    assert ask(database, "SELECT 1 FROM device_usage_monitoring") == ask(database, "SELECT 1 FROM snapshot_days") == []
    assert [failure for failure in failures if type(failure).__name__ != "Conflict"] == []


# --- any order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6 * SOAK))
def test_in_any_order_exactly_what_ran_while_a_device_was_monitored_is_stored(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock, database: Database, seed: int
) -> None:
    """Readings, removals with and without erasing, bringing back, merging and parting, against a model of all that.

    NETPILOT_SOAK=n: n times as many orders.
    """
    rng, services = Random(seed), runtime.services
    for mac in MACS:
        router.traffic(mac, rx=1)
    runtime.collector.collect(context)
    expected: dict[str, int] = dict.fromkeys(MACS, 0)
    pending: dict[str, int] = dict.fromkeys(MACS, 0)
    monitored: set[str] = set(MACS)
    merged: dict[str, str] = {}

    def group_of(mac: str) -> set[str]:
        root = merged.get(mac, mac)
        return {root, *(one for one, into in merged.items() if into == root)}

    def settle() -> None:
        for mac in MACS:
            if mac in monitored:
                expected[mac] += pending[mac]
            pending[mac] = 0

    for _ in range(60):
        clock.advance(MINUTE)
        mac, other = rng.choice(MACS), rng.choice(MACS)
        match rng.choice(("traffic", "traffic", "traffic", "read", "read", "remove", "purge", "back", "merge", "part")):
            case "traffic":
                amount = rng.randrange(1, 10**6)
                router.traffic(mac, rx=amount)
                pending[mac] += amount
            case "read":
                runtime.collector.collect(context)
                settle()
            case "remove":
                services.devices.remove(context, mac, purge=False)
                monitored -= group_of(mac)
            case "purge":
                services.devices.remove(context, mac, purge=True)
                monitored -= group_of(mac)
                expected |= dict.fromkeys(group_of(mac), 0)
            case "back":
                services.devices.update(context, mac, {}, is_monitored=True)
                if not group_of(mac) <= monitored:
                    settle()  # it was read at once
                    monitored |= group_of(mac)
            case "merge":
                try:
                    services.merged_devices.merge(context, mac, other)
                except Exception:
                    assert (
                        mac == other
                        or mac in merged
                        or group_of(other) & group_of(mac)
                        or not ({mac, merged.get(other, other)} <= monitored)
                        or len(group_of(mac)) > 1
                    )
                else:
                    merged[mac] = merged.get(other, other)
            case "part":
                if mac in merged or len(group_of(mac)) == 1:
                    services.merged_devices.part(context, mac)
                    merged.pop(mac, None)
        stored = {mac: down for mac, (down, _) in per_device(daily(database, context)).items()}
        assert stored == {mac: down for mac, down in expected.items() if down}
        assert per_device(hourly(database, context)) == per_device(daily(database, context))
        shown_now: Totals = {}
        for one in MACS:
            if one in monitored and expected[one]:
                root = merged.get(one, one)
                shown_now[root] = shown_now.get(root, 0) + expected[one]  # type: ignore[operator, assignment]
        assert shown(runtime, context) == shown_now


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
