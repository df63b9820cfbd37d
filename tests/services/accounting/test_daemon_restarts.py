"""nlbwmon alone restarts: it comes back from its copy in RAM, or from its last commit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from services.accounting.counters import Counters, Reading, RowKey
from services.accounting.notes import NoteKind, Quality
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


def daemon_restart(
    old: Mapping[RowKey, Counters], new: Mapping[RowKey, Counters], *, minutes: float = 5, uptime_s: float = 60
) -> tuple[Reading, Reading]:
    """Two readings; nlbwmon started ``uptime_s`` before the second, the router ran on."""
    before = reading(old, boot_id="a", daemon_id="17:1", daemon_uptime_s=9_000)
    after = reading(new, minutes=minutes, boot_id="a", daemon_id="18:2", daemon_uptime_s=uptime_s)
    return before, after


def test_a_daemon_that_crashed_counts_on_from_its_copy_in_ram() -> None:
    """10 bytes were counted before the crash and lost by it; what came since is above the last reading or it is not."""
    before, after = daemon_restart({WEB: (1_000, 100), SSH: (7, 7)}, {WEB: (990, 104), SSH: (7, 7)}, uptime_s=295)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (200, 20)}})

    assert wanted(before, after) == [NOVEMBER]
    assert usage.rows == {}  # 0 where it went back: at least so much was used
    assert kinds(usage) == [NoteKind.DAEMON_RESTARTED, NoteKind.GAP, NoteKind.COUNTERS_WENT_BACK]
    assert usage.gaps == (Span(NOON, NOON + timedelta(seconds=5)),)


def test_a_daemon_that_was_stopped_in_good_order_lost_nothing() -> None:
    before, after = daemon_restart({WEB: (1_000, 100)}, {WEB: (1_500, 150)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (1_200, 120)}})

    assert usage.rows == {WEB: (500, 50)}


def test_rows_that_a_full_table_had_forgotten_are_back_from_the_copy_in_ram_and_not_counted_again() -> None:
    """Read a second before the crash, the table had two new rows; the copy from before them still has the old two."""
    before = reading({WEB: (775_731, 8), WEB6: (58, 949_717)}, uptime_s=198, daemon_id="1", row_limit=2)
    after = reading(
        {SSH: (2_036_115_176, 533_636), LAPTOP_WEB: (0, 902_099)},
        minutes=5,
        uptime_s=498,
        daemon_id="2",
        daemon_uptime_s=299,
        row_limit=2,
    )

    usage = usage_between(before, after, ram_copy_age_s=2, has_ram_copy=True)

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_row_of_an_older_commit_that_a_full_table_had_overwritten_proves_no_other_table() -> None:
    """It is back from the copy in RAM, made before it was overwritten."""
    before = reading({WEB: (1_000, 100), SSH: (0, 75)}, boot_id="a", daemon_id="1", row_limit=2)
    after = reading(
        {WEB: (1_000, 100), WEB6: (745, 0)},
        minutes=1,
        boot_id="a",
        daemon_id="2",
        daemon_uptime_s=1,
        row_limit=2,
    )

    usage = usage_between(
        before, after, {NOVEMBER: {WEB6: (745, 0)}}, committed_age_s=2_000, has_ram_copy=True, ram_copy_age_s=22
    )

    assert usage.rows == {}


def test_a_daemon_without_its_copy_in_ram_counts_on_from_its_last_commit() -> None:
    """A power loss of the daemon's files alone: the copy in RAM is gone, the router's uptime goes on."""
    before, after = daemon_restart({WEB: (BEFORE_LOSS, 900)}, {WEB: (AFTER_LOSS + 5_000, 300)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 250)}})

    assert usage.rows == {WEB: (5_000, 50)}
    assert [part.span for part in usage.parts] == [Span(at(4), at(5))]
    assert usage.gaps == (Span(NOON, at(4)),)


def test_a_row_that_stands_where_it_was_committed_does_not_prove_a_commit() -> None:
    """SSH was used only after the copy in RAM was made, so that it has the committed value in that copy, too. Taken for
    a return to the commit, it had 10 MB of the other row counted a second time."""
    before, after = daemon_restart(
        {WEB: (BEFORE_LOSS, 0), SSH: (90, 9)}, {WEB: (BEFORE_LOSS + 1, 0), SSH: (50, 5)}, uptime_s=290
    )

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 0), SSH: (50, 5)}})

    assert usage.rows == {WEB: (1, 0)}
    assert {part.quality for part in usage.parts} == {Quality.UNKNOWN}


@pytest.mark.parametrize("uptime_s", [297, 280, 240, 20])
def test_after_a_power_loss_of_the_daemon_alone_what_runs_after_it_is_counted(uptime_s: float) -> None:
    before, after = daemon_restart({WEB: (BEFORE_LOSS, 0)}, {WEB: (AFTER_LOSS + 500_000, 0)}, uptime_s=uptime_s)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 0)}})

    assert usage.rows == {WEB: (500_000, 0)}


def test_where_nothing_tells_of_restarts_a_row_far_below_is_back_from_its_commit() -> None:
    before, after = reading({WEB: (BEFORE_LOSS, 0)}), reading({WEB: (17_000_000, 0)}, minutes=5)

    assert usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 0)}}).rows == {WEB: (5_985_513, 0)}


def test_a_table_that_is_not_full_evicted_nothing() -> None:
    """WEB is back from a copy in RAM of when it was new; 100 of it were counted."""
    before, after = reading({WEB: (1_000, 0), SSH: (5_000, 0)}), reading({WEB: (100, 0), SSH: (5_000, 0)}, minutes=5)

    usage = usage_between(before, replace(after, row_limit=10_000), {NOVEMBER: {SSH: (4_000, 0)}})

    assert usage.rows == {}
    assert kinds(usage) == [NoteKind.COUNTERS_WENT_BACK]


def test_a_copy_in_ram_that_is_not_there_was_not_taken_up() -> None:
    """Seconds after its start the daemon has written none yet: had it found one, it would still be there."""
    before, after = daemon_restart({WEB: (BEFORE_LOSS, 0)}, {WEB: (BEFORE_LOSS + 9, 0)}, uptime_s=20)
    saved = {NOVEMBER: {WEB: (AFTER_LOSS, 0)}}

    assert usage_between(before, after, saved, has_ram_copy=False).rows == {WEB: (BEFORE_LOSS + 9 - AFTER_LOSS, 0)}
    assert usage_between(before, after, saved, has_ram_copy=True, ram_copy_age_s=40).rows == {WEB: (9, 0)}


def test_a_row_that_a_crash_took_with_it_does_not_make_the_others_begin_at_zero() -> None:
    """SSH came after the copy in RAM was made. It is missing in the commit as well, and that tells nothing."""
    before, after = daemon_restart({WEB: (0, 679), SSH: (928, 0)}, {WEB: (0, 679)}, uptime_s=299)

    usage = usage_between(before, after, {})

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_second_crash_takes_up_the_copy_that_the_first_one_had_put_back() -> None:
    """It lacks a row that was read just before the first crash, though it was made long after that reading."""
    table = {WEB: (560_201, 0), SSH: (74_034, 0)}
    before, after = daemon_restart({**table, WEB6: (1, 93)}, table, minutes=10, uptime_s=300)

    assert usage_between(before, after, {}).rows == {}


def test_where_copy_and_commit_fit_alike_a_row_that_only_the_commit_has_is_not_counted_again() -> None:
    """SSH was counted and evicted before the last reading; the copy in RAM was gone, and the commit brought it back."""
    before, after = daemon_restart(
        {WEB: (500, 5), WEB6: (7, 7), LAPTOP_WEB: (1, 1)}, {WEB: (500, 5), SSH: (94, 1)}, uptime_s=299
    )

    usage = usage_between(before, replace(after, row_limit=3), {NOVEMBER: {WEB: (500, 5), SSH: (94, 1)}})

    assert usage.rows == {}


def test_a_crash_of_a_full_table_long_after_the_reading_is_no_start_from_zero() -> None:
    """SSH made room for another row meanwhile. Taken for lost, it had the whole table counted a second time."""
    before, after = daemon_restart(
        {WEB: (500, 5), WEB6: (7, 7), SSH: (94, 1)}, {WEB: (500, 5), WEB6: (7, 7), LAPTOP_WEB: (1, 1)}, uptime_s=1
    )

    assert usage_between(before, replace(after, row_limit=3), {}).rows == {LAPTOP_WEB: (1, 1)}


def test_a_full_table_that_came_back_as_it_was_saved_brings_no_forgotten_row_as_new() -> None:
    before, after = daemon_restart({WEB: (500, 5), SSH: (94, 1)}, {WEB: (500, 5), WEB6: (7, 7)}, uptime_s=120)

    usage = usage_between(before, replace(after, row_limit=2), {NOVEMBER: {WEB: (500, 5), WEB6: (7, 7)}})

    assert usage.rows == {}


def test_a_crash_in_a_full_table_says_that_rows_may_have_been_overwritten_unread() -> None:
    before, after = daemon_restart({WEB: (1, 1)}, {WEB: (1, 1), SSH: (5, 5)}, uptime_s=120)
    full = replace(after, row_limit=2)

    assert NoteKind.ROWS_EVICTED in kinds(usage_between(before, full, {}))


@pytest.mark.parametrize("facts", [{"committed_age_s": 122}, {}])
def test_what_a_file_ahead_of_its_table_has_is_counted_once(facts: dict[str, float]) -> None:
    """A crash put the table back behind a commit just made, what that has above it was counted, and its period is in
    doubt since. Then a crash without a copy in RAM brings it back from the commit.
    """
    before = reading({WEB: (1_000, 0)}, boot_id="b", daemon_id="x", doubted=frozenset({NOVEMBER}))
    after = reading({WEB: (1_000, 0), SSH: (0, 55)}, minutes=1, boot_id="b", daemon_id="y", daemon_uptime_s=1)
    assert usage_between(before, after, {NOVEMBER: {WEB: (1_000, 0), SSH: (0, 55)}}, **facts).rows == {}
