"""Usage in the rollups: every byte in one hour and one day, however long the time and however many the devices."""

from collections import defaultdict
from datetime import timedelta

from services.accounting.usage import UsagePart
from services.buckets import Span
from services.readings.usage_rollups import patience_s, rollup_batches
from tests.services.accounting.router_rows import LAPTOP, NOON, PHONE, key
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")


def part(days: float, macs: int, *, since: float = 0) -> UsagePart:
    rows = {key(f"02:00:00:00:00:{number:02x}"): (10**9 + number, number) for number in range(macs)}
    return UsagePart(rows=rows, span=Span(NOON + timedelta(days=since), NOON + timedelta(days=since + days)))


def test_a_year_away_comes_in_batches_that_lose_no_byte_and_share_no_device() -> None:
    parts = [part(360, 7), part(5, 7, since=360)]
    hours: defaultdict[str, int] = defaultdict(int)
    days: defaultdict[str, int] = defaultdict(int)

    batches = list(rollup_batches(parts, set(), BERLIN))

    for batch in batches:
        assert len(batch.hourly) <= 20_000
        assert len({(row.mac, row.bucket) for row in batch.hourly}) == len(batch.hourly)
        for row in batch.hourly:
            hours[row.mac] += row.bytes_down + row.bytes_up
        for row in batch.daily:
            days[row.mac] += row.bytes_down + row.bytes_up
    assert len(batches) > 1
    assert hours == days == {f"02:00:00:00:00:{number:02x}": 2 * (10**9 + 2 * number) for number in range(7)}


def test_usage_of_minutes_is_one_batch_of_one_row_a_device() -> None:
    rows = {key(PHONE): (5, 1), key(PHONE, port=22): (1, 1), key(LAPTOP): (9, 9)}
    minutes = UsagePart(rows=rows, span=Span(NOON, NOON + timedelta(minutes=5)))

    (batch,) = rollup_batches([minutes], {LAPTOP}, BERLIN)

    assert [tuple(row) for row in batch.hourly] == [(PHONE, NOON, 6, 2)]
    assert len(batch.daily) == 1


def test_writing_may_take_longer_the_more_there_is_to_write() -> None:
    """400 days of a thousand devices took longer than one limit for all of them, and would never have been stored."""
    assert patience_s([part(6, 20), part(0.5, 20, since=6)]) is None
    weeks, year, year_of_many = (patience_s([part(*one)]) or 0 for one in ((8, 2), (400, 20), (400, 200)))
    assert 300 < weeks < year < year_of_many
    assert year_of_many > 200 * 400 * 24 / 5_000  # rows an hour of each: 5,000 a second is a fast machine


def test_no_usage_is_no_batch() -> None:
    assert list(rollup_batches([], set(), BERLIN)) == []
