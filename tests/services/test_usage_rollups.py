"""Usage in the rollups: every byte in one hour and one day, however long the time and however many the devices."""

from collections import defaultdict
from datetime import timedelta

from services.accounting.usage import UsagePart
from services.buckets import Span
from services.usage_rollups import is_long, rollup_batches
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
    assert is_long(parts)


def test_usage_of_minutes_is_one_batch_of_one_row_a_device() -> None:
    rows = {key(PHONE): (5, 1), key(PHONE, port=22): (1, 1), key(LAPTOP): (9, 9)}
    minutes = UsagePart(rows=rows, span=Span(NOON, NOON + timedelta(minutes=5)))

    (batch,) = rollup_batches([minutes], {LAPTOP}, BERLIN)

    assert [tuple(row) for row in batch.hourly] == [(PHONE, NOON, 6, 2)]
    assert len(batch.daily) == 1
    assert not is_long([minutes])


def test_no_usage_is_no_batch() -> None:
    assert list(rollup_batches([], set(), BERLIN)) == []
