"""Merged devices are one wherever usage is read, to the byte, and parting leaves no trace."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db_operations.database import Database
from db_operations.devices_db import DeviceRecord, KnownDevice
from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from services.devices.merged_devices import find_target, shown_totals
from services.usage_summary import Period
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, START, TV, ask, dump
from utils.errors import Conflict, DeviceNotFound, ValidationFailed

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OLD_PHONE = "02:00:00:00:00:01"


@pytest.fixture
def home(router: SimulatedRouter, read: Callable[..., None]) -> None:
    """A phone that had another address before, a laptop and a TV, over hours of two days."""
    router.add_host(OLD_PHONE, "192.168.1.2", "phone", state="REACHABLE")
    router.add_host(LAPTOP, "192.168.1.10", "laptop")
    read(timedelta(0))
    for number in range(20):
        router.traffic(OLD_PHONE if number < 9 else PHONE, rx=1_000 + number, tx=number)
        router.traffic(LAPTOP, rx=10 * number, tx=1)
        if number == 9:
            router.add_host(OLD_PHONE, "192.168.1.2", "phone", state="FAILED")
            router.add_host(PHONE, "192.168.1.3", "phone", state="REACHABLE")
            router.add_host(TV, "192.168.1.9", "tv", state="REACHABLE")
        read(HOUR)


def answers(runtime: Runtime, context: RouterContext) -> dict[str, Any]:
    """Everything that the services tell of usage and devices."""
    services = runtime.services
    days = {"start_date": START.date(), "end_date": (START + timedelta(days=1)).date()}
    told: dict[str, Any] = {
        "devices": services.devices.list_devices(
            context, active=None, search=None, sort="mac", page=1, page_size=50, monitored=True
        ),
        "summary": services.summary.get_summary(context, Period.LAST_7_DAYS, top=9),
        "people": services.people.list_people(context, **days, page=1, page_size=9),
        "periods": services.periods.list_periods(context, page=1, page_size=9, top=100),
        "suggestions": services.merged_devices.suggest(context, page=1, page_size=9),
        "current": services.device_usage.get_current(context).devices,
        "total": services.device_usage.get_current(context).total,
    }
    told["protocols"] = services.protocols.get_protocols(context, **days, page=1, page_size=50)
    for granularity in Granularity:
        for page_size in (1, 50):
            told[f"{granularity} {page_size}"] = services.history.get_history(
                context, **days, granularity=granularity, page=1, page_size=page_size
            )
    return told


def test_merged_devices_are_one_in_every_answer_and_every_sum_stays(
    runtime: Runtime, context: RouterContext, home: None
) -> None:
    before = answers(runtime, context)
    runtime.services.merged_devices.merge(context, OLD_PHONE, PHONE)
    after = answers(runtime, context)

    def used(told: dict[str, Any], what: str) -> dict[str, int]:
        devices = {
            "periods": lambda: told["periods"].periods[0].devices,
            "people": lambda: told["people"].people[0].devices,
            "current": lambda: told["current"],
        }.get(what, lambda: told[what].devices)()
        return {device.mac: device.bytes_down + device.bytes_up for device in devices}

    for what in ("hour 50", "day 50", "week 50", "month 50", "periods", "people", "current"):
        apart, together = used(before, what), used(after, what)
        assert together[PHONE] == apart[PHONE] + apart.pop(OLD_PHONE), what
        assert {**apart, PHONE: together[PHONE]} == together, what
    for granularity in Granularity:
        for page_size in (1, 50):
            name = f"{granularity} {page_size}"
            assert (after[name].totals, after[name].usage) == (before[name].totals, before[name].usage)
            assert after[name].device_count == before[name].device_count - 1
            assert after[name].devices[0].mac == PHONE
    assert after["total"] == before["total"]
    assert after["protocols"].totals == before["protocols"].totals
    assert [(one.name, one.share) for one in after["protocols"].protocols] == [
        (one.name, one.share) for one in before["protocols"].protocols
    ]
    assert sum(one.devices for one in after["protocols"].protocols) < sum(
        one.devices for one in before["protocols"].protocols
    )
    usage, mac, _ = runtime.services.protocols.get_device_protocols(
        context, OLD_PHONE, start_date=START.date(), end_date=None, page=1, page_size=9
    )
    assert (mac, usage.unknown.bytes_down) == (PHONE, 0)
    assert after["summary"].total_usage == before["summary"].total_usage
    assert [device.mac for device in after["summary"].top_devices] == [PHONE, LAPTOP]
    assert (before["devices"].total, after["devices"].total, after["devices"].matching) == (4, 3, 3)
    assert ([len(one[0]) for one in (before["suggestions"], after["suggestions"])]) == [1, 0]


def test_a_merged_device_is_found_and_answered_by_any_of_its_addresses(
    runtime: Runtime, context: RouterContext, home: None
) -> None:
    services = runtime.services
    alone = [services.devices.get_device_info(context, mac) for mac in (PHONE, OLD_PHONE)]
    merged = services.merged_devices.merge(context, OLD_PHONE, PHONE).record
    assert (merged.mac, merged.merged_macs, merged.macs) == (PHONE, (OLD_PHONE,), (PHONE, OLD_PHONE))
    assert (merged.ips[0], merged.first_seen) == ("192.168.1.3", START)
    assert set(merged.ips) >= {"192.168.1.2", "192.168.1.3"}
    assert merged.is_active
    for mac in (PHONE, OLD_PHONE):
        info = services.devices.get_device_info(context, mac)
        assert info.device.record == merged
        for span in ("today", "last_7_days", "last_30_days", "current_period"):
            parts = [getattr(one, span) for one in alone]
            assert getattr(info, span) == tuple(map(sum, zip(*parts, strict=True))), span
        _current, device = services.device_usage.get_device_current(context, mac)
        assert (device.mac, device.macs) == (PHONE, (PHONE, OLD_PHONE))
        _, shown, name = services.history.get_device_history(
            context, mac, start_date=None, end_date=None, granularity=Granularity.DAY
        )
        assert (shown, name) == (PHONE, "phone")
    for needle in (OLD_PHONE, "192.168.1.2", PHONE):
        page = services.devices.list_devices(
            context, active=None, search=needle, sort="name", page=1, page_size=9, monitored=True
        )
        assert [one.record.mac for one in page.devices] == [PHONE], needle


def test_merging_and_parting_leaves_no_trace(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    runtime.services.devices.update(context, OLD_PHONE, {"name": "Anna's old", "person": "Anna", "category": "phone"})
    runtime.services.devices.update(context, PHONE, {"name": "Anna's new", "person": "Bea"})
    rows, told = dump(database), answers(runtime, context)
    merge, part = runtime.services.merged_devices.merge, runtime.services.merged_devices.part
    merge(context, OLD_PHONE, PHONE)
    merge(context, TV, OLD_PHONE)  # which is the phone by now
    part(context, OLD_PHONE)
    merge(context, OLD_PHONE, LAPTOP)
    assert len(runtime.services.devices.get_device_info(context, PHONE).device.record.merged_macs) == 1
    part(context, TV)
    part(context, OLD_PHONE)
    part(context, OLD_PHONE)  # once more does no harm
    assert dump(database) == rows
    assert answers(runtime, context) == told


def test_merging_leaves_usage_rows_alone_and_new_usage_comes_to_the_device(
    runtime: Runtime, context: RouterContext, home: None, database: Database, router: SimulatedRouter, read: Any
) -> None:
    before = dump(database)
    runtime.services.merged_devices.merge(context, OLD_PHONE, PHONE)
    after = dump(database)
    assert {table for table in before if before[table] != after[table]} == {"devices"}
    router.traffic(OLD_PHONE, rx=7)
    router.traffic(PHONE, rx=5)
    read(HOUR)
    current, device = runtime.services.device_usage.get_device_current(context, OLD_PHONE)
    assert device.bytes_down == sum(row.rx_bytes for row in current.rows if row.mac in (PHONE, OLD_PHONE))
    assert ask(database, "SELECT device_mac FROM device_usage_monitoring ORDER BY timestamp DESC LIMIT 1")


def test_removing_a_merged_device_removes_and_erases_all_of_it(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    services = runtime.services
    services.merged_devices.merge(context, OLD_PHONE, PHONE)
    services.devices.remove(context, OLD_PHONE, purge=True)
    assert ask(database, "SELECT DISTINCT device_mac FROM device_usage_hourly") == [(LAPTOP,)]
    assert ask(database, "SELECT device_mac FROM devices WHERE NOT is_monitored ORDER BY 1") == [(OLD_PHONE,), (PHONE,)]
    parted = services.merged_devices.part(context, OLD_PHONE).record
    assert not parted.is_monitored, "parting brings nothing back"
    assert services.devices.update(context, PHONE, {}, is_monitored=True).record.is_monitored
    assert not services.devices.get_device_info(context, OLD_PHONE).device.record.is_monitored


def test_two_that_are_merged_into_each_other_at_once_are_merged_one_way(
    runtime: Runtime, context: RouterContext, home: None, database: Database
) -> None:
    merge = runtime.services.merged_devices.merge
    for _ in range(5):
        with ThreadPoolExecutor(6) as pool:
            macs = (PHONE, OLD_PHONE, TV)
            tries = [pool.submit(merge, context, one, other) for one in macs for other in macs if one != other]
        assert {type(done.exception()) for done in tries} <= {type(None), Conflict}
        merged = dict(ask(database, "SELECT device_mac, merged_into FROM devices WHERE merged_into IS NOT NULL"))
        assert merged
        assert not merged.keys() & set(merged.values()), "a chain"
        for mac in merged:
            runtime.services.merged_devices.part(context, mac)


# --- what may be merged: pure ----------------------------------------------------------------------------


def record(mac: str, merged_into: str | None = None, merged_macs: tuple[str, ...] = (), **fields: Any) -> DeviceRecord:
    values = {"is_monitored": True, "is_router": False, "is_active": False, "ips": (), "first_seen": START}
    empty = dict.fromkeys(("name", "hostname", "current_ip", "category", "notes", "person", "last_seen"))
    return DeviceRecord(**{**empty, **values, **fields}, mac=mac, merged_into=merged_into, merged_macs=merged_macs)


def test_a_target_that_is_merged_is_what_it_is_merged_into() -> None:
    known = {PHONE: record(PHONE, merged_macs=(TV,)), TV: record(TV, PHONE), LAPTOP: record(LAPTOP)}
    assert find_target(known, LAPTOP, TV) == PHONE
    assert find_target(known, TV, PHONE) == PHONE, "said again"


@pytest.mark.parametrize(
    ("mac", "into", "error", "field"),
    [
        (LAPTOP, OLD_PHONE, DeviceNotFound, "into"),
        (OLD_PHONE, LAPTOP, DeviceNotFound, None),
        (LAPTOP, LAPTOP, ValidationFailed, "into"),
        (TV, LAPTOP, Conflict, "mac"),  # is merged already
        (PHONE, TV, Conflict, "into"),  # the other way round
        (PHONE, LAPTOP, Conflict, "mac"),  # has others merged into it
        ("94:83:c4:00:00:01", LAPTOP, Conflict, "mac"),
        (LAPTOP, "94:83:c4:00:00:01", Conflict, "into"),
        ("02:00:00:00:00:07", LAPTOP, Conflict, "mac"),
        (LAPTOP, "02:00:00:00:00:07", Conflict, "into"),
    ],
)
def test_what_can_not_be_merged_says_why(mac: str, into: str, error: type[Exception], field: str | None) -> None:
    known = {
        PHONE: record(PHONE, merged_macs=(TV,)),
        TV: record(TV, PHONE),
        LAPTOP: record(LAPTOP),
        "94:83:c4:00:00:01": record("94:83:c4:00:00:01", is_router=True),
        "02:00:00:00:00:07": record("02:00:00:00:00:07", is_monitored=False),
    }
    with pytest.raises(error) as raised:
        find_target(known, mac, into)
    assert list(raised.value.details or {}) == ([field] if field else [])  # type: ignore[attr-defined]


MANY = st.dictionaries(
    st.sampled_from([f"02:00:00:00:00:0{number}" for number in range(8)]), st.none() | st.integers(0, 7)
)


@given(MANY, st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 2**64), st.integers(0, 2**64))))
def test_totals_that_are_shown_have_every_byte_once(
    devices: dict[str, int | None], amounts: dict[int, tuple[int, int]]
) -> None:
    totals = {f"02:00:00:00:00:0{number}": both for number, both in amounts.items()}
    known = {
        mac: KnownDevice(
            mac, None, None, "", into != 0, False, False, merged_into=f"0a:00:00:00:00:0{into}" if into else None
        )
        for mac, into in devices.items()
    }
    shown = shown_totals(totals, known)
    counted = [both for mac, both in totals.items() if mac not in known or known[mac].is_monitored]
    assert [sum(column) for column in zip(*shown.values(), strict=True)] == [
        sum(column) for column in zip(*counted, strict=True)
    ]
    assert not shown.keys() & {mac for mac, device in known.items() if device.merged_into}
