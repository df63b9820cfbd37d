"""Zones, days and instants."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils import time
from utils.time import floor_hour, iso, parse_zone, posix_rule, utc_now, zone_from_offset

MOMENTS = st.integers(946_684_800_000_000, 2_145_830_400_000_000).map(  # from 2000 to 2037, to the microsecond
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "UTC+05:45"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (" Europe/Berlin\n", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("UTC+05:45", "UTC+05:45"),
        ("UTC-14:00", "UTC-14:00"),
    ],
)
def test_a_zone_is_stored_under_its_name_and_found_again(name: str, key: str) -> None:
    assert parse_zone(name).key == key
    assert parse_zone(key) == parse_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Mars/Olympus",
        "Europe",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe//Berlin",
        "a" * 65,
        "a/" * 9_000 + "a",  # as deep as a router may print; each part would be a call within a call
        "Europe/Berlin\0",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "UTC+14:01",
        "UTC+99:00",
        "UTC+05:60",
        "UTC+5:30",
        "x" * 10_000,
    ],
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no time zone|further from UTC"):
        parse_zone(name)


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_a_zone_or_refused(name: str) -> None:
    try:
        zone = parse_zone(name)
    except ValueError:
        return
    assert parse_zone(zone.key).key == zone.key


@pytest.mark.parametrize(
    ("offset", "key"),
    [("+0200", "UTC+02:00"), ("-0330", "UTC-03:30"), ("+0000", "UTC"), ("-0000", "UTC"), ("+1400", "UTC+14:00")],
)
def test_an_offset_makes_a_fixed_zone(offset: str, key: str) -> None:
    zone = zone_from_offset(offset)

    assert zone is not None
    assert zone.key == key


@pytest.mark.parametrize("offset", ["", "CEST", "0200", "+02:00", "+2000", "+0260", "%z", "+02000"])
def test_what_is_no_offset_makes_none(offset: str) -> None:
    assert zone_from_offset(offset) is None


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 7, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        ("America/Santiago", date(2026, 9, 6), 23),  # skips midnight itself
        ("America/Santiago", date(2026, 4, 4), 25),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # skips midnight itself
    ],
)
def test_a_local_day_is_as_long_as_its_clocks_make_it(zone: str, day: date, hours: float) -> None:
    local = parse_zone(zone)

    assert local.midnight(day + timedelta(days=1)) - local.midnight(day) == timedelta(hours=hours)


@given(MOMENTS, st.sampled_from(ZONES))
def test_a_moment_lies_between_the_midnights_of_its_day(moment: datetime, name: str) -> None:
    zone = parse_zone(name)
    day = zone.day_of(moment)

    assert zone.midnight(day) <= moment < zone.midnight(day + timedelta(days=1))


def test_a_moment_is_written_in_utc_with_z() -> None:
    assert iso(datetime(2026, 11, 10, 12, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-10T10:00:00Z"
    assert iso(datetime(2026, 11, 10, 12, 0, 0, 250_000, tzinfo=UTC)) == "2026-11-10T12:00:00.250000Z"


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_the_written_moment_is_the_same_one(moment: datetime, minutes: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))

    assert iso(elsewhere) == iso(moment)
    assert datetime.fromisoformat(iso(elsewhere)) == moment


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_hours_are_those_of_utc_whatever_zone_a_moment_is_told_in(moment: datetime, minutes: int) -> None:
    hour = floor_hour(moment.astimezone(timezone(timedelta(minutes=minutes))))

    assert hour <= moment < hour + timedelta(hours=1)
    assert (hour.minute, hour.second, hour.microsecond, hour.utcoffset()) == (0, 0, 0, timedelta(0))


def test_now_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("America/New York", "EST5EDT,M3.2.0,M11.1.0"),
        ("Asia/Kolkata", "IST-5:30"),
        ("America/Sao_Paulo", "<-03>3"),
        ("UTC", "UTC0"),
        ("UTC+05:45", "<+0545>-5:45"),
        ("UTC-03:30", "<-0330>3:30"),
    ],
)
def test_a_zone_has_a_rule_that_a_router_takes(name: str, rule: str) -> None:
    assert posix_rule(parse_zone(name)) == rule


def test_a_rule_is_known_without_the_systems_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    zone = parse_zone("Europe/Berlin")
    monkeypatch.setattr(time, "TZPATH", ())
    assert posix_rule(zone) == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert posix_rule(time.Zone("Mars/Olympus", zone.tz)) is None
