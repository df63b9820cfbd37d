"""Where the router's clock or zone was set, names of periods and files prove nothing: contents do."""

from dataclasses import replace

from services.accounting_notes import NoteKind
from tests.services.router_rows import (
    LAPTOP_WEB,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    kinds,
    passed,
    reading,
    usage_between,
    wanted,
)


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
    assert NoteKind.ARCHIVE_MISSING in kinds(usage)
