"""accounting.md's table, the plain rows: growth, eviction, first reading, what no link can carry, frozen counters."""

from dataclasses import replace

import pytest

from services.accounting.account import FROZEN_AFTER
from services.accounting.counters import Counters, index_rows
from services.accounting.notes import NoteKind, Quality
from services.accounting.quarantine import IMPLAUSIBLE_RATE
from services.accounting.usage import Usage
from services.buckets import Span
from tests.services.accounting.router_rows import (
    LAPTOP,
    LAPTOP_WEB,
    NOON,
    NOVEMBER,
    PHONE,
    SSH,
    WEB,
    WEB6,
    at,
    counter_rows,
    key,
    kinds,
    reading,
    usage_between,
    wanted,
)

# -- growth ----------------------------------------------------------------------------------------------------------


def test_growth_is_the_difference_row_by_row() -> None:
    before = reading({WEB: (1_000, 100), SSH: (7, 7), LAPTOP_WEB: (50, 0)})
    after = reading({WEB: (1_500, 101), SSH: (7, 7), LAPTOP_WEB: (50, 9)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (500, 1), LAPTOP_WEB: (0, 9)}
    assert [(part.span, part.quality, part.reason) for part in usage.parts] == [
        (Span(NOON, at(5)), Quality.MEASURED, None)
    ]
    assert (usage.gaps, kinds(usage)) == ((), [])
    assert usage.period_start == NOVEMBER
    assert wanted(before, after) == []


def test_a_new_row_counts_from_zero() -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (1_000, 100), WEB6: (30, 3)}, minutes=5)

    assert usage_between(before, after).rows == {WEB6: (30, 3)}
    assert wanted(before, after) == []


def test_a_row_that_vanished_was_counted_already() -> None:
    before, after = reading({WEB: (1_000, 100), SSH: (9, 9)}), reading({SSH: (10, 9)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {SSH: (1, 0)}
    assert kinds(usage) == [NoteKind.ROWS_EVICTED]
    assert [part.quality for part in usage.parts] == [Quality.UNKNOWN]  # it may have grown before it went
    assert wanted(before, after) == []


def test_a_row_that_vanished_and_came_back_starts_from_zero() -> None:
    without, back = reading({}, minutes=5), reading({WEB: (40, 4)}, minutes=10)

    assert usage_between(without, back).rows == {WEB: (40, 4)}


def test_a_device_is_the_sum_of_its_rows_v4_and_v6() -> None:
    usage = usage_between(reading({}), reading({WEB: (1, 2), WEB6: (10, 20), SSH: (100, 200), LAPTOP_WEB: (5, 5)}))

    assert usage.by_device() == {PHONE: (111, 222), LAPTOP: (5, 5)}


def test_a_row_printed_twice_counts_twice() -> None:
    assert index_rows([*counter_rows({WEB: (1, 2)}), *counter_rows({WEB: (10, 20)})]) == {WEB: (11, 22)}


# -- first reading ---------------------------------------------------------------------------------------------------


def test_a_first_reading_is_usage_of_no_hour() -> None:
    first = reading({WEB: (1_000, 100), SSH: (1, 1)})

    usage = usage_between(None, first)

    assert usage.rows == {}
    assert usage.parts == ()
    assert usage.period_start == NOVEMBER
    assert kinds(usage) == [NoteKind.FIRST_READING]
    assert "2026-11-01" in usage.notes[0].message
    assert wanted(None, first) == []


# -- implausible -----------------------------------------------------------------------------------------------------


def test_what_no_link_could_carry_is_not_counted_and_said() -> None:
    most = IMPLAUSIBLE_RATE * 330
    before = reading({WEB: (0, 0), SSH: (0, 0), WEB6: (0, 0)})
    after = reading({WEB: (most - 10, 0), SSH: (most, 1), WEB6: (5, 5)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (most - 10, 0), WEB6: (5, 5)}  # all rows together have one link
    assert kinds(usage) == [NoteKind.IMPLAUSIBLE]
    assert "1 row(s)" in usage.notes[0].message
    assert f"4.1 TB of {SSH[3]}" in usage.notes[0].message
    assert usage.quarantined == {SSH: (0, 0)}


@pytest.mark.parametrize("counters", [(2**63, 0), (0, 2**63), (2**64 - 1, 2**64 - 1)])
def test_a_counter_from_2_to_the_63_on_is_not_counted(counters: Counters) -> None:
    before = reading({WEB: (max(0, counters[0] - 1), max(0, counters[1] - 1))})

    usage = usage_between(before, reading({WEB: counters}, minutes=5))

    assert usage.rows == {}
    assert kinds(usage) == [NoteKind.IMPLAUSIBLE]


def test_the_largest_counter_that_can_be_stored_counts() -> None:
    before, after = reading({WEB: (2**63 - 2, 0)}), reading({WEB: (2**63 - 1, 0)}, minutes=5)

    assert usage_between(before, after).rows == {WEB: (1, 0)}


def test_a_counter_too_large_that_stands_still_is_no_news() -> None:
    odd = {WEB: (2**63 + 5, 1), SSH: (1, 1)}

    usage = usage_between(reading(odd), reading(odd, minutes=5))

    assert usage.rows == {}
    assert kinds(usage) == []


def test_two_readings_at_once_are_measured_against_a_second() -> None:
    usage = usage_between(reading({WEB: (0, 0)}), reading({WEB: (1_000, 0)}))

    assert usage.rows == {WEB: (1_000, 0)}


def test_each_direction_of_a_link_has_all_of_it() -> None:
    most = IMPLAUSIBLE_RATE * 330
    before = reading({WEB: (0, 0), SSH: (0, 0)})

    both = usage_between(before, reading({WEB: (most, most)}, minutes=5))
    upwards = usage_between(before, reading({WEB: (most, most), SSH: (0, 1)}, minutes=5))

    assert both.rows == {WEB: (most, most)}
    assert upwards.rows == {SSH: (0, 1)}


@pytest.mark.parametrize(("told", "seconds"), [(10, 310), (60, 360), (None, 360)])
def test_the_routers_own_refresh_interval_may_lie_before_the_reading(told: int | None, seconds: int) -> None:
    most = IMPLAUSIBLE_RATE * seconds
    before = reading({WEB: (0, 0)})

    just = usage_between(before, reading({WEB: (most, 0)}, minutes=5, refresh_interval_s=told))
    more = usage_between(before, reading({WEB: (most + 1, 0)}, minutes=5, refresh_interval_s=told))

    assert (just.rows, more.rows) == ({WEB: (most, 0)}, {})


def test_several_devices_that_jumped_are_told_by_the_one_that_jumped_most() -> None:
    jumped = {WEB: (2**63, 0), LAPTOP_WEB: (2**63 + 10**13, 0)}

    usage = usage_between(reading({}), reading(jumped, minutes=5))

    assert f"TB of {LAPTOP_WEB[3]}, and of 1 more device(s)" in usage.notes[0].message


def test_a_row_that_jumped_and_came_back_counts_from_its_last_good_value() -> None:
    first = reading({WEB: (1_000, 100)})
    jumped = reading({WEB: (2**63 + 5, 100)}, minutes=5)
    step = usage_between(first, jumped)
    back = reading({WEB: (1_300, 130)}, minutes=10)

    usage = usage_between(replace(jumped, quarantined=step.quarantined), back)

    assert step.rows == {}
    assert usage.rows == {WEB: (300, 30)}
    assert usage.quarantined == {}


def test_a_row_that_jumped_and_stayed_counts_on_from_there() -> None:
    most = IMPLAUSIBLE_RATE * 330
    first, jumped = reading({WEB: (0, 0)}), reading({WEB: (most + 1, 0)}, minutes=5)
    step = usage_between(first, jumped)
    still = reading({WEB: (most + 1, 0)}, minutes=10)
    later = usage_between(replace(jumped, quarantined=step.quarantined), still)

    on = usage_between(replace(still, quarantined=later.quarantined), reading({WEB: (most + 8, 0)}, minutes=15))

    assert (step.rows, later.rows, on.rows) == ({}, {}, {WEB: (7, 0)})
    assert later.quarantined == on.quarantined == {WEB: (0, 0)}


def test_a_row_that_jumped_stayed_and_came_back_counts_from_before_the_jump() -> None:
    jumped = reading({WEB: (2**60, 0)}, quarantined={WEB: (1_000, 0)})
    on = usage_between(jumped, reading({WEB: (2**60 + 500, 0)}, minutes=5))
    before = reading({WEB: (2**60 + 500, 0)}, minutes=5, quarantined=on.quarantined)

    usage = usage_between(before, reading({WEB: (1_700, 0)}, minutes=10))

    assert usage.rows == {WEB: (700, 0)}
    assert usage.quarantined == {}


def test_all_rows_together_can_not_carry_more_than_one_link() -> None:
    """Otherwise a router could make sums that no database holds."""
    rows = {key(port=port): (IMPLAUSIBLE_RATE * 30, 0) for port in range(1, 1_000)}

    usage = usage_between(reading({}), reading(rows, minutes=5))

    assert sum(sum(counters) for counters in usage.rows.values()) <= IMPLAUSIBLE_RATE * 330
    assert kinds(usage) == [NoteKind.IMPLAUSIBLE]


# -- frozen ---------------------------------------------------------------------------------------------------


def frozen_readings(count: int, *, active: bool = True) -> list[Usage]:
    """What the accounting says of ``count`` readings after a first one, in which no counter moves."""
    usages: list[Usage] = []
    before = reading({WEB: (1_000, 100)}, has_active_neighbours=active)
    for number in range(1, count + 1):
        after = reading({WEB: (1_000, 100)}, minutes=10 * number, has_active_neighbours=active)
        usages.append(usage_between(before, after))
        before = replace(
            after, unchanged_since=usages[-1].unchanged_since, unchanged_readings=usages[-1].unchanged_readings
        )
    return usages


def test_counters_that_stand_still_while_devices_are_active_are_no_silence() -> None:
    *before, frozen = frozen_readings(FROZEN_AFTER)

    assert all(usage.gaps == () and kinds(usage) == [] for usage in before)
    assert frozen.gaps == (Span(NOON, at(10 * FROZEN_AFTER)),)
    assert kinds(frozen) == [NoteKind.FROZEN]
    assert "unknown" in frozen.notes[0].message


def test_counters_that_stand_still_while_nobody_is_there_are_silence() -> None:
    assert all(usage.gaps == () for usage in frozen_readings(FROZEN_AFTER + 3, active=False))


def test_the_hour_begins_when_somebody_is_there_again() -> None:
    """After a night in which nobody used anything, a phone that wakes up for a moment is no gap of the whole night."""
    before = reading({WEB: (1_000, 100)})
    for number in range(1, 100):
        after = reading({WEB: (1_000, 100)}, minutes=5 * number, has_active_neighbours=number > 80)
        usage = usage_between(before, after)
        assert usage.gaps == () or usage.gaps == (Span(at(400), after.read_at),)
        assert usage.is_frozen is (number >= 80 + 12)
        before = replace(after, unchanged_since=usage.unchanged_since, unchanged_readings=usage.unchanged_readings)


def test_many_readings_in_a_short_time_make_no_standstill() -> None:
    usages = frozen_readings(1)
    for seconds in range(1, 20):
        before = reading(
            {WEB: (1_000, 100)},
            minutes=10 + (seconds - 1) / 60,
            unchanged_since=usages[-1].unchanged_since,
            unchanged_readings=usages[-1].unchanged_readings,
        )
        after = reading({WEB: (1_000, 100)}, minutes=10 + seconds / 60, has_active_neighbours=True)
        usages.append(usage_between(before, after))

    assert all(usage.gaps == () for usage in usages)


def test_one_byte_ends_the_standstill() -> None:
    usage = frozen_readings(FROZEN_AFTER - 1)[-1]
    before = reading(
        {WEB: (1_000, 100)}, unchanged_since=usage.unchanged_since, unchanged_readings=usage.unchanged_readings
    )

    moved = usage_between(before, reading({WEB: (1_001, 100)}, minutes=5, has_active_neighbours=True))

    assert (moved.gaps, moved.unchanged_readings, moved.unchanged_since) == ((), 0, at(5))


# -- how far usage is to be trusted ---------------------------------------------------------------------------


def test_usage_of_a_long_time_is_exact_in_sum_and_estimated_in_its_hours() -> None:
    usage = usage_between(reading({WEB: (0, 0)}), reading({WEB: (9, 1)}, minutes=180))

    assert [(part.rows, part.quality, part.reason) for part in usage.parts] == [
        ({WEB: (9, 1)}, Quality.ESTIMATED, NoteKind.LONG_INTERVAL)
    ]
    assert "3.0 hours" in usage.notes[0].message
    assert usage.gaps == ()


def test_a_full_table_says_that_rows_may_be_lost() -> None:
    usage = usage_between(reading({WEB: (0, 0)}), reading({WEB: (9, 1), SSH: (1, 1)}, minutes=5, row_limit=2))

    assert kinds(usage) == [NoteKind.ROWS_EVICTED]
    assert [part.quality for part in usage.parts] == [Quality.UNKNOWN]
