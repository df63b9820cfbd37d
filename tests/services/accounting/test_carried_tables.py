"""A table that was carried over a period's end: nlbwmon was stopped before it had looked at the date."""

from dataclasses import replace
from datetime import date

import pytest

from services.accounting.counters import Counters, Reading, RowKey
from services.accounting.notes import NoteKind
from services.accounting.usage import PassedPeriod
from services.buckets import Span
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOON,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    at,
    kinds,
    passed,
    reading,
    usage_between,
)

SEPTEMBER = date(2026, 9, 1)

#: October ends at 13:00.
ENDED = [passed(OCTOBER, until=60)]
READ = {WEB: (1_000, 100), SSH: (70, 7)}


def after_restart(
    rows: dict[RowKey, Counters], *, restarted: float, of: str = "daemon", minutes: float = 65
) -> Reading:
    """A reading some minutes after noon, ``restarted`` at such a minute."""
    up = (minutes - restarted) * 60
    booted = {"boot_id": "b", "uptime_s": up} if of == "router" else {"boot_id": "a", "uptime_s": 86_400 + minutes * 60}
    return reading(rows, minutes=minutes, daemon_id="2", daemon_uptime_s=up, row_limit=100, **booted)


def before_restart(rows: dict[RowKey, Counters]) -> Reading:
    return reading(rows, period=OCTOBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)


@pytest.mark.parametrize("of", ["daemon", "router"])
def test_what_was_saved_by_the_new_periods_name_seconds_after_it_began_is_counted_once(of: str) -> None:
    saved = {WEB: (1_400, 100), SSH: (70, 7)}
    before = before_restart(READ)
    after = after_restart({WEB: (1_500, 100), SSH: (70, 7), LAPTOP_WEB: (9, 9)}, restarted=60.2, of=of)
    files = {OCTOBER: {WEB: (900, 100), SSH: (70, 7)}, NOVEMBER: saved}

    usage = usage_between(before, after, files, ENDED, ages_s={OCTOBER: 70 * 60.0, NOVEMBER: 4.9 * 60})

    assert usage.rows == {WEB: (500, 0), LAPTOP_WEB: (9, 9)}
    assert usage.period_start == NOVEMBER
    assert usage.archived == frozenset()  # the file of October is a commit


def test_a_boot_after_the_periods_end_that_finds_no_file_of_the_new_one_began_at_zero() -> None:
    before = before_restart({WEB: (1_000, 100)})
    after = after_restart({WEB: (1_500, 100)}, restarted=62, of="router")

    usage = usage_between(before, after, {OCTOBER: {WEB: (1_000, 100)}}, ENDED, ages_s={OCTOBER: 20 * 60.0})

    assert usage.rows == {WEB: (1_500, 100)}


def test_an_archive_of_the_next_period_that_has_the_old_ones_table_counts_only_above_it() -> None:
    """Read only after the next period had ended, too."""
    before = reading(READ, period=SEPTEMBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({WEB: (30, 3)}, restarted=20)
    archives = {SEPTEMBER: {WEB: (1_100, 100), SSH: (70, 7)}, OCTOBER: {WEB: (5_000, 500), SSH: (70, 7)}}
    ages_s = {SEPTEMBER: 55 * 60.0, OCTOBER: 5 * 60.0}  # October's alone was written where it ended

    usage = usage_between(
        before, after, archives, [passed(SEPTEMBER, until=20), passed(OCTOBER, until=60)], ages_s=ages_s
    )

    assert usage.rows == {WEB: (4_000 + 30, 400 + 3)}
    assert usage.archived == {OCTOBER}


def test_where_it_cannot_be_told_only_what_lies_above_the_old_table_counts_and_that_is_said() -> None:
    """No row is what it was, and the file was written anew since."""
    before = before_restart({WEB: (1_000, 100)})
    after = after_restart({WEB: (5_000, 500)}, restarted=60.2)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (4_000, 400)}}, ENDED, ages_s={NOVEMBER: 60.0})

    assert usage.rows == {WEB: (4_000, 400)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_full_table_that_was_carried_over_counts_no_row_that_may_have_been_counted() -> None:
    before = before_restart({WEB: (1_000, 100), SSH: (70, 7), LAPTOP_WEB: (8, 8)})
    before = reading(before.counters, period=OCTOBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=3)
    other = (4, "UDP", 53, WEB[3], WEB[4])
    after = reading(
        {WEB: (1_300, 100), SSH: (70, 7), other: (50, 5)},
        minutes=65,
        boot_id="a",
        uptime_s=86_400 + 65 * 60,
        daemon_id="2",
        daemon_uptime_s=290,
        row_limit=3,
    )

    usage = usage_between(before, after, {}, ENDED)

    assert usage.rows == {WEB: (300, 0)}
    assert NoteKind.ROWS_EVICTED in kinds(usage)


def test_a_missing_archive_leaves_no_gap_where_the_table_is_the_same_one() -> None:
    before = before_restart(READ)
    after = after_restart({WEB: (1_500, 100), SSH: (70, 7)}, restarted=60.2)

    usage = usage_between(before, after, {}, ENDED)

    assert usage.rows == {WEB: (500, 0)}
    assert NoteKind.ARCHIVE_MISSING not in kinds(usage)
    assert usage.gaps == (Span(NOON, at(60.2)),)  # the restart's


def test_the_worked_example_of_a_restart_just_after_midnight() -> None:
    """docs/accounting.md: November's counters go on in December."""
    before = before_restart({WEB: (700_000_000, 0), SSH: (70, 7)})
    after = after_restart({WEB: (700_900_000, 0), SSH: (70, 7)}, restarted=60.2)

    usage = usage_between(
        before, after, {NOVEMBER: {WEB: (700_100_000, 0), SSH: (70, 7)}}, ENDED, ages_s={NOVEMBER: 290}
    )

    assert usage.rows == {WEB: (900_000, 0)}


def test_an_archive_that_a_crash_brought_the_period_before_into_counts_only_above_that() -> None:
    """The crash came seconds after the reading of a new period, and nobody read it before the next one."""
    before = reading({}, period=OCTOBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({LAPTOP_WEB: (5, 5)}, restarted=1)
    archives = {SEPTEMBER: READ, OCTOBER: {**READ, LAPTOP_WEB: (400, 40)}}

    usage = usage_between(before, after, archives, ENDED, ages_s={SEPTEMBER: 66 * 60.0, OCTOBER: 5 * 60.0})

    assert usage.rows == {LAPTOP_WEB: (405, 45)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_table_that_had_the_old_rows_at_the_earlier_reading_already_is_counted_from_there() -> None:
    before = reading({**READ, LAPTOP_WEB: (400, 40)}, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({**READ, LAPTOP_WEB: (450, 40)}, restarted=61)

    usage = usage_between(
        before, after, {OCTOBER: READ, NOVEMBER: {**READ, LAPTOP_WEB: (420, 40)}}, ages_s={NOVEMBER: 241.0}
    )

    assert usage.rows == {LAPTOP_WEB: (50, 0)}


def test_a_row_that_was_brought_back_before_the_earlier_reading_proves_nothing_now() -> None:
    other = (4, "UDP", 53, WEB[3], WEB[4])
    table = {SSH: (70, 7), WEB: (90_000, 900)}
    before = reading(table, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({**table, LAPTOP_WEB: (50, 0)}, restarted=61)

    usage = usage_between(
        before, after, {OCTOBER: {SSH: (70, 7), other: (500, 0)}, NOVEMBER: table}, ages_s={NOVEMBER: 241.0}
    )

    assert usage.rows == {LAPTOP_WEB: (50, 0)}


def test_a_crash_just_after_a_period_that_nobody_read_brings_its_rows_into_the_next_one() -> None:
    """Both had ended by the next reading. The copy in RAM was a little behind the archive, so that it lacks a row."""
    before = reading({WEB: (1_000, 100)}, period=SEPTEMBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({}, restarted=20.2)
    archives = {
        SEPTEMBER: {WEB: (9_000, 900), SSH: (70, 7), LAPTOP_WEB: (8, 8)},
        OCTOBER: {WEB: (9_000, 900), SSH: (90, 7)},
    }
    ages_s = {SEPTEMBER: 45 * 60.0, OCTOBER: 5 * 60.0}

    usage = usage_between(
        before, after, archives, [passed(SEPTEMBER, until=20), passed(OCTOBER, until=60)], ages_s=ages_s
    )

    assert usage.rows == {WEB: (8_000, 800), SSH: (90, 7), LAPTOP_WEB: (8, 8)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_row_alike_by_chance_carries_nothing_over_where_the_daemon_had_restarted_long_before() -> None:
    before = reading({WEB: (1_000, 100)}, period=SEPTEMBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({}, restarted=5)
    archives = {SEPTEMBER: {WEB: (9_000, 900), SSH: (70, 7)}, OCTOBER: {WEB: (700, 70), SSH: (70, 7)}}
    ages_s = {SEPTEMBER: 45 * 60.0, OCTOBER: 5 * 60.0}

    usage = usage_between(
        before, after, archives, [passed(SEPTEMBER, until=20), passed(OCTOBER, until=60)], ages_s=ages_s
    )

    assert usage.rows == {WEB: (8_700, 870), SSH: (140, 14)}


def _began(minutes: float) -> PassedPeriod:
    return replace(passed(OCTOBER, until=60), began=at(minutes))


@pytest.mark.parametrize(("began", "counted"), [(-0.5, {}), (-30, {**READ, LAPTOP_WEB: (400, 40)})])
def test_an_archive_after_a_crash_near_its_periods_start_is_unknown_without_that_of_the_one_before(
    began: float, counted: dict[RowKey, Counters]
) -> None:
    """The router keeps no more generations: what a crash brought back can't be told from the period's own rows."""
    before = reading({}, period=OCTOBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({}, restarted=0.2)

    usage = usage_between(
        before, after, {OCTOBER: {**READ, LAPTOP_WEB: (400, 40)}}, [_began(began)], ages_s={OCTOBER: 5 * 60.0}
    )

    assert usage.rows == counted
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_crash_near_the_running_periods_start_is_unknown_without_the_archive_of_the_one_before() -> None:
    before = reading({}, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = reading(
        READ,
        minutes=5,
        boot_id="a",
        uptime_s=86_700,
        daemon_id="2",
        daemon_uptime_s=290,
        period_age_s=320,
        row_limit=100,
    )

    usage = usage_between(before, after)

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


@pytest.mark.parametrize("of", ["daemon", "router"])
def test_rows_that_the_archive_lacks_and_the_next_table_has_were_saved_by_a_wrong_clock(of: str) -> None:
    """What was read in October is in no file of it, and is there again in November."""
    before = before_restart(READ)
    after = after_restart({**READ, LAPTOP_WEB: (9, 9)}, restarted=60.5, of=of)

    usage = usage_between(before, after, {OCTOBER: {}}, ENDED, ages_s={OCTOBER: 30 * 60.0})

    assert usage.rows == {LAPTOP_WEB: (9, 9)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_commit_by_the_next_periods_name_just_before_the_rollover_is_known_in_its_archive() -> None:
    """A power loss brought it back. It lacks what ran between the commit and the rollover; nobody read that period."""
    before = reading({}, period=SEPTEMBER, boot_id="a", uptime_s=86_400, daemon_id="1", row_limit=100)
    after = after_restart({}, restarted=23, of="router")
    archives = {SEPTEMBER: {WEB: (6_000_000, 0), SSH: (358_931, 56)}, OCTOBER: {SSH: (358_931, 56), LAPTOP_WEB: (8, 8)}}
    ages_s = {SEPTEMBER: 45 * 60.0, OCTOBER: 5 * 60.0}

    usage = usage_between(
        before, after, archives, [passed(SEPTEMBER, until=20), passed(OCTOBER, until=60)], ages_s=ages_s
    )

    assert usage.rows == {WEB: (6_000_000, 0), SSH: (358_931, 56), LAPTOP_WEB: (8, 8)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_table_that_is_the_archive_to_the_byte_was_brought_back_however_long_ago_and_though_it_was_read_so() -> None:
    """A crash a second after the rollover, and a stop hours later; nothing ran since the last reading."""
    before = before_restart(READ)
    after = after_restart(READ, restarted=400, minutes=401)

    usage = usage_between(
        before, after, {OCTOBER: READ, NOVEMBER: READ}, ENDED, ages_s={OCTOBER: 341 * 60.0, NOVEMBER: 60.0}
    )

    assert usage.rows == {}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_commit_has_the_old_rows_just_as_they_were_though_they_moved_since_the_daemon_took_it_up() -> None:
    """A crash just after the rollover, a commit, and another crash that took up the commit."""
    before = before_restart({})
    after = after_restart({WEB: (9_000, 900), LAPTOP_WEB: (8, 8)}, restarted=66, minutes=70)
    files = {OCTOBER: {WEB: (8_000, 800)}, NOVEMBER: {WEB: (8_000, 800), LAPTOP_WEB: (8, 8)}}

    usage = usage_between(before, after, files, ENDED, ages_s={OCTOBER: 600.0, NOVEMBER: 241.0})

    assert usage.rows == {WEB: (9_000, 900), LAPTOP_WEB: (8, 8)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)
