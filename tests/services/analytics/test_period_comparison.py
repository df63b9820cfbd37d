"""What changed between two periods, who and what accounts for it, and what came and went."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.change_parts import (
    MOST_DEVICES,
    MOST_PROTOCOLS,
    PART_OF_DAY,
    UNKNOWN_PROTOCOL,
    PartKind,
    explain,
)
from services.analytics.period_comparison import PeriodComparison, PeriodUsage
from services.device_usage_analytics import compare_periods
from utils.nlbwmon_parser import DeviceTotals

PHONE, LAPTOP, TV = "ac:bc:32:8e:51:72", "a4:34:d9:6f:0d:33", "8c:79:f5:21:40:0b"
WEEK = timedelta(days=7)
MONDAY = datetime(2031, 9, 8, tzinfo=UTC)
LONG_AGO = MONDAY - 9 * WEEK

MACS = st.sampled_from([f"02:00:00:00:00:{number:02x}" for number in range(12)])
BYTES = st.builds(DeviceTotals, st.integers(0, 2**62), st.integers(0, 2**62))


def period(totals: Mapping[str, DeviceTotals] | None, start: datetime = MONDAY, **fields: Any) -> PeriodUsage:
    return PeriodUsage(start=start, end=start + WEEK, totals=totals, **{"coverage": 1.0, **fields})


def compared(before: PeriodUsage, after: PeriodUsage, **first_seen: datetime) -> PeriodComparison:
    known = dict.fromkeys({*(before.totals or {}), *(after.totals or {})}, LONG_AGO)
    names = {"phone": PHONE, "laptop": LAPTOP, "tv": TV}
    return compare_periods(before, after, first_seen=known | {names[one]: at for one, at in first_seen.items()})


def earlier(totals: Mapping[str, DeviceTotals] | None, **fields: Any) -> PeriodUsage:
    return period(totals, MONDAY - WEEK, **fields)


def test_a_comparison_tells_the_change_of_each_device_largest_first() -> None:
    before = earlier({PHONE: DeviceTotals(100, 10), LAPTOP: DeviceTotals(50, 0)})
    told = compared(before, period({PHONE: DeviceTotals(120, 12), LAPTOP: DeviceTotals(0, 0)}))

    assert list(told.devices) == [LAPTOP, PHONE]
    assert (told.total.absolute, told.total.percent) == (-28, -17.5)
    assert (told.devices[PHONE].absolute, told.devices[PHONE].percent) == (22, 20.0)


def test_of_nothing_there_is_no_percentage() -> None:
    told = compared(earlier({}), period({TV: DeviceTotals(7, 0)}))

    assert (told.total.absolute, told.total.percent) == (7, None)
    assert told.devices[TV].percent is None


@pytest.mark.parametrize(("before", "after"), [(None, {TV: DeviceTotals(1, 1)}), ({TV: DeviceTotals(1, 1)}, None)])
def test_what_nobody_observed_is_not_zero(
    before: dict[str, DeviceTotals] | None, after: dict[str, DeviceTotals] | None
) -> None:
    told = compared(earlier(before), period(after))

    assert (told.total.absolute, told.total.percent) == (None, None)
    assert (told.devices, told.protocols, told.parts) == ({}, {}, ())
    assert (told.new_devices, told.gone_devices, told.new_protocols) == (None, None, None)


# --- by protocol -----------------------------------------------------------------------------------------


def test_usage_of_no_known_protocol_is_unknown_and_that_of_a_cut_day_is_told_apart() -> None:
    usage = period(
        {TV: DeviceTotals(100, 10)},
        protocols={TV: {"HTTPS": DeviceTotals(60, 6)}},
        part_of_day={TV: DeviceTotals(30, 3)},
    )
    assert usage.protocols_of(TV) == {"HTTPS": (60, 6), UNKNOWN_PROTOCOL: (10, 1), PART_OF_DAY: (30, 3)}
    assert usage.protocols_of(PHONE) == {}


def test_a_protocol_that_the_router_calls_unknown_is_one_with_the_rest() -> None:
    usage = period({TV: DeviceTotals(100, 10)}, protocols={TV: {UNKNOWN_PROTOCOL: DeviceTotals(60, 6)}})
    assert usage.protocols_of(TV) == {UNKNOWN_PROTOCOL: (100, 10)}


@st.composite
def _periods(draw: st.DrawFn) -> PeriodUsage:
    """Any usage: of each device some protocols, some bytes of none, and some of a cut day."""
    protocols = draw(
        st.dictionaries(
            MACS, st.dictionaries(st.sampled_from(["HTTPS", "QUIC", "DNS", "other", UNKNOWN_PROTOCOL, "客"]), BYTES)
        )
    )
    rest, part = draw(st.dictionaries(MACS, BYTES)), draw(st.dictionaries(MACS, BYTES))
    totals = {}
    for mac in {*protocols, *rest, *part}:
        used = [*protocols.get(mac, {}).values(), *(one[mac] for one in (rest, part) if mac in one)]
        totals[mac] = DeviceTotals(sum(one.bytes_down for one in used), sum(one.bytes_up for one in used))
    return period(totals, protocols=protocols, part_of_day=part)


def _sums(usages: Any) -> tuple[int, int]:
    usages = list(usages)
    return sum(one[0] for one in usages), sum(one[1] for one in usages)


@given(_periods(), _periods())
def test_devices_protocols_and_parts_add_up_to_the_whole(before: PeriodUsage, after: PeriodUsage) -> None:
    told = compared(before, after)
    assert told.total.before is not None
    assert told.total.after is not None

    for changes in (told.devices, told.protocols):
        assert _sums(change.before for change in changes.values()) == told.total.before
        assert _sums(change.after for change in changes.values()) == told.total.after
    for mac in told.devices:
        by_protocol = told.protocols_of(mac)
        assert _sums(change.before for change in by_protocol.values()) == told.devices[mac].before
        assert _sums(change.after for change in by_protocol.values()) == told.devices[mac].after
    assert _sums((part.bytes_down, part.bytes_up) for part in told.parts) == told.total.delta
    assert sum(told.total.delta) == told.total.absolute
    for part in told.parts:
        assert _sums((one.bytes_down, one.bytes_up) for one in part.protocols) == (part.bytes_down, part.bytes_up)
        if part.mac:
            assert (part.bytes_down, part.bytes_up) == told.devices[part.mac].delta


@given(_periods(), _periods())
def test_swapping_the_periods_turns_every_sign(before: PeriodUsage, after: PeriodUsage) -> None:
    told, swapped = compared(before, after), compared(after, before)

    assert list(told.devices) == list(swapped.devices)
    assert list(told.protocols) == list(swapped.protocols)
    for one, other in ((told.devices, swapped.devices), (told.protocols, swapped.protocols)):
        assert all(one[key].absolute == -other[key].absolute for key in one)
    assert [(part.mac, part.devices, part.bytes_down, part.bytes_up) for part in told.parts] == [
        (part.mac, part.devices, -part.bytes_down, -part.bytes_up) for part in swapped.parts
    ]


@given(_periods())
def test_against_itself_nothing_changes(usage: PeriodUsage) -> None:
    told = compared(usage, usage)
    assert (told.total.absolute, told.parts) == (0, ())
    assert (told.new_devices, told.returned_devices, told.gone_devices) == ((), (), ())


# --- which parts are named -------------------------------------------------------------------------------


def _named(*changes: int) -> list[tuple[int, int]]:
    """How many devices each part has, and its bytes."""
    devices = {f"device {number:02}": {"HTTPS": (change, 0)} for number, change in enumerate(changes)}
    return [(part.devices, part.bytes_down) for part in explain(devices)]


def test_parts_are_named_until_they_explain_most() -> None:
    assert _named(60, -35, 3, 1, 1) == [(1, 60), (1, -35), (3, 5)]
    assert _named(10, 10, 10, 10, 10, 10, 10) == [(1, 10)] * MOST_DEVICES + [(2, 20)]


def test_a_single_other_is_named_too() -> None:
    assert _named(60, 35, 5) == [(1, 60), (1, 35), (1, 5)]
    assert _named(*[10] * (MOST_DEVICES + 1)) == [(1, 10)] * (MOST_DEVICES + 1)


def test_what_did_not_change_is_no_part() -> None:
    assert _named(0, 0) == []
    assert explain({TV: {"HTTPS": (5, -5), "DNS": (0, 0)}})[0].protocols[0].bytes_up == -5


def test_a_part_names_its_largest_protocols_and_a_cut_day_always() -> None:
    used = {f"P{number}": (20, 0) for number in range(MOST_PROTOCOLS + 2)} | {PART_OF_DAY: (1, 0)}
    (part,) = explain({TV: used})

    assert [(one.kind, one.name, one.protocols, one.bytes_down) for one in part.protocols] == [
        *[(PartKind.PROTOCOL, f"P{number}", 1, 20) for number in range(MOST_PROTOCOLS)],
        (PartKind.OTHERS, None, 2, 40),
        (PartKind.PART_OF_DAY, None, 0, 1),
    ]


# --- what came and went ----------------------------------------------------------------------------------

USED = DeviceTotals(7, 0)


def test_a_device_is_new_if_nobody_had_seen_it_before() -> None:
    told = compared(earlier({LAPTOP: USED}), period({PHONE: USED, TV: USED}), phone=MONDAY)

    assert told.new_devices == (PHONE,)
    assert told.returned_devices == (TV,)
    assert told.gone_devices == (LAPTOP,)


def test_of_a_period_that_was_hardly_observed_nobody_is_missed() -> None:
    before, after = {LAPTOP: USED}, {PHONE: USED, TV: USED}
    told = compared(earlier(before, coverage=0.3), period(after, coverage=0.3), phone=MONDAY)

    assert told.new_devices == (PHONE,)  # its first reading is told, whoever looked when
    assert (told.returned_devices, told.gone_devices) == (None, None)
    assert (told.new_protocols, told.gone_protocols) == (None, None)


def test_where_nobody_looked_before_everybody_is_seen_for_the_first_time() -> None:
    """Days out of the router's archives have usage, but there was no reading."""
    assert compared(earlier({LAPTOP: USED}, coverage=0.0), period({PHONE: USED}), phone=MONDAY).new_devices is None


def test_the_minutes_since_the_last_reading_are_no_gap() -> None:
    late = period({}, coverage=0.9, patience=timedelta(days=0.8))
    assert compared(earlier({LAPTOP: USED}), late).gone_devices == (LAPTOP,)


def test_the_router_itself_neither_comes_nor_goes() -> None:
    told = compare_periods(earlier({PHONE: USED}), period({TV: USED}), first_seen={}, unranked={PHONE, TV})
    assert (told.new_devices, told.returned_devices, told.gone_devices) == ((), (), ())
    assert set(told.devices) == {PHONE, TV}


def test_protocols_come_and_go_where_all_of_them_are_known() -> None:
    before = earlier({TV: USED}, protocols={TV: {"HTTP": USED}})
    after = period({TV: USED}, protocols={TV: {"QUIC": USED}})
    told = compared(before, after)
    assert (told.new_protocols, told.gone_protocols) == (("QUIC",), ("HTTP",))

    told = compared(earlier({TV: USED}), after)
    assert (told.new_protocols, told.gone_protocols) == (None, ())
