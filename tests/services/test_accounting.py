"""accounting.md's table, a test a row: what is usage between two readings, and what is said about it."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from services.accounting import (
    IMPLAUSIBLE_RATE,
    ROLLOVER_DELAY_S,
    Counters,
    MissingFiles,
    NoteKind,
    Reading,
    RowKey,
    Usage,
    account,
    find_missing_files,
    has_restarted,
    index_rows,
)
from tests.services.router_rows import (
    LAPTOP,
    LAPTOP_WEB,
    NOON,
    NOVEMBER,
    OCTOBER,
    PHONE,
    SSH,
    WEB,
    WEB6,
    counter_rows,
    reading,
)
from utils.errors import RolloverInProgress

AUGUST, SEPTEMBER = date(2026, 8, 1), date(2026, 9, 1)
NOTHING = MissingFiles((), ())

#: Seen on a real daemon: read, power loss, and what was read then.
BEFORE_LOSS, AFTER_LOSS = 21_031_029, 11_014_487

Files = Mapping[date, Mapping[RowKey, Counters]]


def usage_between(previous: Reading | None, current: Reading, files: Files | None = None) -> Usage:
    return account(previous, current, {start: counter_rows(rows) for start, rows in (files or {}).items()})


def kinds(usage: Usage) -> list[NoteKind]:
    return [note.kind for note in usage.notes]


def power_loss(
    new: Mapping[RowKey, Counters], old: Mapping[RowKey, Counters], **options: float
) -> tuple[Reading, Reading]:
    """Two readings five minutes apart with a boot a minute before the second."""
    before = reading(old, uptime_s=86_400, boot_id="a")
    after = reading(new, minutes=5, uptime_s=options.get("uptime_s", 60), boot_id="b")
    return before, after


# -- growth ---------------------------------------------------------------------------------------------------


def test_growth_is_the_difference_row_by_row() -> None:
    before = reading({WEB: (1_000, 100), SSH: (7, 7), LAPTOP_WEB: (50, 0)})
    after = reading({WEB: (1_500, 101), SSH: (7, 7), LAPTOP_WEB: (50, 9)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (500, 1), LAPTOP_WEB: (0, 9)}
    assert (usage.start, usage.end) == (NOON, NOON + timedelta(minutes=5))
    assert usage.notes == ()
    assert usage.period_start == NOVEMBER
    assert find_missing_files(before, after) == NOTHING


def test_a_new_row_counts_from_zero() -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: (1_000, 100), WEB6: (30, 3)}, minutes=5)

    assert usage_between(before, after).rows == {WEB6: (30, 3)}
    assert find_missing_files(before, after) == NOTHING


def test_a_row_that_vanished_was_counted_already() -> None:
    before, after = reading({WEB: (1_000, 100), SSH: (9, 9)}), reading({SSH: (10, 9)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {SSH: (1, 0)}
    assert usage.notes == ()
    assert find_missing_files(before, after) == NOTHING


def test_a_row_that_vanished_and_came_back_starts_from_zero() -> None:
    without, back = reading({}, minutes=5), reading({WEB: (40, 4)}, minutes=10)

    assert usage_between(without, back).rows == {WEB: (40, 4)}


def test_a_device_is_the_sum_of_its_rows_v4_and_v6() -> None:
    usage = usage_between(reading({}), reading({WEB: (1, 2), WEB6: (10, 20), SSH: (100, 200), LAPTOP_WEB: (5, 5)}))

    assert usage.by_device() == {PHONE: (111, 222), LAPTOP: (5, 5)}


def test_a_row_printed_twice_counts_twice() -> None:
    assert index_rows([*counter_rows({WEB: (1, 2)}), *counter_rows({WEB: (10, 20)})]) == {WEB: (11, 22)}


# -- first reading --------------------------------------------------------------------------------------------


def test_a_first_reading_is_usage_of_no_hour() -> None:
    first = reading({WEB: (1_000, 100), SSH: (1, 1)})

    usage = usage_between(None, first)

    assert usage.rows == {}
    assert usage.start == usage.end == NOON
    assert usage.period_start == NOVEMBER
    assert [(note.kind, note.rows) for note in usage.notes] == [(NoteKind.FIRST_READING, 2)]
    assert "2026-11-01" in usage.notes[0].message
    assert find_missing_files(None, first) == NOTHING


# -- rollover -------------------------------------------------------------------------------------------------


def test_a_rollover_adds_the_old_periods_tail_to_the_new_period() -> None:
    before = reading({WEB: (1_000, 100), SSH: (5, 5)}, period=OCTOBER)
    after = reading({WEB: (30, 3)}, minutes=5)
    archive = {WEB: (1_200, 120), SSH: (5, 5), LAPTOP_WEB: (8, 0)}

    usage = usage_between(before, after, {OCTOBER: archive})

    assert find_missing_files(before, after) == MissingFiles((OCTOBER,), ())
    assert usage.rows == {WEB: (230, 23), LAPTOP_WEB: (8, 0)}
    assert kinds(usage) == [NoteKind.ROLLOVER]
    assert (usage.start, usage.end) == (NOON, NOON + timedelta(minutes=5))
    assert usage.period_start == NOVEMBER


def test_whole_periods_in_between_count_as_a_whole() -> None:
    before = reading({WEB: (1_000, 100)}, period=AUGUST)
    after = reading({WEB: (1, 1)}, minutes=5)
    archives = {AUGUST: {WEB: (1_100, 100)}, SEPTEMBER: {WEB: (2_000, 200)}, OCTOBER: {WEB: (30_000, 0), SSH: (4, 4)}}

    usage = usage_between(before, after, archives)

    assert usage.rows == {WEB: (100 + 2_000 + 30_000 + 1, 0 + 200 + 0 + 1), SSH: (4, 4)}
    assert usage.by_device() == {PHONE: (32_105, 205)}


def test_the_archives_asked_for_are_the_old_period_and_those_in_between() -> None:
    before, after = reading({}, period=AUGUST), reading({}, minutes=5)
    known = [NOVEMBER, OCTOBER, SEPTEMBER, OCTOBER, AUGUST, date(2026, 7, 1)]

    assert find_missing_files(before, after, known_starts=known) == MissingFiles((AUGUST, SEPTEMBER, OCTOBER), ())


def test_a_row_evicted_before_the_rollover_was_counted_already() -> None:
    before = reading({WEB: (1_000, 100)}, period=OCTOBER)

    usage = usage_between(before, reading({}, minutes=5), {OCTOBER: {WEB: (7, 100)}})

    assert usage.rows == {}


def test_a_missing_archive_is_said_and_the_new_period_still_counts() -> None:
    before, after = reading({WEB: (1_000, 100)}, period=OCTOBER), reading({WEB: (30, 3)}, minutes=5)

    usage = usage_between(before, after, {})

    assert usage.rows == {WEB: (30, 3)}
    assert kinds(usage) == [NoteKind.ROLLOVER, NoteKind.ARCHIVE_MISSING]
    assert "2026-10-01" in usage.notes[1].message


def test_archives_in_between_count_where_the_old_periods_own_is_gone() -> None:
    before, after = reading({WEB: (1_000, 100)}, period=SEPTEMBER), reading({WEB: (1, 1)}, minutes=5)

    usage = usage_between(before, after, {OCTOBER: {WEB: (50, 5)}})

    assert usage.rows == {WEB: (51, 6)}
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
    assert find_missing_files(before, after) == NOTHING


# -- just after midnight --------------------------------------------------------------------------------------


def just_after_midnight(new: Mapping[RowKey, Counters], age_s: float = 10) -> tuple[Reading, Reading]:
    old = reading({WEB: (1_000, 100)}, period=OCTOBER)
    return old, reading(new, minutes=5, period_age_s=age_s)


def test_a_daemon_that_has_not_rolled_over_yet_is_not_counted_twice() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)})

    usage = usage_between(before, after, {OCTOBER: {WEB: (600, 60)}})  # its last commit, not yet its archive

    assert usage.rows == {WEB: (40, 0)}
    assert usage.period_start == OCTOBER
    assert usage.notes == ()


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
    assert kinds(usage) == [NoteKind.ROLLOVER]


def test_where_the_counters_leave_it_open_the_reading_is_put_off() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)})

    with pytest.raises(RolloverInProgress):
        usage_between(before, after, {OCTOBER: {WEB: (1_010, 100)}})  # archive or a commit of just now


def test_minutes_later_the_name_is_believed() -> None:
    before, after = just_after_midnight({WEB: (1_040, 100)}, ROLLOVER_DELAY_S + 1)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_010, 100)}})

    assert usage.rows == {WEB: (1_050, 100)}
    assert usage.period_start == NOVEMBER


# -- restart --------------------------------------------------------------------------------------------------


def test_after_a_power_loss_only_what_is_above_the_last_commit_is_new() -> None:
    before, after = power_loss({WEB: (AFTER_LOSS + 5_000, 300)}, {WEB: (BEFORE_LOSS, 900)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 250)}})

    assert find_missing_files(before, after) == MissingFiles((), (NOVEMBER,))
    assert usage.rows == {WEB: (5_000, 50)}
    assert kinds(usage) == [NoteKind.ROUTER_RESTARTED]


def test_a_power_loss_by_itself_is_no_usage() -> None:
    before, after = power_loss({WEB: (AFTER_LOSS, 250)}, {WEB: (BEFORE_LOSS, 900)})

    assert usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 250)}}).rows == {}


def test_a_power_loss_that_the_counters_have_outgrown_is_still_one() -> None:
    """No counter is smaller than before, and yet 10 MB of them were counted already."""
    before, after = power_loss({WEB: (BEFORE_LOSS + 1, 0)}, {WEB: (BEFORE_LOSS, 0)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (AFTER_LOSS, 0)}})

    assert find_missing_files(before, after) == MissingFiles((), (NOVEMBER,))
    assert usage.rows == {WEB: (BEFORE_LOSS + 1 - AFTER_LOSS, 0)}


def test_usage_after_a_power_loss_belongs_to_the_time_since_the_boot() -> None:
    before, after = power_loss({WEB: (10, 0)}, {WEB: (BEFORE_LOSS, 0)})

    usage = usage_between(before, after, {})

    assert (usage.start, usage.end) == (NOON + timedelta(minutes=4), NOON + timedelta(minutes=5))


def test_a_restart_with_nothing_on_disk_starts_from_zero() -> None:
    before, after = power_loss({WEB: (12, 1), SSH: (3, 3)}, {WEB: (BEFORE_LOSS, 900)})

    usage = usage_between(before, after, {})

    assert usage.rows == {WEB: (12, 1), SSH: (3, 3)}
    assert kinds(usage) == [NoteKind.ROUTER_RESTARTED]


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


# -- has the router restarted? ----------------------------------------------------------------------------------


def test_another_boot_id_is_a_restart_whatever_the_uptime_says() -> None:
    before = reading({}, uptime_s=100, boot_id="a")

    assert has_restarted(before, reading({}, minutes=5, uptime_s=400, boot_id="b"))


@pytest.mark.parametrize("minutes", [-600, 0, 5, 600])
def test_the_same_boot_id_is_none_however_the_servers_clock_steps(minutes: float) -> None:
    before = reading({}, uptime_s=100, boot_id="a")

    assert not has_restarted(before, reading({}, minutes=minutes, uptime_s=400, boot_id="a"))


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
    assert not has_restarted(reading({}, uptime_s=1_000), reading({}, minutes=minutes, uptime_s=uptime_s))


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
    assert has_restarted(reading({}, uptime_s=1_000), reading({}, minutes=minutes, uptime_s=uptime_s))


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, 5.0), (1_000.0, None)])
def test_a_router_that_tells_nothing_was_not_seen_to_restart(before: float | None, after: float | None) -> None:
    assert not has_restarted(reading({}, uptime_s=before), reading({}, minutes=5, uptime_s=after))


def test_the_uptime_decides_where_one_boot_id_is_not_known() -> None:
    before = reading({}, uptime_s=1_000)

    assert has_restarted(before, reading({}, minutes=5, uptime_s=60, boot_id="b"))
    assert not has_restarted(before, reading({}, minutes=5, uptime_s=1_300, boot_id="b"))


# -- decrease without a restart -------------------------------------------------------------------------------


def test_a_counter_put_back_to_its_commit_counts_from_there() -> None:
    before, after = reading({WEB: (1_000, 100), SSH: (5, 5)}), reading({WEB: (700, 70), SSH: (6, 5)}, minutes=5)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (600, 60), SSH: (1, 1)}})

    assert find_missing_files(before, after) == MissingFiles((), (NOVEMBER,))
    assert usage.rows == {WEB: (100, 10), SSH: (1, 0)}
    assert [(note.kind, note.rows) for note in usage.notes] == [(NoteKind.COUNTER_DECREASED, 1)]


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
    assert kinds(usage) == [NoteKind.COUNTER_DECREASED]
    assert "unknown" in usage.notes[0].message
    assert usage_between(after, reading({WEB: (75, 7), SSH: (9, 5)}, minutes=10)).rows == {WEB: (5, 0)}


@pytest.mark.parametrize("now", [(999, 100), (1_000, 99), (2_000, 99)])
def test_one_direction_that_shrank_is_enough_to_ask_for_the_commit(now: Counters) -> None:
    before, after = reading({WEB: (1_000, 100)}), reading({WEB: now}, minutes=5)

    assert find_missing_files(before, after) == MissingFiles((), (NOVEMBER,))


# -- implausible ----------------------------------------------------------------------------------------------


def test_what_no_link_could_carry_is_not_counted_and_said() -> None:
    most = IMPLAUSIBLE_RATE * 300
    before = reading({WEB: (0, 0), SSH: (0, 0), WEB6: (0, 0)})
    after = reading({WEB: (most, 0), SSH: (most, 1), WEB6: (5, 5)}, minutes=5)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (most, 0), WEB6: (5, 5)}
    assert [(note.kind, note.rows) for note in usage.notes] == [(NoteKind.IMPLAUSIBLE, 1)]


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
    assert usage.notes == ()


def test_two_readings_at_once_are_measured_against_a_second() -> None:
    usage = usage_between(reading({WEB: (0, 0)}), reading({WEB: (1_000, 0)}))

    assert usage.rows == {WEB: (1_000, 0)}
