"""A comparison in sentences, and what it warns of."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.analytics.change_words import told_change, told_part, warnings_of
from services.analytics.period_comparison import Extent
from tests.services.analytics.test_period_comparison import LAPTOP, MONDAY, PHONE, TV, compared, earlier, period
from utils.nlbwmon_parser import DeviceTotals

MB, GB = 10**6, 10**9
NAMES = {PHONE: "phone", LAPTOP: "laptop", TV: "客厅电视"}
BASE = "in the week before"


def used(total: int) -> DeviceTotals:
    return DeviceTotals(total, 0)


def test_the_change_and_its_parts_are_one_sentence() -> None:
    told = compared(
        earlier({TV: used(60 * GB), PHONE: used(5 * GB)}),
        period({TV: used(72 * GB), PHONE: used(3 * GB), LAPTOP: used(300 * MB)}),
        laptop=MONDAY,
    )
    assert told_change(told, NAMES, BASE) == (
        "10.3 GB more than in the week before (+15.8 %): 客厅电视 +12.0 GB, phone −2.0 GB, laptop (new) +300.0 MB."
    )


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (None, {TV: used(1)}, "What changed can't be told: nothing of period 1 was observed."),
        (None, None, "What changed can't be told: nothing of period 1 and period 2 was observed."),
        ({TV: used(GB)}, {TV: used(GB)}, "As much as in the week before, 1.0 GB."),
        ({TV: DeviceTotals(1, 0)}, {TV: DeviceTotals(0, 1)}, "As much as in the week before, 1 B: 客厅电视 ±0 B."),
        ({}, {TV: used(GB)}, "1.0 GB more than in the week before: 客厅电视 +1.0 GB."),
        ({TV: used(GB)}, {}, "1.0 GB less than in the week before (−100 %): 客厅电视 (gone) −1.0 GB."),
        ({}, {}, "As much as in the week before, 0 B."),
    ],
)
def test_there_is_a_sentence_for_everything(before: Any, after: Any, sentence: str) -> None:
    assert told_change(compared(earlier(before), period(after)), NAMES, BASE) == sentence


def test_the_others_are_counted() -> None:
    after = {f"02:00:00:00:00:{number:02x}": used(GB) for number in range(8)}
    assert told_change(compared(earlier({}), period(after)), {}, BASE).endswith(", 3 others +3.0 GB.")


def test_a_part_names_its_protocols() -> None:
    after = {f"P{number}": used(number * GB) for number in range(1, 7)} | {"HTTPS": used(90 * GB)}
    whole = sum(one.bytes_down for one in after.values()) + 5 * GB
    told = compared(
        earlier({TV: used(0)}),
        period({TV: used(whole)}, protocols={TV: after}, part_of_day={TV: used(5 * GB)}),
    )
    assert told_part(told.parts[0], told, NAMES) == (
        "客厅电视 +116.0 GB: HTTPS +90.0 GB, P6 +6.0 GB, P5 +5.0 GB, 4 other protocols +10.0 GB, part of a day +5.0 GB"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 255, "x" * 39 + "…"),
        ("a\nb\u202e", "a�b"),
        ("", ""),
    ],
)
def test_a_name_is_only_a_name(name: str, shown: str) -> None:
    told = compared(earlier({}), period({TV: used(GB)}))
    assert told_change(told, {TV: name}, BASE) == f"1.0 GB more than in the week before: {shown} +1.0 GB."


# --- warnings --------------------------------------------------------------------------------------------


def codes(before: Any, after: Any) -> list[str]:
    return [warning.code for warning in warnings_of(before, after)]


def test_two_weeks_that_were_observed_need_no_warning() -> None:
    assert codes(earlier({}), period({}, coverage=0.95)) == []


def test_what_was_hardly_observed_is_told() -> None:
    (warning,) = warnings_of(earlier({}, coverage=0.31), period({}))
    assert warning.code == "PARTLY_OBSERVED"
    assert warning.message.startswith("Only 31 % of period 1 was observed; ")
    assert codes(earlier(None, coverage=0.0), period({}, coverage=0.9)) == ["NOT_OBSERVED", "PARTLY_OBSERVED"]


def test_of_what_has_just_begun_nobody_says_that_it_was_not_observed() -> None:
    begun = replace(period(None, coverage=0.0), end=MONDAY)
    (warning,) = [one for one in warnings_of(earlier({}), begun) if one.code == "NOT_OBSERVED"]
    assert warning.message.startswith("Period 2 has only just begun")


def test_a_running_period_against_a_whole_one_is_told() -> None:
    running = replace(period({}), end=MONDAY + timedelta(days=2.5), extent=Extent.RUNNING)
    (warning,) = warnings_of(earlier({}), running)
    assert warning.code == "STILL_RUNNING"
    assert warning.message == ("Period 2 is still running: 2.5 days of it have passed, and period 1 has all of its 7.")
    assert codes(running, earlier({})) == ["STILL_RUNNING"]


@pytest.mark.parametrize(
    ("days", "warned"), [(7, []), (6.7, []), (6, ["DIFFERENT_LENGTHS"]), (31, ["DIFFERENT_LENGTHS"])]
)
def test_periods_of_different_lengths_are_told(days: float, warned: list[str]) -> None:
    assert codes(earlier({}), replace(period({}), end=MONDAY + timedelta(days=days))) == warned


def test_periods_that_overlap_are_told() -> None:
    assert codes(period({}), period({})) == ["OVERLAPPING"]
