"""Usage spread over hours and days, and the buckets a history is shown in."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.buckets import (
    HOUR,
    MICROSECOND,
    Granularity,
    Span,
    buckets_between,
    covered_share,
    slot_of,
    slots_between,
    spread,
)
from utils.time import Zone, parse_zone

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
NAMES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "UTC+05:45",
    "America/Santiago",
    "Atlantic/Azores",
    "Asia/Beirut",
]
ZONES = [pytest.param(parse_zone(name), id=name) for name in NAMES]
MOMENTS = st.integers(0, 3 * 366 * 86_400 * 10**6).map(lambda us: datetime(2025, 6, 1, tzinfo=UTC) + us * MICROSECOND)
LENGTHS = st.integers(1, 4 * 86_400 * 10**6).map(lambda us: us * MICROSECOND)

#: Local days on which clocks change.
CHANGES = {
    "Europe/Berlin": [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)],
    "Australia/Lord_Howe": [(date(2026, 4, 5), 24.5), (date(2026, 10, 4), 23.5)],
    "America/Santiago": [(date(2026, 9, 6), 23), (date(2026, 4, 4), 25)],
    "Atlantic/Azores": [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)],
    "Asia/Kolkata": [(date(2026, 3, 29), 24)],
    "UTC+05:45": [(date(2026, 3, 29), 24)],
    "UTC": [(date(2026, 3, 29), 24)],
}
CHANGE_DAYS = [
    pytest.param(parse_zone(name), day, hours, id=f"{name} {day}")
    for name, days in CHANGES.items()
    for day, hours in days
]


def minutes_after_noon(first: float, last: float) -> Span:
    return Span(NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))


# -- slots ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
@given(start=MOMENTS, length=LENGTHS)
def test_slots_cover_a_span_without_hole_or_overlap(zone: Zone, start: datetime, length: timedelta) -> None:
    slots = list(slots_between(start, start + length, zone))

    assert slots[0].start <= start < slots[0].end
    assert slots[-1].start < start + length <= slots[-1].end
    assert all(one.end == following.start for one, following in pairwise(slots))
    assert all(timedelta(0) < slot.end - slot.start <= HOUR for slot in slots)


@pytest.mark.parametrize("zone", ZONES)
@given(moment=MOMENTS)
def test_a_slot_lies_in_one_utc_hour_and_in_one_local_day(zone: Zone, moment: datetime) -> None:
    slot = slot_of(moment, zone)
    last = slot.end - MICROSECOND

    assert slot.start <= moment < slot.end
    assert slot_of(slot.start, zone) == slot_of(last, zone) == slot
    assert (slot.start.date(), slot.start.hour) == (last.date(), last.hour)
    assert zone.day_of(slot.start) == zone.day_of(last)


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGE_DAYS)
def test_the_slots_of_a_day_are_exactly_that_day_also_when_clocks_change(zone: Zone, day: date, hours: float) -> None:
    midnight, next_midnight = zone.midnight(day), zone.midnight(day + timedelta(days=1))

    slots = list(slots_between(midnight, next_midnight, zone))

    assert (slots[0].start, slots[-1].end) == (midnight, next_midnight)
    assert sum((slot.end - slot.start for slot in slots), timedelta(0)) == timedelta(hours=hours)
    assert {zone.day_of(slot.start) for slot in slots} == {day}
    assert all(one.end == following.start for one, following in pairwise(slots))


def test_the_hour_around_a_midnight_that_is_no_full_hour_is_cut_in_two() -> None:
    kolkata = parse_zone("Asia/Kolkata")  # midnight is 18:30 UTC

    slots = slots_between(NOON.replace(hour=18), NOON.replace(hour=19), kolkata)

    assert [(slot.start.minute, slot.end.minute) for slot in slots] == [(0, 30), (30, 0)]


def test_a_span_without_length_has_no_slots() -> None:
    assert list(slots_between(NOON, NOON, parse_zone("UTC"))) == []


# -- spread ---------------------------------------------------------------------------------------------------


@given(
    amount=st.integers(0, 2**64),
    start=MOMENTS,
    length=LENGTHS,
    zone=st.sampled_from(NAMES).map(parse_zone),
)
def test_parts_add_up_exactly_and_are_in_proportion_within_a_byte(
    amount: int, start: datetime, length: timedelta, zone: Zone
) -> None:
    span = Span(start, start + length)
    slots = list(slots_between(*span, zone))

    parts = spread(amount, span, slots)

    assert sum(parts) == amount
    for part, slot in zip(parts, slots, strict=True):
        inside = (min(slot.end, span.end) - max(slot.start, span.start)) // MICROSECOND
        length_us = length // MICROSECOND
        assert part >= 0
        assert abs(part * length_us - amount * inside) <= length_us  # |part - its share| <= 1 byte, without floats


def test_an_hour_and_a_half_gives_two_thirds_to_the_whole_hour() -> None:
    span = minutes_after_noon(30, 120)

    assert spread(900, span, list(slots_between(*span, parse_zone("UTC")))) == [300, 600]


def test_a_single_byte_lands_in_one_part() -> None:
    span = minutes_after_noon(0, 180)

    assert sorted(spread(1, span, list(slots_between(*span, parse_zone("UTC"))))) == [0, 0, 1]


# -- buckets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", Granularity)
@given(
    first=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    days=st.integers(0, 60),
    zone=st.sampled_from(NAMES).map(parse_zone),
)
def test_buckets_cover_their_range_exactly(granularity: Granularity, first: date, days: int, zone: Zone) -> None:
    last = first + timedelta(days=days if granularity is not Granularity.HOUR else days % 4)

    buckets = buckets_between(first, last, granularity, zone)

    assert buckets[0].span.start == zone.midnight(first)
    assert buckets[-1].span.end == zone.midnight(last + timedelta(days=1))
    assert (buckets[0].first_day, buckets[-1].last_day) == (first, last)
    assert all(one.span.end == following.span.start for one, following in pairwise(buckets))
    for bucket in buckets:
        assert zone.day_of(bucket.span.start) == bucket.first_day
        assert zone.day_of(bucket.span.end - MICROSECOND) == bucket.last_day


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGE_DAYS)
def test_a_day_is_as_long_as_its_clocks_make_it(zone: Zone, day: date, hours: float) -> None:
    (bucket,) = buckets_between(day, day, Granularity.DAY, zone)

    assert bucket.span.end - bucket.span.start == timedelta(hours=hours)


def test_a_day_has_23_or_25_hours_when_clocks_change() -> None:
    berlin = parse_zone("Europe/Berlin")

    def hours(day: date) -> int:
        return len(buckets_between(day, day, Granularity.HOUR, berlin))

    assert [hours(date(2026, 3, 29)), hours(date(2026, 10, 25)), hours(date(2026, 7, 1))] == [23, 25, 24]


def test_weeks_begin_on_monday_and_are_cut_to_the_range() -> None:
    buckets = buckets_between(date(2026, 11, 4), date(2026, 11, 17), Granularity.WEEK, parse_zone("Europe/Berlin"))

    assert [(bucket.first_day, bucket.last_day) for bucket in buckets] == [
        (date(2026, 11, 4), date(2026, 11, 8)),
        (date(2026, 11, 9), date(2026, 11, 15)),
        (date(2026, 11, 16), date(2026, 11, 17)),
    ]


def test_months_are_those_of_the_calendar_and_cut_to_the_range() -> None:
    buckets = buckets_between(date(2027, 12, 31), date(2028, 3, 1), Granularity.MONTH, parse_zone("UTC"))

    assert [(bucket.first_day, bucket.last_day) for bucket in buckets] == [
        (date(2027, 12, 31), date(2027, 12, 31)),
        (date(2028, 1, 1), date(2028, 1, 31)),
        (date(2028, 2, 1), date(2028, 2, 29)),
        (date(2028, 3, 1), date(2028, 3, 1)),
    ]


@pytest.mark.parametrize("granularity", Granularity)
def test_a_range_that_ends_before_it_begins_has_no_buckets(granularity: Granularity) -> None:
    assert buckets_between(date(2026, 11, 2), date(2026, 11, 1), granularity, parse_zone("UTC")) == []


# -- coverage -------------------------------------------------------------------------------------------------

LATER = NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("stretches", "share"),
    [
        ([], 0.0),
        ([(0, 60)], 1.0),
        ([(-600, 600)], 1.0),
        ([(0, 15)], 0.25),
        ([(0, 15), (45, 60)], 0.5),
        ([(-30, 15), (30, 300)], 0.75),
        ([(-60, 0), (60, 120)], 0.0),
    ],
)
def test_coverage_is_the_share_between_good_readings(stretches: list[tuple[int, int]], share: float) -> None:
    spans = [minutes_after_noon(*stretch) for stretch in stretches]

    assert covered_share(minutes_after_noon(0, 60), spans, LATER) == share


def test_the_future_is_no_gap() -> None:
    now = NOON + timedelta(minutes=30)

    assert covered_share(minutes_after_noon(0, 60), [minutes_after_noon(0, 30)], now) == 1.0
    assert covered_share(minutes_after_noon(0, 60), [minutes_after_noon(0, 15)], now) == 0.5


def test_what_was_stored_of_the_future_covers_nothing_of_the_past() -> None:
    now = NOON + timedelta(minutes=30)

    assert covered_share(minutes_after_noon(0, 60), [minutes_after_noon(15, 60)], now) == 0.5
    assert covered_share(minutes_after_noon(0, 60), [minutes_after_noon(40, 60)], now) == 0.0


def test_a_span_that_has_not_begun_is_not_covered() -> None:
    assert covered_share(minutes_after_noon(0, 60), [minutes_after_noon(-60, 0)], NOON) == 0.0
    assert covered_share(minutes_after_noon(0, 60), [], NOON - HOUR) == 0.0


CUTS = st.lists(st.integers(-90, 150), unique=True, max_size=12).map(sorted)


@given(cuts=CUTS, now=st.integers(1, 120))
def test_coverage_is_never_outside_0_to_1_and_is_what_counting_minutes_gives(cuts: list[int], now: int) -> None:
    stretches = [
        (first, min(last, now)) for first, last in zip(cuts[::2], cuts[1::2], strict=False) if first < min(last, now)
    ]
    passed = range(min(60, now))
    covered = [minute for minute in passed if any(first <= minute < last for first, last in stretches)]

    share = covered_share(
        minutes_after_noon(0, 60),
        [minutes_after_noon(*stretch) for stretch in stretches],
        NOON + timedelta(minutes=now),
    )

    assert 0.0 <= share <= 1.0
    assert share == pytest.approx(len(covered) / len(passed))
