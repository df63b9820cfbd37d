"""Readings as they are stored: all of one or nothing, once, and to the byte what the router's ledger says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from commands_server_operations.router_target import CommandResult, RouterTarget
from db_operations import device_usage_db, devices_db, readings_db, rollups_db, routers_db
from db_operations.database import Database
from db_operations.statements import execute, fetch_one
from server import Runtime
from services.context import RouterContext
from services.credentials import Credentials
from services.reading_store import ReadingStore, StaleBase
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router, typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import (
    LAPTOP,
    PHONE,
    START,
    TickingClock,
    ask,
    covered,
    daily,
    dump,
    hourly,
    per_device,
    register,
    truth,
)
from utils.errors import DatabaseUnavailable, NetPilotError, RouterNotFound, SavedMeanwhile
from utils.mac import ZERO_MAC

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def read(runtime: Runtime, context: RouterContext, clock: ManualClock) -> Callable[..., None]:
    """Lets time pass and collects: read(5 * MINUTE)."""

    def collect(after: timedelta = 5 * MINUTE) -> None:
        clock.advance(after)
        runtime.collector.collect(context)

    return collect


def kept(database: Database) -> dict[str, list[str]]:
    """Everything stored but the routers' own rows: those tell of the failure."""
    return {table: rows for table, rows in dump(database).items() if table != "routers"}


# --- all or nothing --------------------------------------------------------------------------------------

STEPS = [
    (devices_db, "list_known_devices"),
    (device_usage_db, "store_device_usage_snapshot"),
    (rollups_db, "add_to_hourly"),
    (rollups_db, "add_to_daily"),
    (device_usage_db, "update_device_metadata"),
    (readings_db, "upsert_last_reading"),
    (routers_db, "record_success"),
]
FIRST_STEPS = [step for step in STEPS if not step[1].startswith("add_to_")] + [(rollups_db, "insert_period_totals")]


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
    assert {table: rows for table, rows in left.items() if rows and table != "users"} == {}


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

    def run(target: RouterTarget, command: str) -> CommandResult:
        if "nlbw -c json -t" in command:
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


# --- several collectors ----------------------------------------------------------------------------------


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


# --- when a reading is of ---------------------------------------------------------------------------------


def test_usage_over_several_hours_is_spread_in_proportion_and_adds_up_exactly(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    clock.set(START + 15 * MINUTE)
    read(timedelta(0))
    router.traffic(PHONE, rx=1_000_003, tx=7)
    read(3 * HOUR + 30 * MINUTE)  # 09:15 to 12:45: 45, 60, 60, 45 minutes
    rows = hourly(database, context)
    downs = [rows.get((PHONE, START + number * HOUR), (0, 0)) for number in range(4)]
    assert [down for down, _ in downs] == [214_286, 285_715, 285_715, 214_287]
    assert sum(down for down, _ in downs) == 1_000_003
    assert sum(up for _, up in downs) == 7
    assert daily(database, context) == {(PHONE, START.date()): (1_000_003, 7)}


def test_usage_over_midnight_is_in_both_days_as_the_router_has_them(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    clock.set(datetime(2031, 11, 11, 22, 0, tzinfo=UTC))  # 23:00 in Berlin
    read(timedelta(0))
    router.traffic(PHONE, rx=300, tx=3)
    read(3 * HOUR)
    assert daily(database, context) == {
        (PHONE, datetime(2031, 11, 11).date()): (100, 1),  # noqa: DTZ001
        (PHONE, datetime(2031, 11, 12).date()): (200, 2),  # noqa: DTZ001
    }


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham"])
def test_days_are_the_sums_of_their_slots_also_where_midnight_is_no_full_hour(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, zone: str
) -> None:
    router = empty_router(clock, zone=zone)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    for step in range(40):
        router.traffic(PHONE, rx=10_007 * (step + 1), tx=step)
        clock.advance(timedelta(minutes=101))
        runtime.collector.collect(context)
    assert runtime.routers.get(context).timezone == zone
    sums: dict[tuple[str, object], tuple[int, int]] = {}
    for (mac, slot), (down, up) in hourly(database, context).items():
        key = (mac, slot.astimezone(ZoneInfo(zone)).date())
        old = sums.get(key, (0, 0))
        sums[key] = (old[0] + down, old[1] + up)
    assert daily(database, context) == sums
    assert per_device(sums) == truth(router.ledger.totals())


def test_a_first_reading_is_in_no_hour_or_day_but_kept_as_its_period(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    router.traffic(PHONE, rx=123, tx=45)
    read()
    assert hourly(database, context) == daily(database, context) == {}
    assert ask(
        database,
        "SELECT device_mac, start_date::text, end_date::text, total_download, total_upload, total_usage "
        "FROM device_usage_history WHERE span = 'period'",
    ) == [(PHONE, "2031-11-01", "2031-11-30", 123, 45, 168)]
    assert ask(database, "SELECT usage_down, bytes_downloaded FROM device_usage_monitoring") == [(None, 123)]


def test_usage_that_is_in_an_archive_alone_is_in_the_raw_readings_too(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    """A device that used something before the rollover and nothing since has no row in the table any more."""
    clock.set(datetime(2031, 11, 30, 22, 50, tzinfo=UTC))
    router.traffic(LAPTOP, rx=1, tx=1)
    read(MINUTE)
    router.traffic(PHONE, rx=70, tx=7)
    read(HOUR)
    assert per_device(hourly(database, context)) == {PHONE: (70, 7)}
    assert ask(
        database,
        "SELECT device_mac, bytes_downloaded, usage_down, usage_up FROM device_usage_monitoring WHERE usage_down > 0",
    ) == [(PHONE, 0, 70, 7)]


def test_coverage_is_one_stretch_over_many_readings(
    context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    for _ in range(30):
        read()
    assert covered(database, context) == [(START + 5 * MINUTE, START + 150 * MINUTE)]


def test_a_restart_shows_as_a_gap_in_the_coverage(
    router: SimulatedRouter, context: RouterContext, clock: ManualClock, database: Database, read: Callable[..., None]
) -> None:
    read()
    clock.advance(2 * MINUTE)
    router.power_loss()
    read(3 * MINUTE)
    read()
    read()
    assert covered(database, context) == [
        (START + 5 * MINUTE, START + 5 * MINUTE),
        (START + 7 * MINUTE, START + 20 * MINUTE),
    ]


def test_a_device_out_of_monitoring_is_not_stored(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=1, tx=1)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": PHONE})
    before = ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE)
    for mac in (PHONE, LAPTOP):
        router.traffic(mac, rx=10, tx=20)
    read()
    assert per_device(hourly(database, context)) == per_device(daily(database, context)) == {LAPTOP: (10, 20)}
    after = ask(database, "SELECT count(*) FROM device_usage_monitoring WHERE device_mac = %(mac)s", mac=PHONE)
    assert before == after


def test_what_a_device_used_out_of_monitoring_does_not_come_back_with_it(
    router: SimulatedRouter, context: RouterContext, database: Database, read: Callable[..., None]
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false", {})
    router.traffic(PHONE, rx=1_000, tx=1_000)
    read()
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = true", {})
    router.traffic(PHONE, rx=5, tx=6)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (5, 6)}


@pytest.mark.parametrize("back", [timedelta(0), -MINUTE, -2 * HOUR], ids=["still", "a minute", "two hours"])
def test_a_server_clock_that_goes_back_costs_no_byte(
    router: SimulatedRouter,
    context: RouterContext,
    runtime: Runtime,
    clock: ManualClock,
    database: Database,
    read: Callable[..., None],
    back: timedelta,
) -> None:
    """Until it has caught up readings are refused, as other failures are."""
    read()
    router.traffic(PHONE, rx=100, tx=10)
    router.advance()
    stored = per_device(hourly(database, context))
    clock.advance(back)
    with pytest.raises(NetPilotError):
        runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == stored
    clock.advance(-back)
    router.traffic(PHONE, rx=1, tx=1)
    read()
    assert per_device(hourly(database, context)) == {PHONE: (101, 11)}


# --- through SSH, against the ledger ----------------------------------------------------------------------


def by_local_day(hours: dict[tuple[str, datetime], tuple[int, int]]) -> dict[tuple[str, object], tuple[int, int]]:
    days: dict[tuple[str, object], tuple[int, int]] = {}
    for (mac, hour), (down, up) in hours.items():
        key = (mac, hour.astimezone(BERLIN).date())
        old = days.get(key, (0, 0))
        days[key] = (old[0] + down, old[1] + up)
    return days


@pytest.mark.parametrize(
    "start", [datetime(2031, 11, 29, 9, tzinfo=UTC), datetime(2031, 10, 25, 0, tzinfo=UTC)], ids=["rollover", "dst"]
)
def test_three_days_of_a_home_are_stored_to_the_byte(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, start: datetime
) -> None:
    clock.set(start)
    home = typical_home(start=start, clock=clock)
    runtime = make_runtime()
    context = register(runtime, ssh.add(home))
    runtime.collector.collect(context)
    for _ in range(3 * 48):
        clock.advance(30 * MINUTE)
        runtime.collector.collect(context)
    hours = truth(home.ledger.hours())
    assert len({mac for mac, _ in hours}) >= 12
    assert ZERO_MAC in {mac for mac, _ in hours}
    assert hourly(database, context) == hours
    assert daily(database, context) == by_local_day(hours)
    assert covered(database, context) == [(start, start + timedelta(days=3))]


def test_readings_that_do_not_meet_the_rollover_bring_all_of_it(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    start = datetime(2031, 11, 30, 20, 7, tzinfo=UTC)
    clock.set(start)
    home = typical_home(start=start, clock=clock)
    runtime = make_runtime()
    context = register(runtime, ssh.add(home))
    runtime.collector.collect(context)
    for _ in range(12):
        clock.advance(31 * MINUTE)
        runtime.collector.collect(context)
    totals = truth(home.ledger.totals())
    assert per_device(hourly(database, context)) == per_device(daily(database, context)) == totals


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("interval", ["1", "15", "31", "0", "-5", "2031-11-10/2", "2031-11-01/7"])
def test_every_rollover_that_nlbwmon_can_be_set_to_brings_all_of_it(
    make_runtime: Callable[..., Runtime],
    ssh: SshServer,
    clock: ManualClock,
    database: Database,
    interval: str,
    zone: str,
) -> None:
    """Periods are named and cut as nlbwmon's own timing.c does it, months without a day 31 among them."""
    clock.set(datetime(2031, 12, 20, 9, tzinfo=UTC))
    router = empty_router(clock, zone=zone, database_interval=interval, commit_interval=3_600)
    router.traffic(LAPTOP, rx=1, tx=1)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    started = router.ledger.totals()
    for number in range(65 if "/" not in interval else 20):
        router.traffic(PHONE, rx=1_000_000 + number, tx=number)
        router.traffic(LAPTOP, rx=10, tx=20)
        clock.advance(timedelta(hours=11, minutes=7))
        router.traffic(PHONE, rx=1, tx=0)
        clock.advance(timedelta(hours=14))
        runtime.collector.collect(context)
    expected = truth(router.ledger.totals())
    expected[LAPTOP] = (expected[LAPTOP][0] - started[LAPTOP].rx, expected[LAPTOP][1] - started[LAPTOP].tx)
    assert per_device(hourly(database, context)) == expected


@pytest.mark.parametrize("interval", ["1", "2031-11-10/2"])
def test_weeks_without_a_reading_over_several_rollovers_bring_all_of_it(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock, database: Database, interval: str
) -> None:
    router = empty_router(clock, zone="UTC", database_interval=interval)
    runtime = make_runtime()
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    days = 70 if interval == "1" else 9
    for number in range(days * 4):
        clock.advance(6 * HOUR)
        router.traffic(PHONE, rx=1_000_000 + number, tx=number)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(router.ledger.totals())


def test_another_router_at_a_new_address_starts_from_its_own_counters(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    """Its whole period would pass for five minutes of usage."""
    hosted.router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    other = ssh.add(empty_router(clock), password="other")
    other.router.traffic(PHONE, rx=10**12)
    runtime.routers.update(context, {"port": other.port}, credentials=Credentials(password="other"))
    clock.advance(5 * MINUTE)

    first = runtime.collector.collect(context)
    other.router.traffic(PHONE, rx=77)
    clock.advance(5 * MINUTE)
    second = runtime.collector.collect(context)

    assert (first.stored.bytes_down, second.stored.bytes_down) == (0, 77)


def test_the_same_router_at_a_new_address_goes_on(
    runtime: Runtime, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    hosted.router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    credentials = Credentials(password=hosted.password)
    runtime.routers.update(context, {"host": "localhost"}, credentials=credentials)
    hosted.router.traffic(PHONE, rx=55)
    clock.advance(5 * MINUTE)

    assert runtime.collector.collect(context).stored.bytes_down == 55
