"""Which devices may be one: the same hostname, never at the same time."""

from datetime import timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from db_operations.devices_db import DeviceRecord, Lifetime
from services.devices.merge_suggestions import suggest_merges
from tests.homes import START

DAY = timedelta(days=1)
OLD, NEW, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"


def device(mac: str, first: int, last: int | None, **fields: object) -> DeviceRecord:
    """Seen from day ``first`` to day ``last``."""
    values: dict[str, object] = {
        "name": None,
        "hostname": "Annas-iPhone",
        "ips": (),
        "current_ip": None,
        "category": None,
        "notes": None,
        "person": None,
        "is_monitored": True,
        "is_router": False,
        "is_active": False,
        "first_seen": START + first * DAY,
        "last_seen": None if last is None else START + last * DAY,
        "merged_into": None,
        "merged_macs": (),
    }
    return DeviceRecord(mac=mac, **(values | fields))  # type: ignore[arg-type]


def suggested(*devices: DeviceRecord) -> list[tuple[str, str]]:
    lifetimes = {one.mac: Lifetime(one.first_seen, one.last_seen) for one in devices if one.last_seen}
    return [(one.device.mac, one.into.mac) for one in suggest_merges(devices, lifetimes)]


def test_the_one_that_left_is_to_be_merged_into_the_one_that_came() -> None:
    assert suggested(device(OLD, 0, 5), device(NEW, 6, 9)) == [(OLD, NEW)]
    assert suggested(device(OLD, 0, 5), device(NEW, 5, 9)) == [(OLD, NEW)], "it changed within an interval"
    assert suggested(device(OLD, 0, 5, hostname="ANNAS-IPHONE"), device(NEW, 6, 9)) == [(OLD, NEW)]


def test_what_was_there_at_the_same_time_is_two_devices() -> None:
    assert suggested(device(OLD, 0, 5), device(NEW, 4, 9)) == []
    assert suggested(device(OLD, 0, 9), device(NEW, 4, 5)) == []
    assert suggested(device(OLD, 3, 3), device(NEW, 3, 3)) == []


def test_nothing_is_suggested_of_what_has_no_name_no_life_or_can_not_be_merged() -> None:
    new = device(NEW, 6, 9)
    for fields in (
        {"hostname": None},
        {"hostname": "other"},
        {"is_router": True},
        {"is_monitored": False},
        {"merged_into": NEW},
    ):
        assert suggested(device(OLD, 0, 5, **fields), new) == [], fields
    assert suggested(device(OLD, 0, None), new) == []
    assert suggested(device(OLD, 0, 5, merged_macs=(OTHER,)), device(OTHER, 0, 1, merged_into=OLD), new) == [(NEW, OLD)]


def test_it_is_merged_into_the_one_that_people_have_spoken_of() -> None:
    assert suggested(device(OLD, 0, 5, person="Anna"), device(NEW, 6, 9)) == [(NEW, OLD)]


def test_of_many_addresses_one_after_another_all_are_suggested_also_after_some_were_taken() -> None:
    """A phone with another address every day: what was merged already has holes, and others were in them."""
    days = [device(f"02:00:00:00:00:0{day}", day, day) for day in range(5)]
    assert suggested(*days) == [(days[day].mac, days[4].mac) for day in (3, 2, 1, 0)]
    taken = [
        device(one.mac, day, day, merged_into=days[4].mac if day in (0, 2) else None) for day, one in enumerate(days)
    ]
    taken[4] = device(days[4].mac, 4, 4, merged_macs=(days[0].mac, days[2].mac))
    assert suggested(*taken) == [(days[3].mac, days[4].mac), (days[1].mac, days[4].mac)]


def test_one_that_is_always_there_does_not_keep_its_namesake_from_being_found() -> None:
    """Two phones called alike; one of them has another address every week."""
    always = device(OTHER, 0, 28)
    weeks = [device(f"02:00:00:00:01:0{week}", 7 * week, 7 * week + 7) for week in range(4)]
    assert suggested(always, *weeks) == [(weeks[week].mac, weeks[3].mac) for week in (2, 1, 0)]


def test_of_two_namesakes_that_change_their_addresses_each_has_its_own() -> None:
    """One on Mondays, the other on Thursdays: by the days alone the first one's oldest could be the second one's."""
    mondays = [device(f"02:00:00:00:01:0{week}", 7 * week, 7 * week + 7) for week in range(4)]
    thursdays = [device(f"02:00:00:00:02:0{week}", 7 * week + 3, 7 * week + 10) for week in range(4)]
    assert set(suggested(*mondays, *thursdays)) == {
        (old.mac, weeks[3].mac) for weeks in (mondays, thursdays) for old in weeks[:3]
    }


LIVES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10), st.sampled_from("ab")), max_size=8)


@given(LIVES)
def test_no_device_is_suggested_twice_nor_into_one_that_was_there_beside_it(lives: list[tuple[int, int, str]]) -> None:
    devices = [
        device(f"02:00:00:00:00:{number:02x}", first, first + length, hostname=name)
        for number, (first, length, name) in enumerate(lives)
    ]
    by_mac = {one.mac: one for one in devices}
    pairs = suggested(*devices)
    assert len({mac for mac, _ in pairs}) == len(pairs)
    assert not {mac for mac, _ in pairs} & {into for _, into in pairs}
    for mac, into in pairs:
        one, other = by_mac[mac], by_mac[into]
        assert one.hostname == other.hostname
        assert one.last_seen is not None
        assert other.last_seen is not None
        assert one.last_seen <= other.first_seen or other.last_seen <= one.first_seen
    for (mac, into), (second, also_into) in combinations(pairs, 2):
        one, other = by_mac[mac], by_mac[second]
        assert one.last_seen is not None
        assert other.last_seen is not None
        assert into != also_into or one.last_seen <= other.first_seen or other.last_seen <= one.first_seen
