"""Reports on stored usage."""

from datetime import datetime

from db_operations.database import Database
from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from services.reports.report_period import ReportPeriod, ReportRequest
from tests.homes import LAPTOP, PHONE, TV
from tests.services.analytics.watched import DAY, HOUR, NOW, Use, spread_evenly
from utils.mac import ZERO_MAC


def test_a_report_up_to_now_is_held_against_the_same_point(
    runtime: Runtime, home: RouterContext, use: Use, backups: datetime
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
    assert report.told.highlights[1].startswith("What changed most: laptop +14.0 GB, ")
    assert report.told.highlights[2].startswith("laptop used most: ")


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


def test_a_typical_day_is_told_from_hours_that_were_seen(
    runtime: Runtime, home: RouterContext, use: Use, database: Database
) -> None:
    noon = NOW.replace(hour=11, minute=0)
    for back in (1, 2, 3):
        use(TV, noon - back * DAY, 1_000 * back, 0)
    spread_evenly(database, home, noon - 3 * DAY - 2 * HOUR, noon - 3 * DAY + 4 * HOUR)
    report = runtime.services.reports.make(home, ReportRequest(period=ReportPeriod.WEEK))
    assert report.typical_day[12] == 3_000 // 6
