"""How long usage is kept, by the configured number of days."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE, ask, register

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
