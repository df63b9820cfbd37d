"""What changed between two periods, and who accounts for it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.device_usage_analytics import compare_periods
from utils.nlbwmon_parser import DeviceTotals

PHONE, LAPTOP, TV = "ac:bc:32:8e:51:72", "a4:34:d9:6f:0d:33", "8c:79:f5:21:40:0b"
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2031, 9, 1, tzinfo=BERLIN)
HOUR = timedelta(hours=1)
MB, GB = 10**6, 10**9

Series = list[tuple[datetime, int | None]]
TOTALS = st.dictionaries(
    st.sampled_from([f"02:00:00:00:00:{number:02x}" for number in range(12)]),
    st.builds(DeviceTotals, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
)


def test_a_comparison_tells_the_change_of_each_device_largest_first() -> None:
    before = {PHONE: DeviceTotals(100, 10), LAPTOP: DeviceTotals(50, 0)}
    compared = compare_periods(before, {PHONE: DeviceTotals(120, 12), LAPTOP: DeviceTotals(0, 0)})

    assert list(compared.devices) == [LAPTOP, PHONE]
    assert (compared.total.absolute, compared.total.percent) == (-28, -17.5)
    assert (compared.devices[PHONE].absolute, compared.devices[PHONE].percent) == (22, 20.0)
    assert compared.gone_devices == [LAPTOP]
    assert compared.new_devices == []


def test_of_nothing_there_is_no_percentage() -> None:
    compared = compare_periods({}, {TV: DeviceTotals(7, 0)})

    assert (compared.total.absolute, compared.total.percent) == (7, None)
    assert compared.devices[TV].percent is None
    assert compared.new_devices == [TV]


@pytest.mark.parametrize(("before", "after"), [(None, {TV: DeviceTotals(1, 1)}), ({TV: DeviceTotals(1, 1)}, None)])
def test_what_nobody_observed_is_not_zero(
    before: dict[str, DeviceTotals] | None, after: dict[str, DeviceTotals] | None
) -> None:
    compared = compare_periods(before, after)

    assert (compared.total.absolute, compared.total.percent) == (None, None)
    assert (compared.devices, compared.new_devices, compared.gone_devices, compared.parts) == ({}, [], [], ())


@given(TOTALS, TOTALS, st.integers(0, 13))
def test_the_parts_add_up_to_the_whole_change(
    before: dict[str, DeviceTotals], after: dict[str, DeviceTotals], named: int
) -> None:
    compared = compare_periods(before, after, named=named)

    down = sum(part.bytes_down for part in compared.parts)
    up = sum(part.bytes_up for part in compared.parts)
    assert down == sum(one.bytes_down for one in after.values()) - sum(one.bytes_down for one in before.values())
    assert up == sum(one.bytes_up for one in after.values()) - sum(one.bytes_up for one in before.values())
    assert down + up == compared.total.absolute
    assert len([part for part in compared.parts if part.mac]) <= named
    assert len([part for part in compared.parts if part.mac is None]) <= 1
    assert sum(one.absolute or 0 for one in compared.devices.values()) == compared.total.absolute
