"""Days over clock changes: 23, 25, 23.5 or 24.5 hours long, and exactly the sum of their hours."""

from datetime import date, timedelta

import pytest

from services.buckets import Granularity, buckets_between
from tests.homes import LAPTOP, PHONE, ask
from tests.life.interruptions import MortalDatabase
from tests.life.oracle import Bytes
from tests.life.watched_home import HomePlan, Tally, WatchedHome
from utils.time import parse_zone


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2032, 3, 28), 23),
        ("Europe/Berlin", date(2031, 10, 26), 25),
        ("Asia/Kolkata", date(2031, 10, 26), 24),
        ("Australia/Lord_Howe", date(2031, 10, 5), 23.5),
        ("Australia/Lord_Howe", date(2032, 4, 4), 24.5),
    ],
)
def test_a_day_has_its_hours_and_their_sum(database_url: str, zone: str, day: date, hours: float) -> None:
    database = MortalDatabase(database_url)
    place = parse_zone(zone)
    (bucket,) = buckets_between(day, day, Granularity.DAY, place)
    assert bucket.span.end - bucket.span.start == timedelta(hours=hours)
    home = WatchedHome(database, HomePlan(start=place.midnight(day) - timedelta(hours=7), zone=zone), Tally())
    for number in range(80):
        home.router.traffic(PHONE, rx=10_007 * (number + 1), tx=number)
        home.router.traffic(LAPTOP, rx=3, tx=5, family=6)
        home.wait(timedelta(minutes=31))
        assert home.read()
    hourly = ask(database, "SELECT device_mac, slot_start, total_download, total_upload FROM device_usage_hourly")
    daily = ask(
        database,
        "SELECT device_mac, total_download, total_upload FROM device_usage_history WHERE span = 'day' "
        "AND start_date = %(day)s",
        day=day,
    )
    sums: dict[str, Bytes] = {}
    for mac, slot, down, up in hourly:
        if bucket.span.start <= slot < bucket.span.end:
            old = sums.get(mac, (0, 0))
            sums[mac] = old[0] + down, old[1] + up
    assert {mac: (down, up) for mac, down, up in daily} == sums
    assert set(sums) == {PHONE, LAPTOP}
    database.close()
