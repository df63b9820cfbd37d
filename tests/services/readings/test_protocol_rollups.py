"""Usage by protocol: whatever the time it lies in, the protocols of a device's day add up to the day."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.accounting.counters import Counters, RowKey
from services.accounting.usage import UsagePart
from services.buckets import Span
from services.readings.protocol_rollups import apportion, protocol_batches, protocol_names
from services.readings.usage_rollups import rollup_batches
from tests.services.accounting.router_rows import LAPTOP, NOON, PHONE, key
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import CounterRow
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")
NAMES = {("TCP", 443): "HTTPS", ("TCP", 22): "SSH", ("TCP", 8_080): "HTTPS"}

#: Among them zones without a midnight now and then, and with one that is no full UTC hour.
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Santiago", "America/Havana", "Pacific/Chatham"]

ROW_KEYS = [
    key(mac, port=port, ip=ip)
    for mac in (PHONE, LAPTOP, ZERO_MAC)
    for port in (443, 22, 8_080, 5_228)
    for ip in ("192.168.1.101", "fd00:1::101", "fd00:1::102")
]
SMALL, LARGE = st.integers(0, 9), st.integers(0, 2**37)
TABLES = st.dictionaries(st.sampled_from(ROW_KEYS), st.tuples(SMALL | LARGE, SMALL | LARGE), max_size=12)
LENGTHS = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=12))


def minutes(rows: dict[RowKey, Counters], *, length: float = 5, start: datetime = NOON) -> UsagePart:
    return UsagePart(rows=rows, span=Span(start, start + timedelta(minutes=length)))


@given(
    tables=st.lists(st.tuples(TABLES, LENGTHS), max_size=3),
    start=st.datetimes(datetime(2031, 1, 1), datetime(2031, 12, 31)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    ignored=st.sets(st.sampled_from([PHONE, LAPTOP])),
)
def test_the_protocols_of_a_day_add_up_to_the_day_however_usage_is_split(
    tables: list[tuple[dict[RowKey, Counters], timedelta]], start: datetime, zone: str, ignored: set[str]
) -> None:
    parts, at = [], start.replace(tzinfo=UTC)
    for rows, length in tables:
        used = {row_key: counters for row_key, counters in rows.items() if any(counters)}
        if used:
            parts.append(UsagePart(rows=used, span=Span(at, at + length)))
        at += length / 2  # parts may overlap
    days: defaultdict[tuple[str, object], list[int]] = defaultdict(lambda: [0, 0])
    protocols: defaultdict[tuple[str, object], list[int]] = defaultdict(lambda: [0, 0])
    of_rows: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    stored: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])

    for batch in rollup_batches(parts, ignored, parse_zone(zone)):
        for mac, day, down, up in batch.daily:
            days[mac, day][0] += down
            days[mac, day][1] += up
    for rows in protocol_batches(parts, ignored, parse_zone(zone), NAMES):
        assert len({row[:3] for row in rows}) == len(rows)
        for mac, day, name, *counters in rows:
            assert min(counters) >= 0 < sum(counters)
            protocols[mac, day][0] += counters[0] + counters[2]
            protocols[mac, day][1] += counters[1] + counters[3]
            for family, (down, up) in ((4, counters[:2]), (6, counters[2:])):
                stored[mac, name, family][0] += down
                stored[mac, name, family][1] += up
    for part in parts:
        for (family, proto, port, mac, _), (down, up) in part.rows.items():
            if mac not in ignored:
                of_rows[mac, NAMES.get((proto, port), "other"), family][0] += down
                of_rows[mac, NAMES.get((proto, port), "other"), family][1] += up

    assert protocols == days
    assert {what: both for what, both in stored.items() if any(both)} == of_rows, "and no byte changes its protocol"


@given(among=st.lists(SMALL | LARGE, min_size=1, max_size=30), data=st.data())
def test_an_amount_is_shared_out_whole_and_nobody_gets_more_than_he_has(among: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(among)))

    shares = apportion(amount, among)

    assert sum(shares) == amount
    assert all(0 <= share <= has for share, has in zip(shares, among, strict=True))


def test_shares_are_in_proportion() -> None:
    assert apportion(100, [300, 100, 0, 600]) == [30, 10, 0, 60]
    assert apportion(1, [1, 1, 1]) == [0, 0, 1]
    assert apportion(0, [0, 0]) == [0, 0]


def test_usage_of_minutes_is_a_row_a_protocol_with_both_families_in_it() -> None:
    rows = {
        key(PHONE): (5, 1),
        key(PHONE, port=8_080): (1, 1),
        key(PHONE, ip="fd00:1::101"): (10, 20),
        key(PHONE, ip="fd00:1::102"): (100, 200),
        key(PHONE, port=5_228): (7, 8),
        key(LAPTOP): (9, 9),
    }

    (batch,) = protocol_batches([minutes(rows)], {LAPTOP}, BERLIN, NAMES)

    day = date(2026, 11, 10)
    assert [tuple(row) for row in batch] == [
        (PHONE, day, "HTTPS", 6, 2, 110, 220),
        (PHONE, day, "other", 7, 8, 0, 0),
    ]


def test_over_midnight_both_days_have_their_share_of_each_protocol() -> None:
    before_midnight = datetime(2026, 11, 10, 22, 0, tzinfo=UTC)  # 23:00 in Berlin
    rows = {key(PHONE): (300, 30), key(PHONE, port=22, ip="fd00:1::101"): (3_000, 0)}

    (batch,) = protocol_batches([minutes(rows, length=180, start=before_midnight)], set(), BERLIN, NAMES)

    assert [(str(row.day), row.protocol, *row[3:]) for row in batch] == [
        ("2026-11-10", "HTTPS", 100, 10, 0, 0),
        ("2026-11-10", "SSH", 0, 0, 1_000, 0),
        ("2026-11-11", "HTTPS", 200, 20, 0, 0),
        ("2026-11-11", "SSH", 0, 0, 2_000, 0),
    ]


def test_a_year_away_comes_in_batches_that_share_no_device() -> None:
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(40)]
    rows = {key(mac, port=port): (10**9, 10**9) for mac in macs for port in (443, 22)}
    year = UsagePart(rows=rows, span=Span(NOON, NOON + timedelta(days=365)))

    batches = list(protocol_batches([year], set(), BERLIN, NAMES))

    assert len(batches) > 1
    assert max(map(len, batches)) < 22_000
    seen = [{row.mac for row in batch} for batch in batches]
    assert sorted(mac for devices in seen for mac in devices) == macs
    assert sum(sum(row[3:]) for batch in batches for row in batch) == 40 * 2 * 2 * 10**9


def test_no_usage_is_no_batch() -> None:
    assert list(protocol_batches([], set(), BERLIN, NAMES)) == []
    assert list(protocol_batches([minutes({key(PHONE): (1, 1)})], {PHONE}, BERLIN, NAMES)) == []


@pytest.mark.parametrize(("layer7", "name"), [("HTTPS", "HTTPS"), (None, None), ("", None), ("x" * 65, "x" * 64)])
def test_a_name_is_what_the_router_calls_it_cut_to_what_fits(layer7: str | None, name: str | None) -> None:
    row = CounterRow(4, "TCP", 443, PHONE, "192.168.1.101", 1, 1, 1, 1, 1, layer7)

    assert protocol_names([[], [row]]).get(("TCP", 443)) == name


def test_of_a_reading_the_first_names_are_kept() -> None:
    rows = [CounterRow(4, "TCP", port, PHONE, "192.168.1.101", 1, 1, 1, 1, 1, f"n{port % 300}") for port in range(900)]

    names = protocol_names([rows])

    assert set(names.values()) == {f"n{number}" for number in range(256)}
    assert len(names) == 3 * 256
