"""The list of accounting periods that `nlbw -c list` prints."""

from datetime import date

import pytest

from tests.utils.nlbwmon_output import FIXTURES
from utils.nlbwmon_parser import parse_period_list


def test_the_list_of_periods_is_newest_first_as_printed() -> None:
    periods = parse_period_list((FIXTURES / "list.txt").read_text())

    assert list(periods) == [date(2026, month, 1) for month in (11, 10, 9, 8, 7, 6, 5)]
    assert list(periods.values()) == [day.isoformat() for day in periods]


def test_lines_of_the_list_that_are_no_date_are_left_out() -> None:
    assert list(parse_period_list("2026-11-01\n2026-02-39\nError\n\n2026-10-01")) == [
        date(2026, 11, 1),
        date(2026, 10, 1),
    ]
    assert parse_period_list("") == {}


@pytest.mark.parametrize(
    ("name", "start"),
    [("2026-02-31", date(2026, 3, 1)), ("2028-02-30", date(2028, 3, 1)), ("2026-11-31", date(2026, 12, 1))],
)
def test_a_period_from_a_day_that_its_month_lacks_begins_on_the_first_after_it(name: str, start: date) -> None:
    assert parse_period_list(name) == {start: name}
