"""What is unusual in stored usage: which days, what was observed, and whose it is."""

from datetime import UTC, date, datetime

import pytest

from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, update_device_metadata
from server import Runtime
from services.analytics.unusual_usage import Direction, Sensitivity
from services.anomalies import AnomalyService
from services.chosen_days import Days
from services.context import RouterContext
from simulator.clock import ManualClock
from tests.homes import BOB, LAPTOP, PHONE, TV
from tests.services.analytics.watched import DAY, GB, HOUR, MB, NOW, Use, cover, spread_evenly
from utils.errors import DeviceNotFound, RouterNotFound
from utils.mac import ZERO_MAC


@pytest.fixture
def anomalies(runtime: Runtime) -> AnomalyService:
    return runtime.services.anomalies


def test_a_planted_hour_is_found_and_nothing_else(
    anomalies: AnomalyService, home: RouterContext, backups: datetime
) -> None:
    found = anomalies.find(home, None, None, Sensitivity.MEDIUM)
    ((mac, anomaly),) = found.anomalies
    assert (mac, anomaly.at, anomaly.direction) == (LAPTOP, backups, Direction.UP)
    assert anomaly.message == "14.2 GB up on Tuesday 03:00; 8 Tuesdays before: 0 to 0.2 GB"
    assert (found.days, found.coverage) == (Days(date(2031, 11, 6), date(2031, 11, 12)), 1)
    assert found.names == {LAPTOP: "laptop"}


def test_only_the_days_asked_for_are_told(anomalies: AnomalyService, home: RouterContext, backups: datetime) -> None:
    for first, last, count in (("12", "12", 0), ("11", "11", 1), ("05", "10", 0), ("01", "12", 1)):
        days = (date.fromisoformat(f"2031-11-{first}"), date.fromisoformat(f"2031-11-{last}"))
        assert len(anomalies.find(home, *days, Sensitivity.MEDIUM).anomalies) == count


def test_where_readings_are_hours_apart_their_hours_still_tell(
    anomalies: AnomalyService, home: RouterContext, backups: datetime, database: Database
) -> None:
    spread_evenly(database, home, backups - 20 * DAY, backups + DAY, times=21 * 6)
    assert len(anomalies.find(home, None, None, Sensitivity.MEDIUM).anomalies) == 1


def test_one_device_can_be_asked_for(
    anomalies: AnomalyService, home: RouterContext, use: Use, backups: datetime, runtime: Runtime
) -> None:
    for back in range(45):
        use(TV, backups - back * DAY, MB if back else 20 * GB, 0)
    days = (None, None, Sensitivity.MEDIUM)
    assert {mac for mac, _ in anomalies.find(home, *days).anomalies} == {LAPTOP, TV}
    assert [mac for mac, _ in anomalies.find(home, *days, mac=TV).anomalies] == [TV]
    assert anomalies.find(home, *days, mac=PHONE).anomalies == []
    assert anomalies.find(home, *days, mac=ZERO_MAC).anomalies == []
    runtime.services.merged_devices.merge(home, LAPTOP, PHONE)
    assert {mac for mac, _ in anomalies.find(home, *days, mac=LAPTOP).anomalies} == {PHONE}
    runtime.services.devices.remove(home, TV, purge=False)
    for unknown in (TV, "02:00:00:00:00:99"):
        with pytest.raises(DeviceNotFound):
            anomalies.find(home, *days, mac=unknown)


def test_a_device_is_not_held_against_the_time_before_it_came(
    anomalies: AnomalyService, home: RouterContext, use: Use, database: Database
) -> None:
    came = NOW - 3 * DAY
    new = DeviceSighting(mac="02:00:00:00:00:01", hostname="new", ips="", is_router=False, is_active=False)
    with database.transaction() as conn:
        update_device_metadata(conn, home.session_id, home.router_id, [new], at=came, previous_at=None)
    use(new.mac, NOW.replace(minute=0) - DAY, 5 * GB, 0)
    assert anomalies.find(home, None, None, Sensitivity.HIGH).anomalies == []


def test_a_device_out_of_monitoring_is_not_told(
    anomalies: AnomalyService, home: RouterContext, backups: datetime, database: Database
) -> None:
    with database.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE devices SET is_monitored = false")
    assert anomalies.find(home, None, None, Sensitivity.HIGH).anomalies == []


def test_hours_in_a_gap_are_neither_judged_nor_compared_with(
    runtime: Runtime, context: RouterContext, use: Use, database: Database, clock: ManualClock
) -> None:
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    at = datetime(2031, 11, 11, 1, tzinfo=UTC)
    cover(database, context, NOW - 60 * DAY, NOW - 5 * DAY)
    use(LAPTOP, at, 0, 14 * GB)
    found = runtime.services.anomalies.find(context, None, None, Sensitivity.HIGH)
    assert found.anomalies == []
    assert 0 < found.coverage < 0.4


def test_hours_of_which_only_the_sum_is_known_are_neither_judged_nor_compared_with(
    anomalies: AnomalyService, home: RouterContext, backups: datetime, database: Database
) -> None:
    for weeks in (1, 2, 3):
        spread_evenly(database, home, backups - weeks * 7 * DAY - 5 * HOUR, backups - weeks * 7 * DAY + 5 * HOUR)
    ((_, anomaly),) = anomalies.find(home, None, None, Sensitivity.MEDIUM).anomalies
    assert anomaly.message == "14.2 GB up on Tuesday 03:00; 5 Tuesdays before: 0 to 0.2 GB"
    spread_evenly(database, home, backups - 5 * HOUR, backups + 5 * HOUR)
    assert anomalies.find(home, None, None, Sensitivity.HIGH).anomalies == []


def test_a_router_is_only_its_owners(anomalies: AnomalyService, home: RouterContext, bob: str) -> None:
    stranger = RouterContext(BOB, home.router_id)
    with pytest.raises(RouterNotFound):
        anomalies.find(stranger, None, None, Sensitivity.HIGH)
