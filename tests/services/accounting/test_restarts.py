"""Restarts: what the counters came back from, and what is new on top of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from services.accounting.counters import Counters, Reading, RowKey
from services.accounting.notes import NoteKind, Quality
from services.accounting.restored_tables import Restart, find_restart
from services.buckets import Span
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOON,
    NOVEMBER,
    SSH,
    WEB,
    WEB6,
    at,
    kinds,
    reading,
    usage_between,
    wanted,
)

#: Seen on a real daemon: read, power loss, and what was read then.
BEFORE_LOSS, AFTER_LOSS = 21_031_029, 11_014_487


def power_loss(
    new: Mapping[RowKey, Counters], old: Mapping[RowKey, Counters], **options: float
) -> tuple[Reading, Reading]:
    """Two readings five minutes apart with a boot a minute before the second."""
    before = reading(old, uptime_s=86_400, boot_id="a")
    after = reading(new, minutes=5, uptime_s=options.get("uptime_s", 60), boot_id="b")
    return before, after


def has_booted(previous: Reading, current: Reading) -> bool:
    return find_restart(previous, current) is Restart.ROUTER


# -- restart ---------------------------------------------------------------------------------------------------------


def test_after_a_power_loss_only_what_is_above_the_last_commit_is_new() -> None:
    """A row that is exactly what the file has proves that the table began as that file."""
    new = {WEB: (AFTER_LOSS + 5_000, 300), SSH: (70, 7)}
    before, after = power_loss(new, {WEB: (BEFORE_LOSS, 900), SSH: (70, 7)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 250), SSH: (70, 7)}})

    assert wanted(before, after) == [NOVEMBER]
    assert usage.rows == {WEB: (5_000, 50)}
    assert kinds(usage) == [NoteKind.ROUTER_RESTARTED, NoteKind.GAP]
    assert usage.gaps == (Span(NOON, at(4)),)


def test_where_every_row_has_moved_since_a_power_loss_the_file_may_not_be_what_was_taken_up() -> None:
    """From zero, under a clock that was wrong at first, all of them may have outgrown the file by now."""
    before, after = power_loss({WEB: (5_000, 300)}, {WEB: (8_000, 900)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (4_000, 250)}})

    assert usage.rows == {WEB: (1_000, 50)}
    assert [note.span for note in usage.notes if note.kind is NoteKind.COUNTERS_WENT_BACK] == [Span(at(4), at(5))]


def test_a_power_loss_by_itself_is_no_usage() -> None:
    before, after = power_loss({WEB: (AFTER_LOSS, 250)}, {WEB: (BEFORE_LOSS, 900)})

    assert usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 250)}}).rows == {}


def test_a_power_loss_that_the_counters_have_outgrown_is_still_one() -> None:
    """No counter is smaller than before, and yet 10 MB of them were counted already."""
    before, after = power_loss({WEB: (BEFORE_LOSS + 1, 0)}, {WEB: (BEFORE_LOSS, 0)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 0)}})

    assert wanted(before, after) == [NOVEMBER]
    assert usage.rows == {WEB: (BEFORE_LOSS + 1 - AFTER_LOSS, 0)}


def test_a_gap_ends_where_nlbwmon_started_which_may_be_long_after_the_boot() -> None:
    """It was down again meanwhile: what ran then is as unknown as what ran before the boot."""
    before = reading({WEB: (BEFORE_LOSS, 900)}, uptime_s=86_400, boot_id="a", daemon_id="1:1", daemon_uptime_s=86_300)
    after = reading({WEB: (50, 5)}, minutes=60, uptime_s=3_000, boot_id="b", daemon_id="9:9", daemon_uptime_s=600)

    usage = usage_between(before, after, {})

    assert usage.gaps == (Span(NOON, at(50)),)


def test_usage_after_a_power_loss_belongs_to_the_time_since_the_boot() -> None:
    before, after = power_loss({WEB: (10, 0)}, {WEB: (BEFORE_LOSS, 0)})

    usage = usage_between(before, after, {})

    assert [part.span for part in usage.parts] == [Span(at(4), at(5))]


def test_a_restart_with_nothing_on_disk_starts_from_zero() -> None:
    before, after = power_loss({WEB: (12, 1), SSH: (3, 3)}, {WEB: (BEFORE_LOSS, 900)})

    usage = usage_between(before, after, {})

    assert usage.rows == {WEB: (12, 1), SSH: (3, 3)}
    assert kinds(usage) == [NoteKind.ROUTER_RESTARTED, NoteKind.GAP, NoteKind.COUNTERS_WENT_BACK]
    assert usage.gaps == (Span(NOON, at(4)),)


def test_a_row_that_the_last_commit_does_not_have_starts_from_zero() -> None:
    before, after = power_loss({WEB: (600, 0), SSH: (70, 0)}, {WEB: (900, 0), SSH: (60, 0)})

    assert usage_between(before, after, {NOVEMBER: {WEB: (500, 0)}}).rows == {WEB: (100, 0), SSH: (70, 0)}


def test_a_clean_reboot_commits_more_than_was_read_and_all_of_it_counts() -> None:
    before, after = power_loss({WEB: (1_000, 90), SSH: (20, 0)}, {WEB: (700, 70)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (900, 80), SSH: (15, 0)}})

    assert usage.rows == {WEB: (300, 20), SSH: (20, 0)}


def test_each_direction_of_a_row_is_judged_for_itself() -> None:
    before, after = power_loss({WEB: (600, 95)}, {WEB: (900, 70)})

    assert usage_between(before, after, {NOVEMBER: {WEB: (500, 90)}}).rows == {WEB: (100, 25)}


def test_a_restart_in_the_night_does_not_make_its_usage_implausible() -> None:
    """A clean reboot: hours of usage were committed before it, and the first reading comes seconds after it."""
    before = reading({WEB: (0, 0)}, uptime_s=86_400, boot_id="a")
    after = reading({WEB: (10**11, 0)}, minutes=480, uptime_s=2, boot_id="b")

    usage = usage_between(before, after, {NOVEMBER: {WEB: (10**11, 0)}})

    assert usage.rows == {WEB: (10**11, 0)}


# -- has the router restarted? ---------------------------------------------------------------------------------------


def test_another_boot_id_is_a_restart_whatever_the_uptime_says() -> None:
    before = reading({}, uptime_s=100, boot_id="a")

    assert has_booted(before, reading({}, minutes=5, uptime_s=400, boot_id="b"))


@pytest.mark.parametrize("minutes", [-600, 0, 5, 600])
def test_the_same_boot_id_is_none_however_the_servers_clock_steps(minutes: float) -> None:
    before = reading({}, uptime_s=100, boot_id="a")

    assert not has_booted(before, reading({}, minutes=minutes, uptime_s=400, boot_id="a"))


@pytest.mark.parametrize(
    ("minutes", "uptime_s"),
    [
        (5, 1_300),  # as much as time passed
        (5, 1_300 - 80),  # the first answer came slowly
        (5, 1_300 + 80),  # the second one
        (5, 1_299.99),
        (-60, 1_300),  # the server's clock was put back
        (0, 1_000),
    ],
)
def test_an_uptime_that_grew_with_the_time_is_no_restart(minutes: float, uptime_s: float) -> None:
    assert not has_booted(reading({}, uptime_s=1_000), reading({}, minutes=minutes, uptime_s=uptime_s))


@pytest.mark.parametrize(
    ("minutes", "uptime_s"),
    [
        (5, 999),  # it went back
        (5, 0),
        (600, 2_000),  # it grew, but by far less than the time that passed
        (-60, 999),
    ],
)
def test_an_uptime_that_lags_behind_the_time_is_a_restart(minutes: float, uptime_s: float) -> None:
    assert has_booted(reading({}, uptime_s=1_000), reading({}, minutes=minutes, uptime_s=uptime_s))


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, 5.0), (1_000.0, None)])
def test_a_router_that_tells_nothing_was_not_seen_to_restart(before: float | None, after: float | None) -> None:
    assert not has_booted(reading({}, uptime_s=before), reading({}, minutes=5, uptime_s=after))


def test_the_uptime_decides_where_one_boot_id_is_not_known() -> None:
    before = reading({}, uptime_s=1_000)

    assert has_booted(before, reading({}, minutes=5, uptime_s=60, boot_id="b"))
    assert not has_booted(before, reading({}, minutes=5, uptime_s=1_300, boot_id="b"))


# -- decrease without a restart --------------------------------------------------------------------------------------


def test_a_counter_put_back_to_its_commit_counts_from_there() -> None:
    before, after = reading({WEB: (1_000, 100), SSH: (5, 5)}), reading({WEB: (700, 70), SSH: (6, 5)}, minutes=5)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (600, 60), SSH: (1, 1)}})

    assert wanted(before, after) == [NOVEMBER]
    assert usage.rows == {WEB: (100, 10), SSH: (5, 4)}  # all rows come back from the same place
    assert kinds(usage) == [NoteKind.COUNTERS_WENT_BACK]


def test_a_counter_below_its_commit_was_evicted_and_returned_from_zero() -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (70, 7)}, minutes=5)

    assert usage_between(before, after, {NOVEMBER: {WEB: (600, 60)}}).rows == {WEB: (70, 7)}


def test_a_counter_that_shrank_and_is_not_in_the_commit_returned_from_zero() -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (70, 7)}, minutes=5)

    assert usage_between(before, after, {NOVEMBER: {SSH: (600, 60)}}).rows == {WEB: (70, 7)}


def test_a_counter_that_shrank_counts_nothing_where_no_commit_is_to_be_had() -> None:
    before, after = reading({WEB: (1_000, 100), SSH: (5, 5)}), reading({WEB: (70, 7), SSH: (9, 5)}, minutes=5)

    usage = usage_between(before, after, {})

    assert usage.rows == {SSH: (4, 0)}
    assert kinds(usage) == [NoteKind.COUNTERS_WENT_BACK]
    assert "unknown" in usage.notes[0].message
    assert usage_between(after, reading({WEB: (75, 7), SSH: (9, 5)}, minutes=10)).rows == {WEB: (5, 0)}


@pytest.mark.parametrize("now", [(999, 100), (1_000, 99), (2_000, 99)])
def test_one_direction_that_shrank_is_enough_to_ask_for_the_commit(now: Counters) -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: now}, minutes=5)

    assert wanted(before, after) == [NOVEMBER]


def test_a_few_bytes_less_than_before_are_a_copy_in_ram_not_a_commit_of_long_ago() -> None:
    """A crash that nobody saw: counting from the commit would count 800 bytes again."""
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (990, 100)}, minutes=5)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (200, 20)}})

    assert usage.rows == {}
    assert kinds(usage) == [NoteKind.COUNTERS_WENT_BACK]


# -- what was saved -------------------------------------------------------------------------------------------


def test_a_row_evicted_before_the_last_reading_is_not_counted_again_when_it_comes_back_from_disk() -> None:
    """The commit still had it; it had been read, and was overwritten after that."""
    before, after = power_loss({WEB: (500, 0), SSH: (80, 8)}, {WEB: (900, 0), LAPTOP_WEB: (3, 0)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (500, 0), SSH: (70, 7)}})

    assert usage.rows == {SSH: (10, 1)}


@pytest.mark.parametrize(("written", "expected"), [(60.0, {SSH: (80, 8)}), (900.0, {SSH: (10, 1)})])
def test_when_the_commit_was_written_tells_whether_its_rows_were_counted(
    written: float, expected: dict[RowKey, Counters]
) -> None:
    """SSH is in the commit and was not in the last reading: used since, or evicted before it."""
    before, after = power_loss({WEB: (500, 0), SSH: (80, 8)}, {WEB: (500, 0), LAPTOP_WEB: (3, 0)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (500, 0), SSH: (70, 7)}}, committed_age_s=written)

    assert usage.rows == expected


def test_a_full_table_that_is_back_from_disk_with_rows_evicted_since_is_not_counted_as_new() -> None:
    """Most of the commit's rows are gone again: that does not make the others begin at zero."""
    before, after = power_loss({WEB: (505, 0), WEB6: (7, 7)}, {WEB: (500, 0)})
    saved = {WEB: (500, 0), SSH: (70, 7), LAPTOP_WEB: (3, 0)}

    assert usage_between(before, replace(after, row_limit=2), {NOVEMBER: saved}).rows == {WEB: (5, 0), WEB6: (7, 7)}


def test_a_newer_commit_of_a_full_table_can_have_rows_that_were_counted_and_forgotten() -> None:
    """SSH was counted and evicted; one power loss brought it back, and the stop before the second start saved it."""
    before, after = power_loss({WEB: (500, 0), SSH: (70, 7)}, {WEB: (500, 0), LAPTOP_WEB: (3, 0)})
    saved = {WEB: (500, 0), SSH: (70, 7)}

    usage = usage_between(before, replace(after, row_limit=2), {NOVEMBER: saved}, committed_age_s=100)

    assert usage.rows == {}


def test_what_was_saved_after_the_last_reading_belongs_to_the_time_before_the_boot() -> None:
    before, after = power_loss({WEB: (1_000, 90)}, {WEB: (700, 70)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (900, 80)}})

    assert [(part.span, part.rows) for part in usage.parts] == [
        (Span(NOON, at(4)), {WEB: (200, 10)}),
        (Span(at(4), at(5)), {WEB: (100, 10)}),
    ]


def test_a_table_that_started_from_zero_beside_a_commit_counts_as_a_whole() -> None:
    """The clock was wrong when nlbwmon started: it took up the file of 1970."""
    before, after = power_loss({WEB: (60, 6)}, {WEB: (900, 90), SSH: (5, 5), WEB6: (7, 7)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (800, 80), SSH: (5, 5), WEB6: (7, 7)}})

    assert usage.rows == {WEB: (60, 6)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_file_written_since_the_boot_is_not_what_the_router_came_back_with() -> None:
    before, after = power_loss({WEB: (850, 0)}, {WEB: (1_000, 0)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (800, 0)}}, committed_age_s=10)

    assert usage.rows == {WEB: (50, 0)}  # at least: it came back with less than 800
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert {part.quality for part in usage.parts} == {Quality.UNKNOWN}


# -- a clock that was set back ----------------------------------------------------------------------------------


def test_a_boot_with_a_clock_of_1970_counts_in_a_period_of_its_own() -> None:
    epoch = date(1970, 1, 1)
    before = reading({WEB: (1_000, 100)}, uptime_s=86_400, boot_id="a")
    after = reading({WEB: (60, 6)}, minutes=5, period=epoch, uptime_s=60, boot_id="b")

    usage = usage_between(before, after, {NOVEMBER: {WEB: (1_010, 100)}})

    assert wanted(before, after) == [epoch, NOVEMBER]
    assert usage.rows == {WEB: (60, 6)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)  # 10 may have been saved after the last reading
    assert usage.period_start == epoch
    assert usage.gaps == (Span(NOON, at(4)),)


def test_the_period_after_1970_starts_from_zero() -> None:
    epoch = date(1970, 1, 1)
    before = reading({WEB: (60, 6)}, period=epoch, boot_id="b", daemon_id="1:1")
    after = reading({WEB: (9, 0)}, minutes=5, boot_id="b", daemon_id="1:1")

    usage = usage_between(before, after, {epoch: {WEB: (61, 6)}})

    assert usage.rows == {WEB: (10, 0)}
    assert usage.period_start == NOVEMBER


def test_a_reading_without_a_row_proves_no_copy_in_ram() -> None:
    before = reading({}, boot_id="a", daemon_id="a")
    after = reading({WEB: (5_000, 500)}, minutes=5, boot_id="b", daemon_id="c", uptime_s=3_000, daemon_uptime_s=20)
    usage = usage_between(before, after)
    assert usage.rows == {WEB: (5_000, 500)}
    assert usage.doubted == frozenset()
