"""Devices that are changed while a reading is under way, by several at once, and in any order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from db_operations import readings_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from server import Runtime
from services.context import RouterContext
from services.readings.reading_store import ReadingStore
from services.readings.router_readings import TakenReading
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import LAPTOP, PHONE, SOAK, TV, Totals, ask, daily, hourly, per_device, register
from tests.services.devices.monitored_home import MACS, MINUTE, live_in, shown

UnderWay = tuple[RouterRecord, TakenReading]


@pytest.fixture
def home(router: SimulatedRouter, read: Callable[..., None]) -> None:
    live_in(router, read)


@pytest.fixture
def under_way(
    runtime: Runtime, context: RouterContext, home: None, router: SimulatedRouter, clock: ManualClock
) -> UnderWay:
    """A reading with usage of the phone: the router has answered, nothing is stored yet."""
    router.traffic(PHONE, rx=9_999)
    clock.advance(5 * MINUTE)
    record = runtime.routers.get(context)
    return record, runtime.taker.take(record)


def test_a_reading_that_is_running_does_not_bring_a_removed_device_back(
    runtime: Runtime, context: RouterContext, under_way: UnderWay, database: Database
) -> None:
    record, taken = under_way
    runtime.services.devices.remove(context, PHONE, purge=True)
    ReadingStore(database).store(record, taken)
    assert PHONE not in per_device(hourly(database, context))
    assert ask(database, "SELECT 1 FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE) == []
    assert shown(runtime, context) == {LAPTOP: 1_000, TV: 1_000}


def test_a_removal_waits_for_the_reading_that_is_being_stored_and_erases_it_too(
    runtime: Runtime, context: RouterContext, under_way: UnderWay, database: Database
) -> None:
    record, taken = under_way
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


def test_changes_at_once_are_one_after_the_other_and_each_is_told_its_own(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    whole = [
        {"name": f"name {number}", "category": category, "notes": f"notes {number}", "person": f"person {number}"}
        for number, category in enumerate(("phone", "tv", "console", "printer"))
    ]
    answers: list[bool] = []

    def change(words: dict[str, str]) -> None:
        for _ in range(15):
            record = runtime.services.devices.update(context, PHONE, words).record
            told = (record.name, record.category, record.notes, record.person)
            answers.append(told == tuple(words.values()))

    threads = [Thread(target=change, args=(words,)) for words in whole]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == 60 * [True]
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
