"""The days of a report, and those that they are compared with."""

from datetime import UTC, date, datetime

import pytest

from services.buckets import Granularity
from services.chosen_days import Days
from services.reports.report_period import ReportPeriod, ReportRequest, reported_days
from utils.errors import ValidationFailed
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")
#: A Tuesday, 10:00 in Berlin.
NOW = datetime(2031, 11, 11, 9, 0, tzinfo=UTC)


def request(period: str, end: date | None = None, start: date | None = None) -> ReportRequest:
    return ReportRequest(period=ReportPeriod(period), start_date=start, end_date=end)


@pytest.mark.parametrize(
    ("wanted", "first", "last", "before"),
    [
        (request("day"), (11, 11), (11, 11), (11, 10)),
        (request("week"), (11, 5), (11, 11), (10, 29)),
        (request("month"), (10, 12), (11, 11), (9, 12)),
        (request("month", date(2031, 10, 31)), (10, 1), (10, 31), (9, 1)),
        (request("month", date(2031, 9, 30)), (9, 1), (9, 30), (8, 1)),
        (request("range", date(2031, 10, 10), date(2031, 10, 1)), (10, 1), (10, 10), (9, 21)),
    ],
)
def test_a_period_and_the_one_before_it(
    wanted: ReportRequest, first: tuple[int, int], last: tuple[int, int], before: tuple[int, int]
) -> None:
    days = reported_days(wanted, BERLIN, NOW)
    assert days.days == Days(date(2031, *first), date(2031, *last))
    assert days.span.start == BERLIN.midnight(date(2031, *first))
    assert days.previous.start == BERLIN.midnight(date(2031, *before))


def test_a_running_period_is_held_against_the_one_before_up_to_the_same_time_of_day() -> None:
    days = reported_days(request("day"), BERLIN, NOW)
    assert days.span.end == NOW
    assert days.previous.end == datetime(2031, 11, 10, 9, 0, tzinfo=UTC)


def test_also_where_the_clocks_were_set_in_between() -> None:
    now = datetime(2031, 10, 27, 9, 0, tzinfo=UTC)  # 10:00, after a day of 25 hours
    days = reported_days(request("week"), BERLIN, now)
    assert days.previous.end == datetime(2031, 10, 20, 8, 0, tzinfo=UTC)


def test_a_period_that_is_over_is_held_against_all_of_the_one_before() -> None:
    days = reported_days(request("week", date(2031, 11, 9)), BERLIN, NOW)
    assert days.previous.end == days.span.start


def test_the_future_can_not_be_reported() -> None:
    with pytest.raises(ValidationFailed) as raised:
        reported_days(request("day", date(2031, 11, 12)), BERLIN, NOW)
    assert raised.value.details == {"endDate": ["lies in the future: today is 2031-11-11 at the router"]}


@pytest.mark.parametrize(
    ("start", "granularity"),
    [
        (date(2031, 11, 10), Granularity.HOUR),
        (date(2031, 11, 9), Granularity.DAY),
        (date(2031, 9, 11), Granularity.DAY),
        (date(2031, 9, 10), Granularity.WEEK),
        (date(2030, 11, 11), Granularity.WEEK),
        (date(2029, 11, 11), Granularity.MONTH),
    ],
)
def test_a_chart_has_as_many_bars_as_can_be_told_apart(start: date, granularity: Granularity) -> None:
    days = reported_days(request("range", date(2031, 11, 11), start), BERLIN, NOW)
    assert days.granularity is granularity
