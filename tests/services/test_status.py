"""What the status warns of, and when."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE, register
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
