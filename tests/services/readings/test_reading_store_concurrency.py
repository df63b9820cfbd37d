"""Several collectors on one router and one database: every byte counts once, and no reading displaces a newer one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from db_operations import readings_db
from db_operations.database import Database
from server import Runtime
from services.readings.reading_store import ReadingStore, StaleBase
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import LAPTOP, PHONE, TickingClock, ask, daily, hourly, per_device, register, truth


@pytest.fixture
def pair(make_runtime: Callable[..., Runtime], clock: ManualClock) -> list[Runtime]:
    """Two servers on one database."""
    return [make_runtime(TickingClock(clock).now) for _ in range(2)]


def test_two_collectors_at_once_count_every_byte_once(
    pair: list[Runtime], hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    context = register(pair[0], hosted)
    pair[0].collector.collect(context)
    stop = Event()
    failures: list[BaseException] = []

    def keep_collecting(runtime: Runtime) -> None:
        while not stop.is_set():
            try:
                runtime.collector.collect(context)
            except Exception as error:
                failures.append(error)

    threads = [Thread(target=keep_collecting, args=(runtime,)) for runtime in pair]
    for thread in threads:
        thread.start()
    for number in range(150):
        router.traffic(PHONE, rx=1_000 + number, tx=number)
        router.traffic(LAPTOP, rx=number, tx=7, family=6, port=number % 20)
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
    pair[1].collector.collect(context)
    totals = truth(router.ledger.totals())
    assert per_device(hourly(database, context)) == totals
    assert per_device(daily(database, context)) == totals
    assert [failure for failure in failures if type(failure).__name__ != "Conflict"] == []


def test_who_waits_for_the_routers_lock_notices_that_its_base_is_old(
    pair: list[Runtime], hosted: HostedRouter, router: SimulatedRouter, database: Database
) -> None:
    """Both took their reading from the same base; the second arrives while the first is being stored."""
    context = register(pair[0], hosted)
    pair[0].collector.collect(context)
    router.traffic(PHONE, rx=1_000, tx=100)
    record = pair[0].routers.get(context)
    first, second = (runtime.taker.take(record) for runtime in pair)
    whole, waiting = readings_db.upsert_last_reading, Event()

    def slowly(*args: object) -> None:
        whole(*args)
        waiting.set()
        for _ in range(200):  # until the other one waits for our lock
            if ask(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1"):
                return
            Event().wait(0.01)

    with pytest.MonkeyPatch.context() as monkeypatch, ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(readings_db, "upsert_last_reading", slowly)
        storing = pool.submit(ReadingStore(database).store, record, first)
        assert waiting.wait(5)
        other = pool.submit(ReadingStore(database).store, record, second)
        storing.result(10)
        with pytest.raises(StaleBase):
            other.result(10)
    assert per_device(hourly(database, context)) == {PHONE: (1_000, 100)}


def test_an_answer_that_was_long_on_its_way_cannot_take_a_newer_ones_place(
    pair: list[Runtime], hosted: HostedRouter, router: SimulatedRouter, database: Database
) -> None:
    """One process gets its answer byte by byte; meanwhile another takes and stores a newer one."""
    context = register(pair[0], hosted)
    router.traffic(PHONE, rx=5, tx=5)
    pair[0].collector.collect(context)
    router.traffic(PHONE, rx=1_000, tx=100)
    hosted.faults = Faults(drip_s=0.0002)
    slow = Thread(target=pair[0].collector.collect, args=(context,))
    slow.start()
    for _ in range(500):  # until the router has answered; its answer is on its way from then on
        if hosted.stats.running:
            break
        Event().wait(0.005)
    Event().wait(0.1)
    hosted.faults = Faults()
    router.traffic(PHONE, rx=20_000, tx=2_000)
    pair[1].collector.collect(context)
    assert slow.is_alive()
    slow.join(30)
    pair[1].collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (21_000, 2_100)}
