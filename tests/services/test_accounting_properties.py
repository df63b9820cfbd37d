"""What has to hold for any traffic: no byte lost, none counted twice. The simulator's ledger knows the truth."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.accounting import Counters, Reading, RowKey, Usage, account, find_missing_files
from services.accounting_periods import PeriodRule, current_period
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from tests.services.router_rows import LAPTOP_WEB, NOVEMBER, SSH, WEB, WEB6, counter_rows, key, reading
from utils.errors import RolloverInProgress
from utils.nlbwmon_parser import parse_nlbw_json, parse_period_list
from utils.time import parse_zone

KEYS = [WEB, SSH, WEB6, LAPTOP_WEB, key("00:00:00:00:00:00")]
GROWTH = st.tuples(st.integers(0, 2**40), st.integers(0, 2**40))
TABLES = st.dictionaries(st.sampled_from(KEYS), GROWTH, max_size=len(KEYS))


def added(tables: Iterable[dict[RowKey, Counters]]) -> dict[RowKey, Counters]:
    sums: defaultdict[RowKey, Counters] = defaultdict(lambda: (0, 0))
    for table in tables:
        for row_key, (down, up) in table.items():
            sums[row_key] = (sums[row_key][0] + down, sums[row_key][1] + up)
    return dict(sums)


def without_zeros(table: dict[RowKey, Counters]) -> dict[RowKey, Counters]:
    return {row_key: counters for row_key, counters in table.items() if counters != (0, 0)}


# -- readings made up -----------------------------------------------------------------------------------------


@given(first=TABLES, steps=st.lists(TABLES, max_size=8))
def test_growing_counters_lose_no_byte_of_any_row_or_device(
    first: dict[RowKey, Counters], steps: list[dict[RowKey, Counters]]
) -> None:
    readings = [reading(added([first, *steps[:count]]), minutes=5 * count) for count in range(len(steps) + 1)]

    usages = [account(before, after) for before, after in pairwise(readings)]

    assert added(dict(usage.rows) for usage in usages) == without_zeros(added(steps))
    devices: defaultdict[str, Counters] = defaultdict(lambda: (0, 0))
    for usage in usages:
        for mac, (down, up) in usage.by_device().items():
            devices[mac] = (devices[mac][0] + down, devices[mac][1] + up)
    assert sum(down + up for down, up in devices.values()) == sum(
        sum(grown) for step in steps for grown in step.values()
    )
    assert all(not usage.notes for usage in usages)


@given(first=TABLES, growth=TABLES, data=st.data())
def test_the_order_of_rows_does_not_matter(
    first: dict[RowKey, Counters], growth: dict[RowKey, Counters], data: st.DataObject
) -> None:
    before, after = reading(first), reading(added([first, growth]), minutes=5)

    def shuffled(one: Reading) -> Reading:
        return replace(one, rows=data.draw(st.permutations(list(one.rows))))

    assert account(shuffled(before), shuffled(after)) == account(before, after)


@given(on_disk=TABLES, unsaved=TABLES, after_boot=TABLES)
def test_after_a_power_loss_exactly_what_came_after_it_counts(
    on_disk: dict[RowKey, Counters], unsaved: dict[RowKey, Counters], after_boot: dict[RowKey, Counters]
) -> None:
    before = reading(added([on_disk, unsaved]), boot_id="a", uptime_s=90_000)
    after = reading(added([on_disk, after_boot]), minutes=60, boot_id="b", uptime_s=1_800)

    usage = account(before, after, {NOVEMBER: counter_rows(on_disk)})

    assert usage.rows == without_zeros(after_boot)


@given(read=TABLES, unread=TABLES, after_boot=TABLES)
def test_over_a_clean_reboot_nothing_is_lost(
    read: dict[RowKey, Counters], unread: dict[RowKey, Counters], after_boot: dict[RowKey, Counters]
) -> None:
    before = reading(read, boot_id="a", uptime_s=90_000)
    after = reading(added([read, unread, after_boot]), minutes=60, boot_id="b", uptime_s=1_800)

    usage = account(before, after, {NOVEMBER: counter_rows(added([read, unread]))})

    assert usage.rows == without_zeros(added([unread, after_boot]))


@given(
    old=st.dictionaries(st.sampled_from(KEYS), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))),
    new=st.dictionaries(st.sampled_from(KEYS), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))),
    file=st.none() | TABLES,
    period=st.sampled_from([NOVEMBER, date(2026, 10, 1), date(2026, 12, 1)]),
    boots=st.sampled_from([("a", "a"), ("a", "b"), (None, None)]),
    minutes=st.integers(-5, 100_000),
)
def test_whatever_a_router_says_usage_is_never_negative_and_fits_the_database(
    old: dict[RowKey, Counters],
    new: dict[RowKey, Counters],
    file: dict[RowKey, Counters] | None,
    period: date,
    boots: tuple[str | None, str | None],
    minutes: int,
) -> None:
    before = reading(old, boot_id=boots[0], uptime_s=1e6)
    after = reading(new, minutes=minutes, period=period, boot_id=boots[1], uptime_s=100)
    missing = find_missing_files(before, after)
    files = {} if file is None else dict.fromkeys((*missing.archives, *missing.committed), counter_rows(file))

    usage = account(before, after, files)

    assert all(0 <= down < 2**63 and 0 <= up < 2**63 and down + up > 0 for down, up in usage.rows.values())


# -- a router's life --------------------------------------------------------------------------------------------

START = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
MACS = ["02:11:22:33:44:01", "02:11:22:33:44:02", "3c:22:fb:00:02:83"]

TRAFFIC = st.fixed_dictionaries(
    {
        "mac": st.sampled_from(MACS),
        "rx": st.integers(0, 2**27),
        "tx": st.integers(0, 2**26),
        "port": st.sampled_from([443, 80, 22, 9_999]),
        "proto": st.sampled_from(["TCP", "UDP"]),
        "family": st.sampled_from([None, 6]),
    }
)
PAUSES = st.one_of(
    st.integers(0, 900),
    st.integers(3_000, 90_000),
    st.integers(86_400, 40 * 86_400),
).map(lambda seconds: timedelta(seconds=seconds))
STEPS = st.lists(st.one_of(TRAFFIC, TRAFFIC, PAUSES, st.sampled_from(["read", "read", "commit"])), max_size=40)


class Accountant:
    """Reads a router as the collector does, without SSH and database, and keeps the books."""

    def __init__(self, router: SimulatedRouter, interval: str) -> None:
        self._router = router
        self._rule = PeriodRule.parse(interval)
        self._base: Reading | None = None
        self.counted: defaultdict[str, Counters] = defaultdict(lambda: (0, 0))

    def read(self) -> None:
        current, known_starts = self._reading()
        missing = find_missing_files(self._base, current, known_starts=known_starts)
        files = {}
        for start in (*missing.archives, *missing.committed):
            answer = self._router.run(f"nlbw -c json -t {self._rule.name_of(start)}")
            if answer.status == 0:
                files[start] = parse_nlbw_json(answer.stdout).rows
        try:
            usage = account(self._base, current, files)
        except RolloverInProgress:
            return  # put off: the previous reading stays the base
        self._count(usage)
        self._base = replace(current, period_start=usage.period_start)

    def _reading(self) -> tuple[Reading, Sequence[date]]:
        now, zone = self._router.local_time(), parse_zone(self._router.zone.key)
        listed = list(parse_period_list(self._router.run("nlbw -c list").stdout.decode()))
        start = current_period(self._rule, now, zone, listed).start
        is_later = self._base is not None and self._base.period_start < start
        missed = self._rule.starts_between(self._base.period_start, start, zone) if self._base and is_later else []
        current = Reading(
            read_at=self._router.clock.now(),
            period_start=start,
            rows=parse_nlbw_json(self._router.run("nlbw -c json").stdout).rows,
            uptime_s=self._router.uptime().total_seconds(),
            boot_id="the only one",
            period_age_s=(now - self._rule.began_at(start, zone)).total_seconds(),
        )
        return current, [*listed, *missed]

    def _count(self, usage: Usage) -> None:
        for mac, (down, up) in usage.by_device().items():
            self.counted[mac] = (self.counted[mac][0] + down, self.counted[mac][1] + up)


def assert_books_agree_with_the_ledger(zone: str, interval: str, steps: Sequence[Any]) -> None:
    clock = ManualClock(START)
    router = empty_router(clock, zone=zone, database_interval=interval, database_generations=0)
    accountant = Accountant(router, interval)
    router.traffic(MACS[0], rx=5_000_000, tx=1)  # before monitoring: in no hour
    accountant.read()
    assert router.ledger is not None
    before = router.ledger.totals()
    for step in steps:
        if isinstance(step, timedelta):
            clock.advance(step)
        elif step == "read":
            accountant.read()
        elif step == "commit":
            router.commit()
        else:
            router.traffic(**step)
    clock.advance(timedelta(minutes=10))
    accountant.read()

    truth = {
        mac: (total.rx - (before[mac].rx if mac in before else 0), total.tx - (before[mac].tx if mac in before else 0))
        for mac, total in router.ledger.totals().items()
    }
    assert without_zeros(dict(accountant.counted)) == without_zeros(truth)  # type: ignore[arg-type,comparison-overlap]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_the_books_of_monthly_periods_agree_with_the_ledger_to_the_byte(zone: str, steps: Sequence[Any]) -> None:
    assert_books_agree_with_the_ledger(zone, "1", steps)


@pytest.mark.parametrize("interval", ["2", "15", "28"])
@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_the_books_of_periods_from_another_day_of_the_month_agree(interval: str, steps: Sequence[Any]) -> None:
    assert_books_agree_with_the_ledger("Europe/Berlin", interval, steps)


@pytest.mark.parametrize("interval", ["2026-10-05/7", "2026-10-01/1", "2026-09-01/30"])
@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_the_books_of_periods_of_n_days_agree(interval: str, steps: Sequence[Any]) -> None:
    assert_books_agree_with_the_ledger("UTC", interval, steps)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_the_books_of_periods_of_n_days_agree_away_from_greenwich(zone: str, steps: Sequence[Any]) -> None:
    """nlbwmon cuts such periods at 00:00 UTC and names them by the local date of that moment."""
    assert_books_agree_with_the_ledger(zone, "2026-10-05/7", steps)
