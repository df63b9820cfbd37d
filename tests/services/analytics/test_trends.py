"""Where stored usage goes, with the days behind it."""

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.trends import TrendPeriod, TrendService
from services.usage_summary import Period
from simulator.clock import ManualClock
from tests.homes import BOB, LAPTOP, PHONE, TV
from tests.services.analytics.watched import DAY, NOW, Use, cover
from utils.errors import RouterNotFound
from utils.mac import ZERO_MAC


@pytest.fixture
def trends(runtime: Runtime) -> TrendService:
    return runtime.services.trends


def test_trends_have_direction_change_and_the_days_behind_them(
    trends: TrendService, runtime: Runtime, home: RouterContext, use: Use
) -> None:
    for back in range(7):
        at = NOW.replace(minute=0) - back * DAY
        use(PHONE, at, 1_000 - 100 * back, 0)
        use(TV, at, 100 + 100 * back, 0)
        use(LAPTOP, at, 50_000, 5_000)
        use(ZERO_MAC, at, 1, 1)
    told = trends.get_trends(home, TrendPeriod.LAST_7_DAYS)

    assert list(told.devices) == [LAPTOP, PHONE, TV]
    assert told.trends.increasing == (PHONE,)
    assert told.trends.decreasing == (TV,)
    laptop, phone, tv = told.devices.values()
    assert list(phone.values) == [400, 500, 600, 700, 800, 900]
    assert phone.trend.change_percent == pytest.approx(100 * 500 / 400, abs=15)
    assert tv.trend.change_percent == pytest.approx(-100 * 500 / 700, abs=5)
    assert laptop.trend.change_percent == 0
    assert len(told.days) == 6
    summary = runtime.services.summary.get_summary(home, Period.LAST_7_DAYS, top=10)
    assert summary.trends == told.trends


def test_a_day_nobody_observed_is_null_in_a_trend(
    runtime: Runtime, context: RouterContext, use: Use, database: Database, clock: ManualClock
) -> None:
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    cover(database, context, NOW - 3 * DAY, NOW)
    use(PHONE, NOW.replace(minute=0) - DAY, 5, 0)
    (phone,) = runtime.services.trends.get_trends(context, TrendPeriod.LAST_7_DAYS).devices.values()
    assert list(phone.values) == [None, None, None, None, 0, 5]
    assert phone.trend.change_percent is None
    assert phone.trend.reason == "not enough data: 2 of 6 days observed, 6 are needed"


def test_a_router_is_only_its_owners(trends: TrendService, home: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, home.router_id)
    with pytest.raises(RouterNotFound):
        trends.get_trends(stranger, TrendPeriod.LAST_7_DAYS)
