"""The examples of docs/accounting.md, number by number."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.accounting.counters import Counters, Reading
from services.accounting.notes import NoteKind, Quality
from services.accounting.quarantine import IMPLAUSIBLE_RATE
from services.accounting.usage import PassedPeriod
from services.buckets import Span
from tests.services.accounting.router_rows import (
    NOON,
    NOVEMBER,
    OCTOBER,
    SSH,
    WEB,
    at,
    key,
    kinds,
    passed,
    reading,
    usage_between,
)

ROOT = Path(__file__).parents[3]
DECEMBER = date(2026, 12, 1)
DNS = key(port=53)


def web(down: int, *, minutes: float = 0, **more: object) -> Reading:
    return reading({WEB: (down, 0)}, minutes=minutes, **more)  # type: ignore[arg-type]


# --- growth and eviction ---------------------------------------------------------------------------------


def test_growth_and_a_new_row() -> None:
    before = reading({WEB: (21_000_000, 1_500_000)})
    assert usage_between(before, reading({WEB: (21_031_029, 1_502_400)}, minutes=5)).rows == {WEB: (31_029, 2_400)}
    rows = usage_between(before, reading({WEB: (21_031_029, 1_502_400), DNS: (8_192, 1_024)}, minutes=5)).rows
    assert tuple(map(sum, zip(*rows.values(), strict=True))) == (39_221, 3_424)


def test_a_row_is_evicted_and_comes_back() -> None:
    first = reading({WEB: (5_000_000, 0), DNS: (900_000, 0)}, daemon_id="a")
    second = reading({WEB: (5_600_000, 0)}, minutes=5, daemon_id="a", row_limit=2)
    third = reading({WEB: (5_600_000, 0), DNS: (1_500, 0)}, minutes=10, daemon_id="a", row_limit=2)
    gone, back = usage_between(first, second), usage_between(second, third)
    assert (gone.rows, back.rows) == ({WEB: (600_000, 0)}, {DNS: (1_500, 0)})
    assert [sum(down for down, _ in one.counters.values()) for one in (first, second, third)] == [
        5_900_000,
        5_600_000,
        5_601_500,
    ]
    assert NoteKind.ROWS_EVICTED in kinds(gone)
    assert [note.quality for note in gone.notes] == [Quality.UNKNOWN]


@pytest.mark.parametrize(
    ("daemon_id", "files", "used", "kind"),
    [
        ("a", {}, 1_500, NoteKind.ROWS_EVICTED),
        (None, {NOVEMBER: {WEB: (90, 0), DNS: (800_000, 0)}}, 1_500, NoteKind.ROWS_EVICTED),
        (None, {}, 0, NoteKind.COUNTERS_WENT_BACK),
    ],
)
def test_a_row_is_evicted_and_back_between_two_readings(
    daemon_id: str | None, files: dict[date, dict[tuple[int, str, int, str, str], Counters]], used: int, kind: NoteKind
) -> None:
    before = reading({WEB: (100, 0), DNS: (900_000, 0)}, daemon_id=daemon_id)
    after = reading({WEB: (100, 0), DNS: (1_500, 0)}, minutes=5, daemon_id=daemon_id, row_limit=2)
    usage = usage_between(before, after, files)
    assert usage.rows.get(DNS, (0, 0)) == (used, 0)
    assert kind in kinds(usage)


# --- a new period ----------------------------------------------------------------------------------------


def test_a_new_period_with_its_archive_and_without() -> None:
    """Noon stands for 23:58."""
    before, after = web(700_000_000), web(1_000_000, minutes=5, period=DECEMBER, period_age_s=180)
    ended = [passed(NOVEMBER, until=2)]
    usage = usage_between(before, after, {NOVEMBER: {WEB: (702_500_000, 0)}}, ended)
    assert usage.rows == {WEB: (3_500_000, 0)}
    assert [(part.span, part.rows[WEB][0]) for part in usage.parts] == [
        (Span(NOON, at(2)), 2_500_000),
        (Span(at(2), at(5)), 1_000_000),
    ]
    without = usage_between(before, after, {}, ended)
    assert without.rows == {WEB: (1_000_000, 0)}
    assert without.gaps == (Span(NOON, at(2) + timedelta(seconds=30)),)


def test_several_periods_that_were_missed() -> None:
    before = web(700_000_000, period=OCTOBER)
    after = web(1_000_000, minutes=50_000, period=DECEMBER, period_age_s=300_000)
    spans = [Span(NOON, at(100)), Span(at(100), at(45_000))]
    usage = usage_between(
        before,
        after,
        {OCTOBER: {WEB: (702_500_000, 0)}, NOVEMBER: {WEB: (300_000_000, 0)}},
        [PassedPeriod(start=start, span=span) for start, span in zip((OCTOBER, NOVEMBER), spans, strict=True)],
    )
    assert usage.rows == {WEB: (303_500_000, 0)}
    assert [(part.span, part.rows[WEB][0]) for part in usage.parts] == [
        (spans[0], 2_500_000),
        (spans[1], 300_000_000),
        (Span(at(45_000), at(50_000)), 1_000_000),
    ]


def test_stopped_just_after_midnight() -> None:
    before = reading({WEB: (700_000_000, 0), SSH: (5_000, 0)}, daemon_id="a", boot_id="x")
    after = reading(
        {WEB: (700_900_000, 0), SSH: (5_000, 0)},
        minutes=7,
        period=DECEMBER,
        period_age_s=300,
        daemon_id="b",
        boot_id="x",
        daemon_uptime_s=288,
    )
    assert usage_between(before, after, {}, [passed(NOVEMBER, until=2)]).rows == {WEB: (900_000, 0)}


# --- restarts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commit", "now", "used"),
    [
        (11_014_487, 11_014_487, 0),
        (11_014_487, 11_514_487, 500_000),
        (None, 500_000, 500_000),
        (21_331_029, 21_431_029, 400_000),
    ],
)
def test_the_router_restarts(commit: int | None, now: int, used: int) -> None:
    before = web(21_031_029, boot_id="a")
    after = web(now, minutes=5, boot_id="b", uptime_s=60)
    usage = usage_between(before, after, {} if commit is None else {NOVEMBER: {WEB: (commit, 0)}})
    assert usage.rows.get(WEB, (0, 0)) == (used, 0)
    assert usage.gaps == (Span(NOON, at(4)),)
    if commit == 21_331_029:
        parts = [(part.span, part.rows[WEB][0]) for part in usage.parts]
        assert parts == [(Span(NOON, at(4)), 300_000), (Span(at(4), at(5)), 100_000)]


def test_a_row_that_only_an_older_commit_has() -> None:
    before = web(100, boot_id="a")
    after = reading({WEB: (90, 0), SSH: (80, 0)}, minutes=5, boot_id="b", uptime_s=60)
    commit = {NOVEMBER: {WEB: (90, 0), SSH: (70, 0)}}
    assert usage_between(before, after, commit, committed_age_s=3_600).rows == {SSH: (10, 0)}


@pytest.mark.parametrize(
    ("last", "now", "commit", "used"),
    [
        (1_000, 1_500, None, 500),
        (1_000, 990, None, 0),
        (21_031_029, 11_019_487, 11_014_487, 5_000),
    ],
)
def test_only_the_daemon_restarts(last: int, now: int, commit: int | None, used: int) -> None:
    before = web(last, daemon_id="x", boot_id="a", daemon_uptime_s=900)
    after = web(now, minutes=5, daemon_id="y", boot_id="a", daemon_uptime_s=290)
    usage = usage_between(before, after, {} if commit is None else {NOVEMBER: {WEB: (commit, 0)}})
    assert usage.rows.get(WEB, (0, 0)) == (used, 0)


def test_the_clock_is_in_1970_after_a_boot() -> None:
    before = reading({WEB: (1_000, 0), SSH: (70, 0)}, boot_id="a")
    after = reading({WEB: (60, 0)}, minutes=5, boot_id="b", uptime_s=60, clock_was_set=True, period=date(1970, 1, 1))
    usage = usage_between(before, after, {NOVEMBER: {WEB: (1_010, 0), SSH: (70, 0)}})
    assert usage.rows == {WEB: (70, 0)}
    assert sorted(part.rows[WEB][0] for part in usage.parts) == [10, 60]


def test_a_file_in_doubt_was_added_to_the_table() -> None:
    before = reading({SSH: (70, 0)}, daemon_id="x", doubted=frozenset({NOVEMBER}))
    after = reading({SSH: (70, 0), WEB: (9_000, 0)}, minutes=5, daemon_id="x")
    usage = usage_between(before, after, {NOVEMBER: {SSH: (70, 0), WEB: (8_500, 0)}}, ages_s={NOVEMBER: 60})
    assert usage.rows == {WEB: (500, 0)}


def test_what_no_link_can_carry() -> None:
    assert IMPLAUSIBLE_RATE * 330 == 4_125_000_000_000
    first, second, third = web(1_000), web(2**63 + 5, minutes=5), web(1_300, minutes=10)
    step = usage_between(first, second)
    jumped = web(2**63 + 5, minutes=5, quarantined=step.quarantined)
    assert (step.rows, usage_between(jumped, third).rows) == ({}, {WEB: (300, 0)})


# --- the page itself -------------------------------------------------------------------------------------


def test_every_number_of_the_page_is_tried_here() -> None:
    page = (ROOT / "docs" / "accounting.md").read_text().partition("## Archives from before monitoring")[0]
    tried = Path(__file__).read_text().replace("_", ",") + "10,011,542"  # which nobody counts: the text names it only
    told = set(re.findall(r"\d{1,3}(?:,\d{3})+", page))
    assert len(told) > 30
    assert {number for number in told if number not in tried} == set()
