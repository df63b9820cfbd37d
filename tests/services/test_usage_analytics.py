"""Analytics over stored usage: which days are meant, what was observed, and whose it is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from db_operations import readings_db, rollups_db
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, update_device_metadata
from db_operations.rollups_db import RollupRow
from server import Runtime
from services.buckets import Granularity
from services.chosen_days import Days
from services.context import RouterContext
from services.report_period import ReportPeriod, ReportRequest
from services.unusual_usage import Direction, Sensitivity
from services.usage_analytics import ComparedPeriod, TrendPeriod, UsageAnalyticsService
from services.usage_summary import Period
from simulator.clock import ManualClock
from tests.homes import BOB, LAPTOP, PHONE, TV
from utils.errors import RouterNotFound, ValidationFailed
from utils.mac import ZERO_MAC
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MB, GB = 10**6, 10**9
#: A Wednesday, 15:30 in Berlin.
NOW = datetime(2031, 11, 12, 14, 30, tzinfo=UTC)

Use = Callable[[str, datetime, int, int], None]


@pytest.fixture
def analytics(runtime: Runtime) -> UsageAnalyticsService:
    return runtime.services.analytics


@pytest.fixture
def home(context: RouterContext, clock: ManualClock, database: Database, runtime: Runtime) -> RouterContext:
    """Watched for 60 days without a gap until now; phone, laptop and TV are known from the start."""
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    cover(database, context, NOW - 60 * DAY, NOW)
    sightings = [
        DeviceSighting(mac=mac, hostname=name, ips="", is_router=False, is_active=False)
        for mac, name in ((PHONE, "phone"), (LAPTOP, "laptop"), (TV, "tv"))
    ]
    with database.transaction() as conn:
        update_device_metadata(
            conn, context.session_id, context.router_id, sightings, at=NOW - 60 * DAY, previous_at=None
        )
    return context


def cover(database: Database, context: RouterContext, start: datetime, end: datetime) -> None:
    with database.transaction() as conn:
        readings_db.insert_coverage(conn, context.session_id, context.router_id, start=start, end=end)


@pytest.fixture
def use(database: Database, context: RouterContext) -> Use:
    """use(mac, hour, down, up): usage in one UTC hour and its day."""

    def store(mac: str, at: datetime, down: int, up: int = 0) -> None:
        owner = (context.session_id, context.router_id)
        with database.transaction() as conn:
            rollups_db.add_to_hourly(conn, *owner, [RollupRow(mac, at, down, up)])
            rollups_db.add_to_daily(conn, *owner, [RollupRow(mac, BERLIN.day_of(at), down, up)])

    return store


# --- comparison ------------------------------------------------------------------------------------------


def test_this_week_is_held_against_the_last_up_to_the_same_point(
    analytics: UsageAnalyticsService, home: RouterContext, use: Use
) -> None:
    use(PHONE, datetime(2031, 11, 12, 14, tzinfo=UTC), 900)  # the running hour: all there is of it
    use(PHONE, datetime(2031, 11, 5, 14, tzinfo=UTC), 1_001)  # half of it was over by then
    use(PHONE, datetime(2031, 11, 5, 15, tzinfo=UTC), 50_000)  # later
    use(PHONE, datetime(2031, 11, 2, 23, tzinfo=UTC), 7)  # Monday's first hour in Berlin
    use(PHONE, datetime(2031, 11, 2, 22, tzinfo=UTC), 50_000)  # the Sunday before
    compared = analytics.compare_to_previous(home, ComparedPeriod.WEEK)

    assert (compared.before.start, compared.before.end) == (
        datetime(2031, 11, 2, 23, tzinfo=UTC),
        datetime(2031, 11, 5, 14, 30, tzinfo=UTC),
    )
    assert (compared.after.start, compared.after.end) == (datetime(2031, 11, 9, 23, tzinfo=UTC), NOW)
    assert compared.comparison.total.before == (507, 0)
    assert compared.comparison.total.after == (900, 0)
    assert (compared.before.coverage, compared.after.coverage) == (1, 1)
    assert compared.names == {PHONE: "phone"}


def test_a_month_keeps_its_local_time_over_the_clock_change(
    analytics: UsageAnalyticsService, home: RouterContext
) -> None:
    compared = analytics.compare_to_previous(home, ComparedPeriod.MONTH)
    assert compared.before.start == datetime(2031, 9, 30, 22, tzinfo=UTC)
    assert compared.before.end == datetime(2031, 10, 12, 13, 30, tzinfo=UTC)


def test_a_month_longer_than_the_one_before_is_held_against_all_of_that(
    analytics: UsageAnalyticsService, home: RouterContext, clock: ManualClock
) -> None:
    clock.set(datetime(2031, 10, 31, 12, 0, tzinfo=UTC))
    before = analytics.compare_to_previous(home, ComparedPeriod.MONTH).before
    assert before.end == BERLIN.midnight(date(2031, 10, 1))


def test_ranges_of_days_are_whole(analytics: UsageAnalyticsService, home: RouterContext, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 1, 22, tzinfo=UTC), 10)
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    first, second = Days(date(2031, 11, 1), date(2031, 11, 2)), Days(date(2031, 11, 3), date(2031, 11, 4))
    compared = analytics.compare_days(home, first, second)
    assert (compared.comparison.total.absolute, compared.comparison.total.percent) == (20, 200.0)


def test_a_period_nobody_observed_is_not_zero(analytics: UsageAnalyticsService, home: RouterContext, use: Use) -> None:
    use(PHONE, datetime(2031, 11, 3, 23, tzinfo=UTC), 30)
    days = Days(date(2031, 11, 3), date(2031, 11, 4))
    compared = analytics.compare_days(home, Days(date(2030, 11, 3), date(2030, 11, 4)), days)
    assert (compared.before.totals, compared.before.coverage) == (None, 0)
    assert compared.comparison.total.absolute is None
    observed = analytics.compare_days(home, Days(date(2031, 10, 3), date(2031, 10, 4)), days)
    assert observed.comparison.total.absolute == 30


def test_the_hour_of_midnight_has_nothing_to_compare_yet(
    analytics: UsageAnalyticsService, home: RouterContext, clock: ManualClock
) -> None:
    clock.set(datetime(2031, 11, 9, 23, 0, tzinfo=UTC))
    compared = analytics.compare_to_previous(home, ComparedPeriod.WEEK)
    assert (compared.before.totals, compared.after.totals) == (None, None)


@pytest.mark.parametrize(("first", "last"), [("2031-11-02", "2031-11-01"), ("2026-11-02", "2031-11-01")])
def test_a_range_that_is_none_names_its_start(
    analytics: UsageAnalyticsService, home: RouterContext, first: str, last: str
) -> None:
    good = Days(date(2031, 11, 1), date(2031, 11, 2))
    with pytest.raises(ValidationFailed) as caught:
        analytics.compare_days(home, good, Days(date.fromisoformat(first), date.fromisoformat(last)))
    assert list(caught.value.details or {}) == ["period2Start"]


# --- anomalies -------------------------------------------------------------------------------------------


@pytest.fixture
def backups(home: RouterContext, use: Use) -> datetime:
    """45 nights with a backup of the laptop at three in Berlin, one of them far too large: when."""
    for back in range(45):
        at = datetime(2031, 11, 12, 3, tzinfo=BERLIN.tz) - back * DAY
        use(LAPTOP, at.astimezone(UTC), 0, (150 + back) * MB)
    use(PHONE, datetime(2031, 11, 11, 19, tzinfo=UTC), 40 * MB, 0)
    at = datetime(2031, 11, 11, 2, tzinfo=UTC)
    use(LAPTOP, at, 0, 14 * GB)
    return at


def test_a_planted_hour_is_found_and_nothing_else(
    analytics: UsageAnalyticsService, home: RouterContext, backups: datetime
) -> None:
    found = analytics.find_anomalies(home, None, None, Sensitivity.MEDIUM)
    ((mac, anomaly),) = found.anomalies
    assert (mac, anomaly.at, anomaly.direction) == (LAPTOP, backups, Direction.UP)
    assert anomaly.message == "14.2 GB up on Tuesday 03:00; 8 Tuesdays before: 0 to 0.2 GB"
    assert (found.days, found.coverage) == (Days(date(2031, 11, 6), date(2031, 11, 12)), 1)
    assert found.names == {LAPTOP: "laptop"}


def test_only_the_days_asked_for_are_told(
    analytics: UsageAnalyticsService, home: RouterContext, backups: datetime
) -> None:
    for first, last, count in (("12", "12", 0), ("11", "11", 1), ("05", "10", 0), ("01", "12", 1)):
        days = (date.fromisoformat(f"2031-11-{first}"), date.fromisoformat(f"2031-11-{last}"))
        assert len(analytics.find_anomalies(home, *days, Sensitivity.MEDIUM).anomalies) == count


def test_a_device_is_not_held_against_the_time_before_it_came(
    analytics: UsageAnalyticsService, home: RouterContext, use: Use, database: Database
) -> None:
    came = NOW - 3 * DAY
    new = DeviceSighting(mac="02:00:00:00:00:01", hostname="new", ips="", is_router=False, is_active=False)
    with database.transaction() as conn:
        update_device_metadata(conn, home.session_id, home.router_id, [new], at=came, previous_at=None)
    use(new.mac, NOW.replace(minute=0) - DAY, 5 * GB, 0)
    assert analytics.find_anomalies(home, None, None, Sensitivity.HIGH).anomalies == []


def test_a_device_out_of_monitoring_is_not_told(
    analytics: UsageAnalyticsService, home: RouterContext, backups: datetime, database: Database
) -> None:
    with database.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE devices SET is_monitored = false")
    assert analytics.find_anomalies(home, None, None, Sensitivity.HIGH).anomalies == []


def test_hours_in_a_gap_are_neither_judged_nor_compared_with(
    runtime: Runtime, context: RouterContext, use: Use, database: Database, clock: ManualClock
) -> None:
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    at = datetime(2031, 11, 11, 1, tzinfo=UTC)
    cover(database, context, NOW - 60 * DAY, NOW - 5 * DAY)
    use(LAPTOP, at, 0, 14 * GB)
    found = runtime.services.analytics.find_anomalies(context, None, None, Sensitivity.HIGH)
    assert found.anomalies == []
    assert 0 < found.coverage < 0.4


# --- trends ----------------------------------------------------------------------------------------------


def test_trends_have_direction_change_and_the_days_behind_them(
    analytics: UsageAnalyticsService, runtime: Runtime, home: RouterContext, use: Use
) -> None:
    for back in range(7):
        at = NOW.replace(minute=0) - back * DAY
        use(PHONE, at, 1_000 - 100 * back, 0)
        use(TV, at, 100 + 100 * back, 0)
        use(LAPTOP, at, 50_000, 5_000)
        use(ZERO_MAC, at, 1, 1)
    told = analytics.get_trends(home, TrendPeriod.LAST_7_DAYS)

    assert [device.mac for device in told.devices] == [LAPTOP, PHONE, TV]
    assert told.trends.increasing == (PHONE,)
    assert told.trends.decreasing == (TV,)
    laptop, phone, tv = told.devices
    assert list(phone.values) == [400, 500, 600, 700, 800, 900]
    assert phone.change_percent == pytest.approx(100 * 500 / 650)
    assert tv.change_percent == pytest.approx(-100 * 500 / 450)
    assert laptop.change_percent == 0
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
    (phone,) = runtime.services.analytics.get_trends(context, TrendPeriod.LAST_7_DAYS).devices
    assert list(phone.values) == [None, None, None, None, 0, 5]
    assert phone.change_percent is None


# --- reports ---------------------------------------------------------------------------------------------


def test_a_report_up_to_now_is_held_against_the_same_point(
    analytics: UsageAnalyticsService, runtime: Runtime, home: RouterContext, use: Use, backups: datetime
) -> None:
    use(TV, NOW.replace(minute=0), 5, 5)
    report = runtime.services.reports.make(home, ReportRequest(period=ReportPeriod.WEEK))
    history = runtime.services.history.get_history(
        home, start_date=None, end_date=None, granularity=Granularity.DAY, page=1, page_size=50
    )
    assert report.told.comparison.total.after == history.totals
    assert report.days.previous.end == NOW - 7 * DAY
    assert [mac for mac, _ in report.told.anomalies] == [LAPTOP]
    assert report.told.top_devices[0].mac == LAPTOP
    assert report.told.highlights[1].startswith("laptop used most: ")


def test_the_router_itself_is_in_the_total_but_in_no_ranking(
    runtime: Runtime, home: RouterContext, use: Use, database: Database
) -> None:
    with database.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE devices SET is_router = true WHERE device_mac = %s", (TV,))
    for mac in (TV, ZERO_MAC, PHONE):
        use(mac, NOW.replace(minute=0), 100, 0)
    told = runtime.services.reports.make(home, ReportRequest(period=ReportPeriod.DAY)).told
    assert told.comparison.total.after == (300, 0)
    assert [device.mac for device in told.top_devices] == [PHONE]


# --- whose it is -----------------------------------------------------------------------------------------


def test_a_router_is_only_its_owners(analytics: UsageAnalyticsService, home: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, home.router_id)
    days = Days(date(2031, 11, 1), date(2031, 11, 2))
    calls: list[Callable[[], object]] = [
        lambda: analytics.compare_days(stranger, days, days),
        lambda: analytics.compare_to_previous(stranger, ComparedPeriod.WEEK),
        lambda: analytics.find_anomalies(stranger, None, None, Sensitivity.HIGH),
        lambda: analytics.get_trends(stranger, TrendPeriod.LAST_7_DAYS),
    ]
    for call in calls:
        with pytest.raises(RouterNotFound):
            call()
