"""What no link could have carried is counted neither when it is seen nor later, whatever the router still has of it."""

from dataclasses import replace
from datetime import date

from services.accounting.counters import Reading
from services.accounting.quarantine import IMPLAUSIBLE_RATE
from tests.services.accounting.router_rows import NOVEMBER, SSH, WEB, passed, reading, usage_between

DECEMBER = date(2026, 12, 1)
JUMP = IMPLAUSIBLE_RATE * 600


def jumped() -> Reading:
    """A row that went far up and stayed there, which was not believed."""
    before = reading({WEB: (1_000, 0), SSH: (50, 0)}, boot_id="a")
    after = reading({WEB: (1_000 + JUMP, 0), SSH: (60, 0)}, minutes=5, boot_id="a")
    step = usage_between(before, after)
    assert WEB not in step.rows
    assert step.quarantined == {WEB: (1_000, 0)}
    return replace(after, quarantined=step.quarantined)


def test_the_archive_of_the_period_counts_on_from_where_the_row_jumped_to() -> None:
    after = reading({WEB: (70, 0), SSH: (5, 0)}, minutes=65, period=DECEMBER, period_age_s=1_200, boot_id="a")
    archive = {WEB: (1_000 + JUMP + 500, 0), SSH: (65, 0)}
    usage = usage_between(jumped(), after, {NOVEMBER: archive}, [passed(NOVEMBER, until=45)])
    assert usage.rows == {WEB: (570, 0), SSH: (10, 0)}


def test_so_does_a_commit_that_a_power_loss_brings_back() -> None:
    commit = {WEB: (1_000 + JUMP + 500, 0), SSH: (60, 0)}
    after = reading({WEB: (1_000 + JUMP + 600, 0), SSH: (60, 0)}, minutes=65, boot_id="b", uptime_s=600)
    assert usage_between(jumped(), after, {NOVEMBER: commit}).rows == {WEB: (600, 0)}


def test_a_newer_commit_beside_a_table_that_began_at_zero_does_not_count_it_either() -> None:
    commit = {WEB: (1_000 + JUMP + 500, 0), SSH: (60, 0)}
    after = reading({WEB: (70, 0)}, minutes=65, boot_id="b", uptime_s=600)
    assert usage_between(jumped(), after, {NOVEMBER: commit}).rows.get(WEB, (0, 0))[0] <= 570
