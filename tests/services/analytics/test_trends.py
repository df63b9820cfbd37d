"""Where stored usage goes, with the days behind it."""

from datetime import date

import pytest

from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, cleanup_old_data, update_device_metadata
from server import Runtime
from services.context import RouterContext
from services.trends import TrendPeriod, TrendService
from services.usage_summary import Period
from simulator.clock import ManualClock
from tests.homes import BOB, LAPTOP, PHONE, TV
from tests.services.analytics.watched import BERLIN, DAY, HOUR, NOW, Use, cover, spread_evenly
from utils.errors import RouterNotFound
from utils.mac import ZERO_MAC

TABLET = "02:11:22:33:44:77"
#: The local hour that NOW lies in.
NOON = 15


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
    assert phone.trend.reason == "not enough data: 2 of 6 days known, 6 are needed"


def test_a_router_is_only_its_owners(trends: TrendService, home: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, home.router_id)
    with pytest.raises(RouterNotFound):
        trends.get_trends(stranger, TrendPeriod.LAST_7_DAYS)


def test_all_devices_together_have_a_trend_with_what_counts_in_totals_alone(
    trends: TrendService, home: RouterContext, use: Use
) -> None:
    for back in range(57):
        at = NOW.replace(minute=0) - back * DAY
        use(PHONE, at, 1_000, 100)
        use(ZERO_MAC, at, 3_000 - 45 * back, 0)
    told = trends.get_trends(home, TrendPeriod.LAST_30_DAYS)

    assert list(told.devices) == [PHONE]
    assert told.devices[PHONE].trend.direction == "stable"
    assert told.total.trend.direction == "increasing"
    assert told.total.values[-1] == 1_100 + 3_000 - 45
    assert told.coverage == 1


def test_a_new_device_has_not_enough_days(
    trends: TrendService, home: RouterContext, use: Use, database: Database
) -> None:
    sighting = DeviceSighting(mac=TABLET, hostname="tablet", ips="", is_router=False, is_active=True)
    with database.transaction() as conn:
        first_seen = NOW - 3 * DAY
        update_device_metadata(conn, home.session_id, home.router_id, [sighting], at=first_seen, previous_at=None)
    for back in range(4):
        use(TABLET, NOW.replace(minute=0) - back * DAY, 10_000, 0)
    tablet = trends.get_trends(home, TrendPeriod.LAST_7_DAYS).devices[TABLET]

    assert list(tablet.values) == [None, None, None, None, 10_000, 10_000]
    assert tablet.trend.direction is None
    assert tablet.trend.reason == "not enough data: 2 of 6 days known, 6 are needed"
    assert tablet.month.used == 40_000
    assert tablet.month.projection is None
    assert tablet.month.reason == "not enough data: 2 of the last 56 days known, 7 are needed"
    assert tablet.hours.averages[NOON] == 10_000
    assert tablet.hours.observed[NOON] == 3


def test_profiles_are_averages_of_what_was_observed_and_is_kept(
    trends: TrendService, home: RouterContext, use: Use, database: Database
) -> None:
    for back in range(30):
        use(PHONE, NOW.replace(minute=0) - back * DAY - HOUR, 1_000 + 1_400 * (back == 1), 0)
    with database.transaction() as conn:
        kept_from = NOW - 10 * DAY
        cleanup_old_data(conn, raw_before=None, hourly_before=kept_from, daily_before=None)
    told = trends.get_trends(home, TrendPeriod.LAST_30_DAYS)

    for tendency in (told.total, told.devices[PHONE]):
        assert tendency.hours.observed[NOON - 1] == 10
        assert tendency.hours.averages[NOON - 1] == 1_000 + 140
        assert tendency.hours.averages[3] == 0
        assert sum(tendency.weekdays.observed) == pytest.approx(29)
        assert tendency.weekdays.averages[0] == 1_000
        assert tendency.weekdays.averages[1] == 1_000 + 280  # five Tuesdays


def test_an_even_share_of_a_longer_time_says_nothing_of_an_hour(
    trends: TrendService, home: RouterContext, use: Use, database: Database
) -> None:
    noon = NOW.replace(hour=11, minute=0)
    for back in (1, 2, 3):
        use(PHONE, noon - back * DAY, 1_000 * back, 0)
    spread_evenly(database, home, noon - 3 * DAY - 2 * HOUR, noon - 3 * DAY + 4 * HOUR)
    hours = trends.get_trends(home, TrendPeriod.LAST_7_DAYS).devices[PHONE].hours
    assert (hours.observed[12], hours.averages[12]) == (3, 1_000)


def test_days_of_which_only_the_sum_is_known_say_nothing_of_a_trend(
    trends: TrendService, runtime: Runtime, home: RouterContext, use: Use, database: Database
) -> None:
    """A router that is read once a week, at noon: each week's days are even, and so is the half of each Wednesday."""
    noon = NOW.replace(hour=11, minute=0)
    for back in range(56):
        use(PHONE, noon - back * DAY, 1_000 + 1_000 * (back < 7), 0)
    spread_evenly(database, home, noon - 7 * DAY, noon)
    spread_evenly(database, home, noon - 63 * DAY, noon - 7 * DAY, times=8)
    told = trends.get_trends(home, TrendPeriod.LAST_30_DAYS)
    phone = told.devices[PHONE]

    assert told.coverage == 1
    assert set(phone.values) == {None}
    assert phone.trend.reason == "not enough data: 0 of 29 days known, 6 are needed"
    assert set(phone.weekdays.averages) == {None}
    assert told.trends.increasing == told.trends.stable == ()
    assert phone.month.used == 7 * 2_000 + 5 * 1_000
    assert phone.month.reason == "not enough data: 0 of the last 56 days known, 7 are needed"
    summary = runtime.services.summary.get_summary(home, Period.LAST_30_DAYS, top=10)
    assert (summary.trends, summary.total_usage) == (told.trends, 7 * 2_000 + 23 * 1_000)


def test_a_weekend_without_a_reading_leaves_the_days_around_it(
    trends: TrendService, home: RouterContext, use: Use, database: Database
) -> None:
    for back in range(57):
        use(PHONE, NOW.replace(minute=0) - back * DAY, 1_000, 0)
    friday_evening = NOW.replace(hour=18, minute=0) - 5 * DAY
    spread_evenly(database, home, friday_evening, friday_evening + 60 * HOUR)
    spread_evenly(database, home, NOW - 30 * HOUR, NOW - 6 * HOUR)  # a night and the day before it are told, if roughly
    phone = trends.get_trends(home, TrendPeriod.LAST_7_DAYS).devices[PHONE]

    assert list(phone.values) == [1_000, 1_000, None, None, 1_000, 1_000]
    assert phone.trend.direction == "stable"
    assert phone.month.used == 12_000
    assert phone.month.projection is not None
    assert phone.month.projection.expected == pytest.approx(30_000, rel=0.02)


def test_a_month_comes_to_what_was_used_and_days_like_those_before(
    trends: TrendService, home: RouterContext, use: Use
) -> None:
    for back in range(57):
        use(PHONE, NOW.replace(minute=0) - back * DAY - 9 * HOUR, 1_000, 0)
    month = trends.get_trends(home, TrendPeriod.LAST_7_DAYS)
    assert (month.month.first_day, month.month.last_day) == (date(2031, 11, 1), date(2031, 11, 30))
    assert month.month.coverage == 1
    outlook = month.devices[PHONE].month
    assert outlook.used == 12_000
    assert outlook.projection is not None
    assert outlook.projection.expected == pytest.approx(30_000, abs=500)  # today's share went by in its first hours
    assert 12_000 < outlook.projection.low < outlook.projection.expected < outlook.projection.high < 35_000


@pytest.mark.parametrize(("unseen", "is_projected"), [(4, True), (8, False)])
def test_days_of_the_month_that_nobody_saw_are_not_without_usage(
    runtime: Runtime,
    context: RouterContext,
    use: Use,
    database: Database,
    clock: ManualClock,
    unseen: int,
    is_projected: bool,
) -> None:
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    back_again = BERLIN.midnight(date(2031, 11, 1 + unseen))
    cover(database, context, NOW - 57 * DAY, BERLIN.midnight(date(2031, 11, 1)))
    cover(database, context, back_again, NOW)
    for back in range(57):
        at = NOW.replace(minute=0) - back * DAY
        if not 1 <= BERLIN.day_of(at).day <= unseen or BERLIN.day_of(at).month != 11:
            use(PHONE, at, 1_000, 0)
    told = runtime.services.trends.get_trends(context, TrendPeriod.LAST_7_DAYS)
    outlook = told.total.month

    assert outlook.used == 1_000 * (12 - unseen)
    assert told.month.coverage == pytest.approx((11.65 - unseen) / 11.65, abs=0.01)
    assert (outlook.projection is not None) is is_projected
    if outlook.projection:
        assert outlook.projection.expected == pytest.approx(30_000, rel=0.02)
    else:
        assert outlook.reason == "not enough data: 31 % of the month so far observed, 50 % are needed"


def test_devices_come_in_pages_and_directions_do_not(trends: TrendService, home: RouterContext, use: Use) -> None:
    for back in range(7):
        for mac, used in ((PHONE, 3_000), (TV, 2_000), (LAPTOP, 1_000)):
            use(mac, NOW.replace(minute=0) - back * DAY, used, 0)
    told = trends.get_trends(home, TrendPeriod.LAST_7_DAYS, page=2, page_size=2)

    assert list(told.devices) == [LAPTOP]
    assert told.device_count == 3
    assert told.trends.stable == (PHONE, TV, LAPTOP)
    assert told.total.values == [6_000] * 6
    assert told.total.hours.averages[NOON] == 6_000
    assert told.devices[LAPTOP].hours.averages[NOON] == 1_000
