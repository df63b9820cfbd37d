"""When a device uses the network, over clock changes and gaps."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.analytics.usage_profiles import hour_profile, observed_parts, weekday_profile
from services.buckets import HOUR, Bucket, Granularity, Span, buckets_between
from utils.time import Zone, parse_zone

LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def slots_of(zone: Zone, first: date, last: date) -> list[Bucket]:
    return buckets_between(first, last, Granularity.HOUR, zone)


def profile_of(zone: Zone, slots: list[Bucket], bytes_an_hour: int) -> tuple[list[float], set[int | None]]:
    """Of a device that always uses the same: how many hours of each were observed, and the averages."""
    spans = [slot.span for slot in slots]
    parts = observed_parts(spans, [1.0] * len(spans), zone, since=LONG_AGO, until=FAR_AHEAD)
    used = dict.fromkeys(range(24), 0.0)
    for part in parts:
        slot = next(span for span in spans if span.start == part.slot)
        used[part.hour] += bytes_an_hour * ((slot.end - slot.start) / HOUR) * part.share
    profile = hour_profile(used, parts)
    return list(profile.observed), set(profile.averages)


@pytest.mark.parametrize(
    ("key", "day", "hour", "hours"),
    [
        ("Europe/Berlin", date(2031, 10, 26), 2, 2),
        ("Europe/Berlin", date(2031, 3, 30), 2, 0),
        ("Australia/Lord_Howe", date(2031, 4, 6), 1, 1.5),
        ("Australia/Lord_Howe", date(2031, 10, 5), 2, 0.5),
        ("Asia/Kathmandu", date(2031, 10, 5), 2, 1),
    ],
)
def test_an_hour_counts_as_often_as_it_was(key: str, day: date, hour: int, hours: float) -> None:
    zone = parse_zone(key)
    observed, averages = profile_of(zone, slots_of(zone, day, day), 1_000)

    assert observed[hour] == pytest.approx(hours)
    assert {count for other, count in enumerate(observed) if other != hour} == {1}
    assert averages == ({1_000, None} if not hours else {1_000})


def test_what_was_not_observed_or_not_kept_is_not_zero() -> None:
    zone = parse_zone("UTC")
    spans = [slot.span for slot in slots_of(zone, date(2031, 1, 1), date(2031, 1, 2))]
    coverages = [0.75 if span.start.hour == 8 else 0.4 if span.start.hour == 9 else 1.0 for span in spans]
    kept_from, now = spans[5].start, spans[40].start
    parts = observed_parts(spans, coverages, zone, since=kept_from, until=now)

    profile = hour_profile({8: 1_500, 20: 30}, parts)
    assert profile.averages[8] == 1_000
    assert profile.observed[8] == 1.5
    assert (profile.averages[9], profile.observed[9]) == (None, 0)
    assert (profile.averages[20], profile.observed[20]) == (30, 1)
    assert (profile.averages[3], profile.observed[3]) == (0, 1)
    late = hour_profile({20: 30}, parts, spans[30].start + timedelta(minutes=20))
    assert (late.averages[5], late.observed[5]) == (None, 0)
    assert late.observed[6] == 1


def test_weekdays_are_averaged_over_the_observed_days() -> None:
    zone = parse_zone("Europe/Berlin")
    days = buckets_between(date(2031, 11, 3), date(2031, 11, 13), Granularity.DAY, zone)  # from a Monday
    values = [10, 20, None, 40, 50, 60, 70, 30, 20, None, 80]
    coverages = [1, 1, 0.1, 1, 1, 1, 1, 1, 1, 0, 0.5]

    profile = weekday_profile(values, days, coverages)
    assert profile.averages == [20, 20, None, 80, 50, 60, 70]
    assert profile.observed == [2, 2, 0, 1.5, 1, 1, 1]


def test_a_slot_shorter_than_what_is_left_of_its_hour_lies_in_one() -> None:
    zone = parse_zone("Asia/Kolkata")
    start = zone.midnight(date(2031, 1, 1))
    (part,) = observed_parts([Span(start, start + HOUR / 2)], [1.0], zone, since=LONG_AGO, until=FAR_AHEAD)
    assert (part.hour, part.share, part.observed) == (0, 1, 0.5)
