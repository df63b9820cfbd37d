"""A daemon that began without a file adds the rows of another table's file to its own at its first commit, if the clock
was set to a period that has one.
"""

from datetime import date

import pytest

from services.accounting.account import compare
from services.accounting.counters import Reading
from services.accounting.notes import NoteKind
from services.accounting.wanted_files import files_in_doubt
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    kinds,
    reading,
    usage_between,
)

DECEMBER = date(2026, 12, 1)


def test_a_clock_set_back_to_a_period_with_a_file_brings_its_rows_and_they_are_not_counted_again() -> None:
    before = reading({SSH: (70, 7)}, period=DECEMBER, daemon_id="a", row_limit=100)
    after = reading({SSH: (90, 7), WEB: (9_000, 900)}, minutes=60, daemon_id="a", row_limit=100)
    merged = {SSH: (80, 7), WEB: (8_500, 900)}  # November's WEB is in it

    usage = usage_between(before, after, {NOVEMBER: merged}, ages_s={NOVEMBER: 600})

    assert files_in_doubt(compare(before, after)) == [NOVEMBER]
    assert usage.rows == {SSH: (10, 0), WEB: (500, 0)}
    assert NoteKind.COUNTERS_WENT_BACK in kinds(usage)


def test_a_file_that_was_not_written_since_has_not_been_added() -> None:
    before = reading({SSH: (70, 7)}, period=DECEMBER, daemon_id="a", row_limit=100)
    after = reading({SSH: (90, 7), WEB: (50, 5)}, minutes=60, daemon_id="a", row_limit=100)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (8_500, 900)}}, ages_s={NOVEMBER: 7_200})

    assert usage.rows == {SSH: (20, 0), WEB: (50, 5)}
    assert kinds(usage) == []


def _doubted(*, minutes: float = 0, rows: dict = {}) -> Reading:  # noqa: B006 # it is only read
    return reading(rows, minutes=minutes, daemon_id="a", row_limit=100, doubted=frozenset({NOVEMBER}))


@pytest.mark.parametrize("of", [NOVEMBER, DECEMBER])
def test_a_file_ahead_of_its_table_may_be_added_at_a_commit_also_where_the_periods_name_changes(of: date) -> None:
    before = _doubted()
    after = reading({WEB: (9_000, 900)}, minutes=60, period=of, daemon_id="a", row_limit=100, clock_was_set=True)

    usage = usage_between(before, after, {NOVEMBER: {WEB: (8_900, 900)}}, ages_s={NOVEMBER: 60})

    assert files_in_doubt(compare(before, after)) == [NOVEMBER]
    assert usage.rows == {WEB: (100, 0)}


def test_once_the_table_has_all_of_the_file_it_is_in_doubt_no_longer() -> None:
    before, after = _doubted(), _doubted(minutes=60, rows={WEB: (9_000, 900), LAPTOP_WEB: (8, 8)})

    usage = usage_between(before, after, {NOVEMBER: {WEB: (8_900, 900)}}, ages_s={NOVEMBER: 60})

    assert usage.rows == {WEB: (100, 0), LAPTOP_WEB: (8, 8)}
    assert usage.doubted == frozenset()


def test_a_file_saved_by_a_stop_with_rows_that_it_had_before_is_not_left_over() -> None:
    """SIGTERM adds them as well; the daemon that comes back has them all."""
    before = reading({SSH: (70, 7)}, period=DECEMBER, boot_id="a", uptime_s=900, daemon_id="1", row_limit=100)
    table = {SSH: (70, 7), WEB: (8_500, 900)}
    after = reading(
        table,
        minutes=5,
        boot_id="a",
        uptime_s=1_200,
        daemon_id="2",
        daemon_uptime_s=60,
        row_limit=100,
        clock_was_set=True,
    )

    usage = usage_between(before, after, {NOVEMBER: table}, ages_s={NOVEMBER: 61, OCTOBER: 99_999})

    assert usage.rows == {}
