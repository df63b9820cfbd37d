"""What has to hold for any traffic: no byte lost, none counted twice. The simulator's ledger knows the truth."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from services.accounting.counters import Counters, Reading, RowKey, may_go_on_from
from tests.services.accounting.router_rows import (
    LAPTOP_WEB,
    NOVEMBER,
    SSH,
    WEB,
    WEB6,
    key,
    reading,
    usage_between,
    wanted,
)

KEYS = [WEB, SSH, WEB6, LAPTOP_WEB, key("00:00:00:00:00:00")]
#: Together no more than a link of 100 Gbit/s carries in five minutes.
GROWTH = st.tuples(st.integers(0, 2**37), st.integers(0, 2**37))
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

    usages = [usage_between(before, after) for before, after in pairwise(readings)]

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

    assert usage_between(shuffled(before), shuffled(after)) == usage_between(before, after)


@given(on_disk=TABLES, unsaved=TABLES, after_boot=TABLES)
def test_after_a_power_loss_exactly_what_came_after_it_counts(
    on_disk: dict[RowKey, Counters], unsaved: dict[RowKey, Counters], after_boot: dict[RowKey, Counters]
) -> None:
    # All of it again, and of a row as much to the byte: that happens by chance, and passes for a copy in RAM.
    is_alike = any(after_boot.get(key) == counters for key, counters in unsaved.items())
    assume(not (is_alike and may_go_on_from(after_boot, unsaved)))
    before = reading(added([on_disk, unsaved]), boot_id="a", uptime_s=90_000)
    after = reading(added([on_disk, after_boot]), minutes=60, boot_id="b", uptime_s=1_800)

    usage = usage_between(before, after, {NOVEMBER: on_disk})

    assert usage.rows == without_zeros(after_boot)


@given(read=TABLES, unread=TABLES, after_boot=TABLES)
def test_over_a_clean_reboot_nothing_is_lost(
    read: dict[RowKey, Counters], unread: dict[RowKey, Counters], after_boot: dict[RowKey, Counters]
) -> None:
    before = reading(read, boot_id="a", uptime_s=90_000)
    after = reading(added([read, unread, after_boot]), minutes=60, boot_id="b", uptime_s=1_800)

    usage = usage_between(before, after, {NOVEMBER: added([read, unread])})

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
    files = {} if file is None else dict.fromkeys(wanted(before, after), file)

    usage = usage_between(before, after, files)

    assert all(0 <= down < 2**63 and 0 <= up < 2**63 and down + up > 0 for down, up in usage.rows.values())
