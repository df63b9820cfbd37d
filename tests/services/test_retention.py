"""How long usage is kept, by the configured number of days."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.accounts.sessions import Browser
from services.audit import AuditAction, Doer
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import ALICE, PHONE, ask, register

DAY = timedelta(days=1)


@pytest.fixture
def counted(database: Database) -> Callable[[], tuple[int, ...]]:
    """Rows kept: raw, hourly, daily."""

    def count() -> tuple[int, ...]:
        tables = ("device_usage_monitoring", "device_usage_hourly", "device_usage_history WHERE span = 'day'")
        return tuple(ask(database, f"SELECT count(*) FROM {table}")[0][0] for table in tables)

    return count


def test_each_kind_is_kept_for_its_days_and_zero_is_for_ever(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    counted: Callable[[], tuple[int, ...]],
) -> None:
    def keeping(raw: int, hourly: int, daily: int) -> Runtime:
        return make_runtime(raw_retention_days=raw, hourly_retention_days=hourly, daily_retention_days=daily)

    runtime = keeping(0, 0, 0)
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    for _ in range(6):
        clock.advance(DAY - timedelta(hours=1))
        runtime.collector.collect(context)
        router.traffic(PHONE, rx=24, tx=24)
        clock.advance(timedelta(hours=1))
        runtime.collector.collect(context)
    whole = counted()
    assert whole[0] >= 6
    assert whole[1:] == (6, 6)
    runtime.retention.clean_up()
    assert counted() == whole
    keeping(2, 0, 0).retention.clean_up()
    assert counted()[0] < whole[0]
    assert counted()[1:] == (6, 6)
    keeping(0, 3, 0).retention.clean_up()
    assert counted()[1:] == (3, 6)
    keeping(0, 0, 4).retention.clean_up()
    assert counted()[1] == 3
    assert 4 <= counted()[2] < 6
    clock.advance(DAY)
    runtime.collector.collect(context)
    assert counted()[0] > 0


def test_sign_ins_that_ran_out_and_old_audit_entries_go_with_the_daily_clean_up(
    make_runtime: Callable[..., Runtime], clock: ManualClock, database: Database
) -> None:
    runtime = make_runtime(session_idle_hours=24, session_max_days=2, audit_retention_days=30)
    services = runtime.services
    browser = Browser(address="127.0.0.1", user_agent="test")

    def act() -> None:
        services.audit.record(ALICE, AuditAction.EXPORTED, "", by=Doer())

    def kept() -> tuple[int, int]:
        ((exports,),) = ask(database, "SELECT count(*) FROM audit_log WHERE action = 'exported'")
        return ask(database, "SELECT count(*) FROM sessions")[0][0], exports

    services.sessions.open(ALICE, browser)
    act()
    clock.advance(DAY - timedelta(hours=1))
    still_used = services.sessions.open(ALICE, browser)
    clock.advance(timedelta(hours=2))
    runtime.retention.clean_up()
    assert kept() == (1, 1), "the first browser was idle for 25 hours"
    assert services.sessions.find(still_used) is not None
    clock.advance(29 * DAY)
    act()
    runtime.retention.clean_up()
    assert kept() == (0, 1)
    make_runtime(audit_retention_days=0).retention.clean_up()
    clock.advance(400 * DAY)
    make_runtime(audit_retention_days=0).retention.clean_up()
    assert kept() == (0, 1), "0 is for ever"
