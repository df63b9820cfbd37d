"""Histories and summaries over days that the simulator lived, against its ledger."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db_operations.database import Database
from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from services.usage_history import History
from services.usage_summary import Period
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import BOB, LAPTOP, PHONE, ask
from utils.errors import DeviceNotFound, RouterNotFound

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


@pytest.fixture
def lived(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> SimulatedRouter:
    """Ten days over the end of summer time, a reading an hour."""
    clock.set(datetime(2031, 10, 20, 22, 0, tzinfo=UTC))
    router.traffic(LAPTOP, rx=1, tx=1)
    runtime.collector.collect(context)
    for hour in range(10 * 24):
        router.traffic(PHONE, rx=1_000 + hour, tx=hour)
        if hour % 5 == 0:
            router.traffic(LAPTOP, rx=7, tx=0)
        clock.advance(HOUR)
        runtime.collector.collect(context)
    return router


def history(runtime: Runtime, context: RouterContext, granularity: Granularity, first: str, last: str) -> History:
    return runtime.services.history.get_history(
        context,
        start_date=date.fromisoformat(first),
        end_date=date.fromisoformat(last),
        granularity=granularity,
        page=1,
        page_size=50,
    )


@pytest.mark.parametrize("granularity", list(Granularity))
def test_every_granularity_tells_what_the_ledger_says(
    runtime: Runtime, context: RouterContext, lived: SimulatedRouter, granularity: Granularity
) -> None:
    told = history(runtime, context, granularity, "2031-10-21", "2031-10-30")
    expected: dict[tuple[str, datetime], int] = {}
    for (mac, hour), usage in lived.ledger.hours().items():
        (start,) = [one.span.start for one in told.buckets if one.span.start <= hour < one.span.end]
        expected[mac, start] = expected.get((mac, start), 0) + usage.rx
    first = told.buckets[0].span.start
    expected[LAPTOP, first] -= 1  # before the first reading
    shown = {
        (device.mac, bucket.span.start): usage.bytes_down
        for device in told.devices
        for bucket, usage in zip(told.buckets, device.buckets, strict=True)
        if usage.bytes_down
    }
    assert shown == expected
    for at, usage in enumerate(told.usage):
        assert (usage.bytes_down or 0) == sum(device.buckets[at].bytes_down or 0 for device in told.devices)
    assert told.totals.bytes_down == sum(expected.values())
    assert told.coverage == pytest.approx(1.0, abs=0.01)


def test_one_device_alone_is_its_part_of_all(runtime: Runtime, context: RouterContext, lived: SimulatedRouter) -> None:
    every = history(runtime, context, Granularity.DAY, "2031-10-21", "2031-10-30")
    alone, mac, name = runtime.services.history.get_device_history(
        context,
        PHONE,
        start_date=date(2031, 10, 21),
        end_date=date(2031, 10, 30),
        granularity=Granularity.DAY,
    )
    assert mac == name == PHONE
    (part,) = [device for device in every.devices if device.mac == PHONE]
    assert [usage.bytes_down for usage in alone.usage] == [usage.bytes_down for usage in part.buckets]


def test_a_gap_is_null_and_half_a_gap_is_shown_as_coverage(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=1)
    runtime.collector.collect(context)
    clock.advance(HOUR)
    runtime.collector.collect(context)  # 9 to 10 is whole
    clock.advance(3.5 * HOUR)
    router.power_loss()  # 10 to 13:30 is unknown
    clock.advance(HOUR / 2)
    router.traffic(PHONE, rx=50)
    runtime.collector.collect(context)
    told = history(runtime, context, Granularity.HOUR, "2031-11-11", "2031-11-11")
    by_hour = {one.span.start.hour: at for at, one in enumerate(told.buckets) if one.span.start.day == 11}
    assert [told.coverages[by_hour[hour]] for hour in (8, 9, 10, 11, 12, 13, 14)] == [0, 1, 0, 0, 0, 0.5, 0]
    assert [told.usage[by_hour[hour]].bytes_down for hour in (9, 10, 12, 13, 14)] == [0, None, None, 50, None]


def test_a_router_and_its_devices_are_only_their_owners(
    runtime: Runtime, context: RouterContext, lived: SimulatedRouter, bob: str
) -> None:
    stranger = RouterContext(BOB, context.router_id)
    with pytest.raises(RouterNotFound):
        history(runtime, stranger, Granularity.DAY, "2031-10-21", "2031-10-30")
    with pytest.raises(RouterNotFound):
        runtime.services.summary.get_summary(stranger, Period.LAST_7_DAYS, top=3)
    with pytest.raises(DeviceNotFound):
        runtime.services.history.get_device_history(
            context, "02:00:00:00:00:01", start_date=None, end_date=None, granularity=Granularity.DAY
        )


def test_a_summary_agrees_with_the_history_of_its_days(
    runtime: Runtime, context: RouterContext, lived: SimulatedRouter, clock: ManualClock
) -> None:
    clock.advance(-HOUR)  # the last day is not over yet
    summary = runtime.services.summary.get_summary(context, Period.LAST_7_DAYS, top=1)
    told = history(runtime, context, Granularity.DAY, "2031-10-24", "2031-10-30")
    assert summary.total_usage == sum(told.totals)
    (top,) = summary.top_devices
    assert (top.mac, top.usage) == (PHONE, told.devices[0].bytes_down + told.devices[0].bytes_up)
    assert 99 < top.percentage <= 100
    assert PHONE in summary.trends.stable


def test_a_first_reading_in_the_middle_of_a_period_is_in_no_bucket(
    runtime: Runtime, context: RouterContext, lived: SimulatedRouter, database: Database
) -> None:
    assert ask(database, "SELECT total_download FROM device_usage_history WHERE span = 'period'") == [(1,)]
    (laptop,) = [
        device
        for device in history(runtime, context, Granularity.DAY, "2031-10-21", "2031-10-30").devices
        if device.mac == LAPTOP
    ]
    assert laptop.bytes_down == 48 * 7
