"""New accounting periods: what the old one had left is in its archive."""

from collections.abc import Mapping
from datetime import date

import pytest

from services.accounting.counters import Counters, Reading, RowKey
from services.accounting.notes import NoteKind, Quality
from services.accounting.restored_tables import ROLLOVER_DELAY_S
from services.buckets import Span
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOON,
    NOVEMBER,
    OCTOBER,
    PHONE,
    SSH,
    WEB,
    at,
    kinds,
    passed,
    reading,
    usage_between,
    wanted,
)
from utils.errors import RolloverInProgress

AUGUST, SEPTEMBER = date(2026, 8, 1), date(2026, 9, 1)

#: Seen on a real daemon: read, power loss, and what was read then.
BEFORE_LOSS, AFTER_LOSS = 21_031_029, 11_014_487


# -- rollover --------------------------------------------------------------------------------------------------------


def test_a_rollover_adds_the_old_periods_tail_to_the_new_period() -> None:
    before = reading({WEB: (1_000, 100), SSH: (5, 5)}, period=OCTOBER)
    after = reading({WEB: (30, 3)}, minutes=5)
    archive = {WEB: (1_200, 120), SSH: (5, 5), LAPTOP_WEB: (8, 0)}

    usage = usage_between(before, after, {OCTOBER: archive})

    assert wanted(before, after) == [OCTOBER]
    assert usage.rows == {WEB: (230, 23), LAPTOP_WEB: (8, 0)}
    assert kinds(usage) == [NoteKind.ROLLOVER, NoteKind.RECOVERED]
    assert usage.period_start == NOVEMBER


def test_whole_periods_in_between_count_as_a_whole() -> None:
    before = reading({WEB: (1_000, 100)}, period=AUGUST)
    after = reading({WEB: (1, 1)}, minutes=5)
    archives = {AUGUST: {WEB: (1_100, 100)}, SEPTEMBER: {WEB: (2_000, 200)}, OCTOBER: {WEB: (30_000, 0), SSH: (4, 4)}}

    periods = [passed(AUGUST, until=1), passed(SEPTEMBER, until=2), passed(OCTOBER, until=3)]
    usage = usage_between(before, after, archives, periods)

    assert usage.rows == {WEB: (100 + 2_000 + 30_000 + 1, 0 + 200 + 0 + 1), SSH: (4, 4)}
    assert [part.span for part in usage.parts] == [
        Span(NOON, at(1)),
        Span(at(1), at(2)),
        Span(at(2), at(3)),
        Span(at(3), at(5)),
    ]
    assert usage.by_device() == {PHONE: (32_105, 205)}


def test_the_archives_asked_for_are_the_old_period_and_those_in_between() -> None:
    before, after = reading({}, period=AUGUST), reading({}, minutes=5)
    periods = [passed(AUGUST, until=1), passed(SEPTEMBER, until=2), passed(OCTOBER, until=3)]

    assert wanted(before, after, periods) == [AUGUST, SEPTEMBER, OCTOBER]


def test_a_row_evicted_before_the_rollover_was_counted_already() -> None:
    before = reading({WEB: (1_000, 100)}, period=OCTOBER)

    usage = usage_between(before, reading({}, minutes=5), {OCTOBER: {WEB: (7, 100)}})

    assert usage.rows == {}


def test_a_missing_archive_is_said_and_the_new_period_still_counts() -> None:
    before, after = reading({WEB: (1_000, 100)}, period=OCTOBER), reading({WEB: (30, 3)}, minutes=5)

    usage = usage_between(before, after, {})

    assert usage.rows == {WEB: (30, 3)}
    assert kinds(usage) == [NoteKind.ROLLOVER, NoteKind.ARCHIVE_MISSING]
    assert usage.gaps == (Span(NOON, at(5)),)
    assert "2026-10-01" in usage.notes[1].message


def test_archives_missing_one_after_another_are_told_in_one() -> None:
    before, after = reading({WEB: (1_000, 100)}, period=AUGUST), reading({WEB: (1, 1)}, minutes=5)

    periods = [passed(AUGUST, until=1), passed(SEPTEMBER, until=2), passed(OCTOBER, until=3)]
    for archives, gap, told in (
        ({}, Span(NOON, at(3.5)), "no archives of its 3 accounting periods of 2026-08-01 to 2026-10-01"),
        ({OCTOBER: {WEB: (50, 5)}}, Span(NOON, at(2.5)), "no archives of its 2 accounting periods of 2026-08-01 to"),
    ):
        usage = usage_between(before, after, archives, periods)

        (missing,) = [note for note in usage.notes if note.kind is NoteKind.ARCHIVE_MISSING]
        assert (missing.span, usage.gaps) == (gap, (gap,))
        assert told in missing.message


def test_archives_in_between_count_where_the_old_periods_own_is_gone() -> None:
    before, after = reading({WEB: (1_000, 100)}, period=SEPTEMBER), reading({WEB: (1, 1)}, minutes=5)

    periods = [passed(SEPTEMBER, until=1), passed(OCTOBER, until=3)]
    usage = usage_between(before, after, {OCTOBER: {WEB: (50, 5)}}, periods)

    assert usage.rows == {WEB: (51, 6)}
    assert usage.gaps == (Span(NOON, at(1.5)),)  # nlbwmon looks at the date twice a minute
    assert NoteKind.ARCHIVE_MISSING in kinds(usage)


def test_a_rollover_after_a_power_loss_does_not_subtract_what_the_archive_never_had() -> None:
    before = reading({WEB: (BEFORE_LOSS, 0)}, period=OCTOBER, boot_id="a")
    after = reading({WEB: (30, 0)}, minutes=5, boot_id="b")

    assert usage_between(before, after, {OCTOBER: {WEB: (AFTER_LOSS, 0)}}).rows == {WEB: (30, 0)}


def test_a_restart_between_the_readings_of_a_rollover_is_said() -> None:
    """What ran between the last reading and the loss is unknown there as well: every gap is shown."""
    before = reading({WEB: (BEFORE_LOSS, 0)}, period=OCTOBER, uptime_s=86_400, boot_id="a")
    after = reading({WEB: (30, 0)}, minutes=5, uptime_s=60, boot_id="b")

    usage = usage_between(before, after, {OCTOBER: {WEB: (AFTER_LOSS, 0)}})

    assert NoteKind.ROUTER_RESTARTED in kinds(usage)


def test_a_period_whose_name_went_back_is_the_same_period() -> None:
    """A clock that was put back rolls nothing over: its counters go on."""
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (1_500, 100)}, minutes=5, period=OCTOBER)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (500, 0)}
    assert usage.period_start == NOVEMBER
    assert wanted(before, after) == []


def test_each_period_counts_in_its_own_time() -> None:
    """Two weeks away over a rollover: what the archive holds lies before the month's end, the rest after it."""
    before = reading({WEB: (1_000, 100)}, period=OCTOBER)
    after = reading({WEB: (30, 3)}, minutes=10)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_200, 120)}}, [passed(OCTOBER, until=4)])

    assert [(part.span, part.rows, part.quality) for part in usage.parts] == [
        (Span(NOON, at(4)), {WEB: (200, 20)}, Quality.RECOVERED),
        (Span(at(4), at(10)), {WEB: (30, 3)}, Quality.MEASURED),
    ]
    assert usage.gaps == ()


def test_a_row_that_was_evicted_in_the_old_period_counts_what_its_archive_has() -> None:
    """The daemon is known not to have restarted: a row can only have come back from zero."""
    before = reading({WEB: (1_000, 100)}, period=OCTOBER, daemon_id="1:1")
    after = reading({}, minutes=5, daemon_id="1:1")

    usage = usage_between(before, after, {OCTOBER: {WEB: (7, 5)}})

    assert usage.rows == {WEB: (7, 5)}
    assert NoteKind.ROWS_EVICTED in kinds(usage)


# -- just after midnight ---------------------------------------------------------------------------------------------


def just_after_midnight(new: Mapping[RowKey, Counters], age_s: float = 10) -> tuple[Reading, Reading]:
    old = reading({WEB: (1_000, 100)}, period=OCTOBER)
    return old, reading(new, minutes=5, period_age_s=age_s)


def test_a_daemon_that_has_not_rolled_over_yet_is_not_counted_twice() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)})

    usage = usage_between(before, after, {OCTOBER: {WEB: (600, 60)}})  # its last commit, not yet its archive

    assert usage.rows == {WEB: (40, 0)}
    assert usage.period_start == OCTOBER
    assert kinds(usage) == []


def test_a_daemon_that_never_committed_and_has_not_rolled_over_is_not_counted_twice() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)})

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (40, 0)}
    assert usage.period_start == OCTOBER


def test_a_daemon_that_rolled_over_at_once_counts_at_once() -> None:
    before, after = just_after_midnight({WEB: (7, 1)})

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_020, 100)}})

    assert usage.rows == {WEB: (27, 1)}
    assert usage.period_start == NOVEMBER
    assert kinds(usage) == [NoteKind.ROLLOVER, NoteKind.RECOVERED]


def test_where_the_counters_leave_it_open_the_reading_is_put_off() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)})

    with pytest.raises(RolloverInProgress):
        usage_between(before, after, {OCTOBER: {WEB: (1_010, 100)}})  # archive or a commit of just now


def test_minutes_later_the_name_is_believed() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)}, ROLLOVER_DELAY_S + 1)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_010, 100)}})

    assert usage.rows == {WEB: (1_050, 100)}
    assert usage.period_start == NOVEMBER


def test_a_rollover_just_now_after_several_periods_is_put_off() -> None:
    """Whether these counters are of the new period or of the one before it, the last reading can't tell."""
    before = reading({}, period=AUGUST)
    after = reading({WEB: (7, 1)}, minutes=5, period_age_s=2)
    periods = [passed(AUGUST, until=1), passed(SEPTEMBER, until=2), passed(OCTOBER, until=3)]

    with pytest.raises(RolloverInProgress):
        usage_between(before, after, {SEPTEMBER: {SSH: (1, 1)}}, periods)


def test_a_daemon_that_started_since_midnight_counts_in_the_new_period() -> None:
    before = reading({}, period=OCTOBER, boot_id="a")
    after = reading({WEB: (7, 1)}, minutes=5, boot_id="b", uptime_s=12, period_age_s=14)

    assert usage_between(before, after).period_start == NOVEMBER


# -- with a full table, or a restart -----------------------------------------------------------------------------------


def test_a_full_archive_says_that_rows_may_have_been_overwritten_unread() -> None:
    before = reading({WEB: (1, 1)}, period=OCTOBER, daemon_id="1:1")
    after = reading({}, minutes=10, daemon_id="1:1", row_limit=2)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1, 1), SSH: (5, 5)}}, [passed(OCTOBER, until=4)])

    assert [(note.kind, note.span) for note in usage.notes if note.quality is Quality.UNKNOWN] == [
        (NoteKind.ROWS_EVICTED, Span(NOON, at(4)))
    ]


def test_over_a_rollover_after_a_power_loss_the_tail_is_at_least_so_much() -> None:
    """The table had to grow again to where it had been read before anything counts: nobody knows by how much."""
    before = reading({WEB: (1_000, 0)}, period=OCTOBER, boot_id="a")
    after = reading({}, minutes=10, boot_id="b", uptime_s=480)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_100, 0)}}, [passed(OCTOBER, until=4)], committed_age_s=360)

    assert usage.rows == {WEB: (100, 0)}
    assert {note.span for note in usage.notes if note.kind is NoteKind.COUNTERS_WENT_BACK} == {Span(at(2), at(4))}


def test_until_an_archive_was_written_at_its_periods_end_the_clock_may_have_been_wrong_since_the_boot() -> None:
    before = reading({WEB: (1_000, 0)}, period=OCTOBER, boot_id="a")
    after = reading({}, minutes=10, boot_id="b", uptime_s=480)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_100, 0)}}, [passed(OCTOBER, until=4)], committed_age_s=400)

    assert Span(at(2), at(10)) in [note.span for note in usage.notes if note.kind is NoteKind.COUNTERS_WENT_BACK]


def test_a_full_archive_after_a_restart_can_have_rows_that_were_counted_and_forgotten() -> None:
    """SSH was counted, then evicted, then read as gone; a power loss brought it back from the commit."""
    before = reading({WEB: (1_000, 0), LAPTOP_WEB: (1, 1)}, period=OCTOBER, boot_id="a")
    after = reading({}, minutes=10, boot_id="b", uptime_s=480, row_limit=2)

    usage = usage_between(before, after, {OCTOBER: {WEB: (900, 0), SSH: (50, 5)}}, [passed(OCTOBER, until=4)])

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
