"""Where the router's clock or zone was set, names of periods and files prove nothing: contents do."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.accounting.notes import NoteKind, Quality
from services.buckets import Span
from tests.services.accounting.router_rows import (
    LAPTOP,
    LAPTOP_WEB,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    WEB6,
    key,
    kinds,
    passed,
    reading,
    usage_between,
    wanted,
)
from utils.errors import RolloverInProgress


def test_a_table_that_went_on_under_another_name_is_growth() -> None:
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading({WEB: (1_500, 100), SSH: (70, 7)}, minutes=5, daemon_id="a", row_limit=100)
    after = replace(after, clock_was_set=True)

    assert wanted(before, after) == []
    assert usage_between(before, after).rows == {WEB: (500, 0)}


def test_a_running_table_that_lost_rows_began_a_period_and_its_tail_is_in_a_file_that_covers_it() -> None:
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, period=OCTOBER, daemon_id="a", row_limit=100)
    after = replace(reading({WEB: (30, 3)}, minutes=5, daemon_id="a", row_limit=100), clock_was_set=True)

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_200, 100), SSH: (70, 7)}})
    without = usage_between(before, after, {OCTOBER: {LAPTOP_WEB: (9_000, 0)}})

    assert wanted(before, after) == [OCTOBER, NOVEMBER]
    assert usage.rows == {WEB: (230, 3)}
    assert without.rows == {WEB: (30, 3)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(without)


def test_after_a_boot_in_another_period_the_file_that_was_taken_up_is_not_counted_again() -> None:
    before = reading({SSH: (80, 8)}, period=OCTOBER, boot_id="a")
    after = replace(reading({WEB: (1_500, 100), SSH: (70, 7)}, minutes=5, boot_id="b", uptime_s=60), clock_was_set=True)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (1_000, 100), SSH: (70, 7)}})

    assert usage.rows == {WEB: (500, 0)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_clock_that_was_wrong_at_both_readings_makes_no_rollover_of_a_table_that_went_on() -> None:
    table = {WEB: (1_000, 100), SSH: (70, 7)}
    before = reading(table, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading({WEB: (1_500, 100), SSH: (70, 7)}, minutes=5, daemon_id="a", row_limit=100)

    usage = usage_between(before, after, {OCTOBER: table}, [passed(OCTOBER, until=4)])

    assert usage.rows == {WEB: (500, 0)}


def test_an_archive_that_holds_the_running_table_is_not_counted_beside_it() -> None:
    before = reading({}, period=OCTOBER, daemon_id="a")
    after = reading({WEB: (1_000, 100), SSH: (70, 7)}, minutes=5, daemon_id="a")

    usage = usage_between(before, after, {OCTOBER: {SSH: (70, 7)}}, [passed(OCTOBER, until=4)])

    assert usage.rows == {WEB: (1_000, 100), SSH: (70, 7)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert usage.archived == frozenset()


# -- what tells that names can't be believed -------------------------------------------------------------------


def test_a_file_that_was_not_written_at_its_periods_end_is_no_archive() -> None:
    """The table went on: the file is a commit of it, under the name of a day that nlbwmon did not begin."""
    before = reading({WEB: (1_000, 100), SSH: (60, 0)}, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading({WEB: (1_500, 100), SSH: (90, 0)}, minutes=60, daemon_id="a", row_limit=100, period_age_s=3_000)
    file = {OCTOBER: {WEB: (1_200, 100), SSH: (70, 0)}}

    ended = [passed(OCTOBER, until=10)]
    commit = usage_between(before, after, file, ended, committed_age_s=3_500)
    archive = usage_between(before, after, file, ended, committed_age_s=2_990)

    assert commit.rows == {WEB: (500, 0), SSH: (30, 0)}
    assert (commit.archived, archive.archived) == (frozenset(), {OCTOBER})
    assert archive.rows == {WEB: (200 + 1_500, 100), SSH: (10 + 90, 0)}


def test_rows_alike_by_chance_do_not_keep_a_period_from_ending() -> None:
    """The router asks for the time once a day, and the answer is always as long."""
    before = reading({WEB: (1_000_000, 100), SSH: (76, 76)}, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading({WEB: (500, 0), SSH: (76, 76)}, minutes=60, daemon_id="a", row_limit=100, period_age_s=3_000)
    file = {OCTOBER: {WEB: (4_000_000, 100), SSH: (76, 76)}}

    told = usage_between(before, after, file, [passed(OCTOBER, until=10)], committed_age_s=2_990)

    assert told.rows == {WEB: (3_000_500, 0), SSH: (76, 76)}
    assert NoteKind.COUNTERS_WENT_BACK not in kinds(told)
    assert not told.doubted


def test_a_file_dated_ahead_of_the_routers_clock_is_not_counted_by_its_name() -> None:
    before = reading({}, daemon_id="a", boot_id="a", uptime_s=900, row_limit=100)
    after = reading({WEB: (9_000, 900)}, minutes=5, daemon_id="b", boot_id="b", uptime_s=60, row_limit=100)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (9_000, 900)}}, committed_age_s=-86_400)

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert usage.doubted == frozenset()  # the table goes on from it


def test_a_file_in_doubt_is_so_for_the_next_restart_and_no_longer_once_it_was_taken_up() -> None:
    before = reading({}, daemon_id="a", boot_id="a", uptime_s=900, row_limit=100, doubted=frozenset({NOVEMBER}))
    after = reading({WEB: (9_500, 900), SSH: (70, 7)}, minutes=5, boot_id="b", uptime_s=60, row_limit=100)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (9_000, 900), SSH: (70, 7)}}, committed_age_s=10)

    assert usage.rows == {WEB: (500, 0)}
    assert usage.doubted == frozenset()


def test_a_router_that_does_not_tell_its_daemons_start_is_not_doubted_at_each_reading() -> None:
    before = reading({WEB: (1_000, 100)}, doubted=frozenset({OCTOBER, NOVEMBER}), row_limit=100)
    after = reading({WEB: (1_500, 100), SSH: (70, 7)}, minutes=5, row_limit=100)

    usage = usage_between(before, after)

    assert usage.rows == {WEB: (500, 0), SSH: (70, 7)}
    assert kinds(usage) == []
    assert usage.doubted == {NOVEMBER}  # October is over


def test_where_a_period_ends_in_good_order_its_file_is_in_doubt_no_longer() -> None:
    """What the archive has above the last reading may be rows that were counted: unknown, and not counted."""
    before = reading({WEB: (1_000, 100)}, period=OCTOBER, daemon_id="a", doubted=frozenset({OCTOBER}), row_limit=100)
    after = reading({WEB: (5, 0)}, minutes=60, daemon_id="a", row_limit=100, period_age_s=3_000)

    usage = usage_between(
        before, after, {OCTOBER: {WEB: (1_200, 100)}}, [passed(OCTOBER, until=10)], committed_age_s=2_990
    )

    assert usage.rows == {WEB: (5, 0)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert usage.doubted == frozenset()


def test_after_a_boot_in_1970_what_the_file_has_above_the_reading_counts_and_the_new_table_from_zero() -> None:
    before = reading({WEB: (1_000, 0), SSH: (70, 0)}, boot_id="a", row_limit=100)
    after = reading({WEB: (60, 0)}, minutes=5, period=date(1970, 1, 1), boot_id="b", uptime_s=60, row_limit=100)
    after = replace(after, clock_was_set=True)

    told = usage_between(before, after, {NOVEMBER: {WEB: (1_010, 0), SSH: (70, 0)}})
    moved = usage_between(before, after, {NOVEMBER: {WEB: (1_010, 0), SSH: (71, 0)}})

    assert told.rows == {WEB: (10 + 60, 0)}
    assert moved.rows == {WEB: (60, 0)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(told)


def test_a_clock_set_back_over_a_periods_start_makes_no_second_end_of_it() -> None:
    """Its archive is dated at the period's end, and yet no row began again."""
    table = {WEB: (1_000, 100), SSH: (70, 7)}
    before = reading(table, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading(table, minutes=60, daemon_id="a", row_limit=100, period_age_s=3_000)

    usage = usage_between(before, after, {OCTOBER: {}}, [passed(OCTOBER, until=10)], committed_age_s=3_000)

    assert usage.rows == {}


def test_an_archive_without_what_was_read_is_not_the_end_of_that_table_though_a_row_was_evicted_since() -> None:
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, period=OCTOBER, daemon_id="a", row_limit=3)
    new = {WEB: (1_500, 100), LAPTOP_WEB: (5, 5), WEB6: (1, 0)}
    after = reading(new, minutes=60, daemon_id="a", row_limit=3, period_age_s=3_000)

    usage = usage_between(before, after, {OCTOBER: {}}, [passed(OCTOBER, until=10)], committed_age_s=3_000)

    assert usage.rows == {WEB: (500, 0), LAPTOP_WEB: (5, 5), WEB6: (1, 0)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_table_of_a_doubted_name_that_kept_its_rows_ended_no_period_whatever_was_archived() -> None:
    """nlbwmon began November by a right clock; that was set back, and the reading found October's name."""
    table = {WEB: (1_000, 100), SSH: (70, 7)}
    before = reading(table, period=OCTOBER, daemon_id="a", row_limit=2, doubted=frozenset({OCTOBER}))
    after = reading({WEB: (1_000, 100), WEB6: (9, 9)}, minutes=60, daemon_id="a", row_limit=2, period_age_s=3_000)
    archive = {LAPTOP_WEB: (5_000, 0), key(LAPTOP, port=22): (500, 5)}

    usage = usage_between(before, after, {OCTOBER: archive}, [passed(OCTOBER, until=10)], committed_age_s=2_990)

    assert usage.rows == {WEB6: (9, 9)}


def test_a_file_with_fewer_rows_than_were_read_is_not_their_archive_though_the_table_is_full() -> None:
    """A full table overwrites rows, and never has fewer."""
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, period=OCTOBER, daemon_id="a", row_limit=2)
    after = reading({WEB: (1_000, 100), WEB6: (9, 9)}, minutes=60, daemon_id="a", row_limit=2, period_age_s=3_000)

    usage = usage_between(before, after, {OCTOBER: {}}, [passed(OCTOBER, until=10)], committed_age_s=2_990)

    assert usage.rows == {WEB6: (9, 9)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_clock_set_seconds_after_a_periods_start_puts_the_reading_off() -> None:
    """nlbwmon may not have looked at the date since: what flows until it does will be in October's archive."""
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, period=OCTOBER, daemon_id="a", row_limit=100)
    after = reading({WEB: (1_500, 100), SSH: (70, 7)}, minutes=60, daemon_id="a", row_limit=100, period_age_s=20)

    with pytest.raises(RolloverInProgress):
        usage_between(before, replace(after, clock_was_set=True))


def test_a_full_table_whose_daemon_tells_no_start_counts_its_new_rows_though_the_clock_was_set() -> None:
    before = reading({WEB: (1_000, 100), SSH: (70, 7)}, row_limit=2)
    after = replace(reading({WEB: (1_000, 100), WEB6: (9, 9)}, minutes=5, row_limit=2), clock_was_set=True)

    assert usage_between(before, after).rows == {WEB6: (9, 9)}


def test_a_copy_in_ram_behind_a_commit_of_the_same_boot_is_not_counted_from_zero_though_the_zone_is_another() -> None:
    before = reading({}, period=NOVEMBER, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100)
    table = {WEB: (9_000, 900), SSH: (70, 7)}
    after = reading(
        table, minutes=10, period=OCTOBER, boot_id="b", uptime_s=500, daemon_id="2", daemon_uptime_s=300, row_limit=100
    )
    commit = {**table, LAPTOP_WEB: (8, 8)}

    usage = usage_between(before, replace(after, clock_was_set=True), {OCTOBER: commit}, ages_s={OCTOBER: 301.0})

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_boot_by_a_wrong_clock_that_took_up_an_earlier_archive_does_not_count_it_again() -> None:
    """By the clock it had at its boot; it was set once more before the reading."""
    before = reading({}, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100)
    after = reading(
        {WEB: (9_000, 900), SSH: (70, 7)}, minutes=5, period=date(2026, 8, 1), boot_id="b", uptime_s=60, row_limit=100
    )
    after = replace(after, clock_was_set=True)

    usage = usage_between(before, after, {OCTOBER: {WEB: (8_500, 900), SSH: (70, 7)}})

    assert wanted(before, after, earlier=[OCTOBER]) == [date(2026, 8, 1), OCTOBER, NOVEMBER]
    assert usage.rows == {WEB: (500, 0)}


def test_a_file_ahead_of_the_table_tells_nothing_of_where_that_began_and_nothing_is_counted_twice() -> None:
    """The boot in 1970 took up an archive that was counted, committed, and the daemon came back from an older copy."""
    earlier = date(1970, 1, 1)
    before = reading({SSH: (70, 7)}, period=date(1970, 2, 1), boot_id="a", uptime_s=600, row_limit=100)
    table = {WEB: (9_000_000, 410_024), WEB6: (800, 80)}
    after = reading(table, minutes=1, period=earlier, boot_id="b", uptime_s=30, daemon_uptime_s=1, row_limit=100)
    after = replace(after, clock_was_set=True)

    usage = usage_between(before, after, {earlier: {**table, LAPTOP_WEB: (8, 8)}})

    assert usage.rows == {}
    assert usage.gaps == (Span(before.read_at, after.read_at - timedelta(seconds=1)),)
    assert Quality.UNKNOWN in [note.quality for note in usage.notes]


def test_a_copy_in_ram_that_was_made_by_another_clock_is_a_table_that_nobody_has_seen() -> None:
    """The daemon is up for a second and found a copy that is dated before the boot."""
    before = reading({SSH: (70, 7)}, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100)
    after = reading(
        {WEB: (9_000, 900)}, minutes=5, boot_id="b", uptime_s=42, daemon_id="2", daemon_uptime_s=1, row_limit=100
    )

    usage = usage_between(before, after, ram_copy_age_s=1_964_822_412.0, has_ram_copy=True)

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert usage.doubted == {NOVEMBER}


@pytest.mark.parametrize(("started_after_s", "counted"), [(10, {}), (50, {WEB: (9_000, 900)})])
def test_a_crash_seconds_after_a_doubted_reading_may_bring_back_a_table_from_before_it(
    started_after_s: int, counted: dict[object, object]
) -> None:
    """The copy in RAM is made once in thirty seconds."""
    before = reading({}, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100, doubted=frozenset({NOVEMBER}))
    after = reading(
        {WEB: (9_000, 900)},
        minutes=5,
        boot_id="a",
        uptime_s=1_200,
        daemon_id="2",
        daemon_uptime_s=300 - started_after_s,
        row_limit=100,
    )

    usage = usage_between(before, after)

    assert usage.rows == counted


def test_a_file_that_the_daemon_may_have_taken_up_under_its_right_name_is_in_doubt_no_longer() -> None:
    """It was written before the earlier reading, which does not have its row: it is of another table."""
    before = reading({}, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100)
    after = reading(
        {WEB: (0, 20)}, minutes=5, boot_id="a", uptime_s=1_200, daemon_id="2", daemon_uptime_s=200, row_limit=100
    )

    usage = usage_between(before, after, {NOVEMBER: {WEB: (0, 20)}}, ages_s={NOVEMBER: 900.0})

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
    assert usage.doubted == frozenset()
