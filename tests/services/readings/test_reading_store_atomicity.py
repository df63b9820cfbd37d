"""All of a reading is stored or nothing of it, and once: whatever fails in between, the next one brings it all."""

from collections.abc import Callable
from datetime import timedelta

import psycopg2
import pytest

from commands_server_operations.router_target import CommandResult, RouterTarget
from db_operations import (
    device_usage_db,
    devices_db,
    periods_db,
    protocols_db,
    readings_db,
    rollups_db,
    routers_db,
)
from db_operations.database import Database
from db_operations.statements import fetch_one
from server import Runtime
from services.context import RouterContext
from services.readings.reading_store import ReadingStore, StaleBase
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, ask, daily, dump, hourly, per_device
from utils.errors import DatabaseUnavailable, RouterNotFound, SavedMeanwhile

MINUTE = timedelta(minutes=1)


def kept(database: Database) -> dict[str, list[str]]:
    """Everything stored but the routers' own rows: those tell of the failure."""
    return {table: rows for table, rows in dump(database).items() if table != "routers"}


STEPS = [
    (devices_db, "list_known_devices"),
    (device_usage_db, "store_device_usage_snapshot"),
    (rollups_db, "add_to_hourly"),
    (rollups_db, "add_to_daily"),
    (protocols_db, "add_to_protocols"),
    (device_usage_db, "update_device_metadata"),
    (readings_db, "upsert_last_reading"),
    (routers_db, "record_success"),
]
FIRST_STEPS = [
    *[step for step in STEPS if not step[1].startswith("add_to_")],
    (rollups_db, "insert_period_totals"),
    (periods_db, "insert_pending_periods"),
]


def breaking(monkeypatch: pytest.MonkeyPatch, module: object, name: str, *, after: bool) -> None:
    """Have this step fail before it does anything, or after it has done all."""
    whole = getattr(module, name)

    def fails(*args: object, **options: object) -> None:
        if after:
            whole(*args, **options)
        raise OSError("injected")

    monkeypatch.setattr(module, name, fails)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_reading_that_fails_at_any_step_leaves_nothing_and_the_next_brings_all_of_it(
    runtime: Runtime,
    context: RouterContext,
    router: SimulatedRouter,
    database: Database,
    read: Callable[..., None],
    module: object,
    name: str,
    after: bool,
) -> None:
    router.traffic(PHONE, rx=1_000, tx=500)
    read()
    before_first = router.ledger.totals()[PHONE]
    stored = kept(database)
    router.traffic(PHONE, rx=70, tx=7)
    router.traffic(LAPTOP, rx=3, tx=2, family=6)
    with pytest.MonkeyPatch.context() as monkeypatch:
        breaking(monkeypatch, module, name, after=after)
        with pytest.raises(OSError, match="injected"):
            read()
    assert kept(database) == stored
    router.traffic(PHONE, rx=1, tx=1)
    read()
    everything = router.ledger.totals()[PHONE]
    phone = (everything.rx - before_first.rx, everything.tx - before_first.tx)
    assert per_device(hourly(database, context)) == {PHONE: phone, LAPTOP: (3, 2)}
    assert per_device(daily(database, context)) == {PHONE: phone, LAPTOP: (3, 2)}


def test_a_gap_that_can_not_be_stored_leaves_nothing_of_its_reading(
    router: SimulatedRouter, context: RouterContext, database: Database, clock: ManualClock, read: Callable[..., None]
) -> None:
    router.traffic(PHONE, rx=1_000, tx=500)
    router.commit()
    read()
    read()
    clock.advance(MINUTE)
    router.power_loss()
    router.traffic(PHONE, rx=70, tx=7)
    stored = kept(database)
    with pytest.MonkeyPatch.context() as monkeypatch:
        breaking(monkeypatch, readings_db, "insert_coverage", after=True)
        with pytest.raises(OSError, match="injected"):
            read()
    assert kept(database) == stored
    read()
    assert per_device(hourly(database, context)) == {PHONE: (70, 7)}


@pytest.mark.parametrize(("module", "name"), FIRST_STEPS, ids=[name for _, name in FIRST_STEPS])
def test_a_first_reading_that_fails_at_any_step_leaves_nothing(
    router: SimulatedRouter,
    context: RouterContext,
    database: Database,
    read: Callable[..., None],
    module: object,
    name: str,
) -> None:
    router.traffic(PHONE, rx=1_000, tx=500)
    stored = kept(database)
    with pytest.MonkeyPatch.context() as monkeypatch:
        breaking(monkeypatch, module, name, after=True)
        with pytest.raises(OSError, match="injected"):
            read()
    assert kept(database) == stored
    read()
    assert ask(database, "SELECT total_download, total_upload FROM device_usage_history WHERE span = 'period'") == [
        (1_000, 500)
    ]


def test_a_database_that_goes_away_before_the_commit_has_nothing_of_the_reading(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None], database_url: str
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    read()
    stored = kept(database)
    router.traffic(PHONE, rx=10, tx=20)
    whole = readings_db.upsert_last_reading

    def end_the_session(conn, *args: object, **options: object) -> None:
        whole(conn, *args, **options)
        pid = fetch_one(conn, "SELECT pg_backend_pid()", {})
        other = psycopg2.connect(database_url)
        with other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", pid)
        other.close()

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(readings_db, "upsert_last_reading", end_the_session)
        with pytest.raises(DatabaseUnavailable):
            read()
    assert kept(database) == stored
    read()
    assert per_device(hourly(database, context)) == {PHONE: (10, 20)}


def test_the_same_reading_twice_is_stored_once(
    runtime: Runtime,
    router: SimulatedRouter,
    context: RouterContext,
    clock: ManualClock,
    database: Database,
    read: Callable[..., None],
) -> None:
    store = ReadingStore(database)
    for _ in range(2):  # a first reading, then one with usage
        router.traffic(PHONE, rx=10, tx=20)
        clock.advance(5 * MINUTE)
        record = runtime.routers.get(context)
        taken = runtime.taker.take(record)
        store.store(record, taken)
        stored = kept(database)
        with pytest.raises(StaleBase):
            store.store(record, taken)
        assert kept(database) == stored
    assert per_device(hourly(database, context)) == {PHONE: (10, 20)}


def test_a_reading_of_a_router_deleted_meanwhile_is_not_stored(
    runtime: Runtime, router: SimulatedRouter, context: RouterContext, database: Database
) -> None:
    router.traffic(PHONE, rx=10, tx=20)
    record = runtime.routers.get(context)
    taken = runtime.taker.take(record)
    runtime.routers.delete(context)
    with pytest.raises(RouterNotFound):
        ReadingStore(database).store(record, taken)
    left = dump(database)
    assert {table: rows for table, rows in left.items() if rows and table not in ("users", "audit_log")} == {}


def test_a_commit_while_a_restarted_router_is_read_puts_the_reading_off(
    runtime: Runtime,
    router: SimulatedRouter,
    context: RouterContext,
    clock: ManualClock,
    database: Database,
    read: Callable[..., None],
) -> None:
    """The file would have what the counters have not yet, and all of it would count twice."""
    router.traffic(PHONE, rx=1_000)
    router.commit()
    read()
    clock.advance(MINUTE)
    router.power_loss()
    clock.advance(MINUTE)
    whole = runtime.connections.run
    asked: list[str] = []

    def run(target: RouterTarget, command: str) -> CommandResult:
        if "nlbw -c json -t" in command and not asked:
            asked.append(command)
            clock.advance(timedelta(seconds=1))
            router.traffic(PHONE, rx=70)
            router.commit()
        return whole(target, command)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(runtime.connections, "run", run)
        with pytest.raises(SavedMeanwhile):
            runtime.collector.collect(context)
    assert runtime.routers.get(context).consecutive_failures == 0
    read()
    sums = per_device(hourly(database, context))
    assert sums.get(PHONE, (0, 0))[0] <= 70
