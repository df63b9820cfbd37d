"""A router's counters at one moment, and two such moments side by side. Pure.

A row is told apart by family, protocol, port, MAC and IP. Differences are taken row by row, because a device's sum can
shrink (eviction) although nothing restarted. `account` makes usage out of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Self

from utils.nlbwmon_parser import CounterRow

RowKey = tuple[int, str, int, str, str]
Counters = tuple[int, int]  # bytes down, bytes up
Table = Mapping[RowKey, Counters]

NOTHING: Counters = (0, 0)

#: No packet is smaller. Rows of fewer bytes may be alike by chance.
SMALLEST_PACKET = 28


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One look at a router's counters, and what tells how they came about."""

    #: Server time; the router's own clock is not trusted for timestamps.
    read_at: datetime
    #: First day of nlbwmon's current accounting period, as the router names it.
    period_start: date
    rows: Sequence[CounterRow]
    #: Seconds since the router booted; None where it doesn't tell.
    uptime_s: float | None = None
    #: Names the router's boot; None where it doesn't tell.
    boot_id: str | None = None
    #: Seconds since nlbwmon started, and a name for that start; None where the router doesn't tell.
    daemon_uptime_s: float | None = None
    daemon_id: str | None = None
    #: Seconds since the period began, by the router's clock; None where it can't be told.
    period_age_s: float | None = None
    #: Whether the router's clock or zone was set since the reading before, or is far off: then no name of a period
    #: proves anything.
    clock_was_set: bool = False
    #: nlbwmon's `database_limit`: with so many rows it begins to overwrite the oldest. None: unknown.
    row_limit: int | None = None
    #: nlbwmon's setting, in seconds: its counters move once in that time. None: unknown.
    refresh_interval_s: float | None = None
    #: Whether the router hears from anybody on the LAN at the moment.
    has_active_neighbours: bool = False
    #: Periods, by their first day, whose files may hold what was counted already under another name. Of a stored
    #: reading.
    doubted: frozenset[date] = frozenset()
    #: Since when no counter has moved although devices were active, and how many readings in a row saw that. Of a
    #: stored reading.
    unchanged_since: datetime | None = None
    unchanged_readings: int = 0
    #: Rows that were not believed, with the last counters of each that were. Of a stored reading.
    quarantined: Table = field(default_factory=dict)

    @cached_property
    def counters(self) -> Table:
        """The rows by what tells them apart."""
        return index_rows(self.rows)

    @property
    def is_full(self) -> bool:
        """Whether nlbwmon overwrites rows by now."""
        return self.would_be_full(self.counters)

    @property
    def may_be_full(self) -> bool:
        """The same where the limit isn't known: then any table may be."""
        return self.row_limit is None or self.is_full

    def would_be_full(self, table: Table) -> bool:
        """Whether that many rows are as many as nlbwmon holds."""
        return self.row_limit is not None and len(table) >= self.row_limit


def index_rows(rows: Sequence[CounterRow]) -> dict[RowKey, Counters]:
    """Rows by what tells them apart. Should a router print one twice, both count."""
    indexed: dict[RowKey, Counters] = {
        (row.family, row.proto, row.port, row.mac, row.ip): (row.rx_bytes, row.tx_bytes) for row in rows
    }
    if len(indexed) == len(rows):
        return indexed
    indexed = {}
    for row in rows:
        key = (row.family, row.proto, row.port, row.mac, row.ip)
        indexed[key] = plus(indexed.get(key, NOTHING), (row.rx_bytes, row.tx_bytes))
    return indexed


class Comparison:
    """Two readings row by row, the later one against the earlier. Worked out once, asked several times."""

    def __init__(self, previous: Reading, current: Reading, files: Collection[Table] = ()) -> None:
        """``files``: what else the router has of its tables."""
        self.previous = previous
        self.current = current
        self.new = current.counters
        self.old = _without_disbelief(previous, [self.new, *files])
        #: What rows gained that are new or have grown, and the rows that went back.
        self.gained: dict[RowKey, Counters] = {}
        self.shrunk: list[RowKey] = []
        kept = 0
        old = self.old
        for key, counters in self.new.items():
            before = old.get(key)
            if before is None:
                self.gained[key] = counters
                continue
            kept += 1
            if counters != before:
                if counters[0] >= before[0] and counters[1] >= before[1]:
                    self.gained[key] = (counters[0] - before[0], counters[1] - before[1])
                else:
                    self.shrunk.append(key)
        #: How many rows of the earlier reading are gone.
        self.vanished = len(old) - kept

    def in_view_of(self, files: Collection[Table]) -> Self:
        """The same, now that the router's files are there: they tell as well where rows that were not believed went."""
        return type(self)(self.previous, self.current, files) if self.previous.quarantined and files else self

    @property
    def is_unchanged(self) -> bool:
        """Whether not one counter moved."""
        return not self.gained and not self.shrunk and not self.vanished


def _without_disbelief(previous: Reading, later: Collection[Table]) -> Table:
    """The earlier rows. One that was not believed counts on from there if it stayed, as any later table may tell (that
    of a new period is at its beginning, and the archive has it); else from its last good value.
    """
    if not previous.quarantined:
        return previous.counters
    old = dict(previous.counters)
    for key, believed in previous.quarantined.items():
        if key in old and not any(key in table and is_at_least(table[key], old[key]) for table in later):
            old[key] = believed
    return old


def plus(one: Counters, other: Counters) -> Counters:
    return one[0] + other[0], one[1] + other[1]


def gain(new: Counters, old: Counters) -> Counters:
    """How far ``new`` lies above ``old``, each counter by itself, never below 0."""
    return max(0, new[0] - old[0]), max(0, new[1] - old[1])


def is_at_least(new: Counters, old: Counters) -> bool:
    """Whether a row can have grown from ``old`` to ``new``: neither counter went back."""
    return new[0] >= old[0] and new[1] >= old[1]


def most_of(tables: Iterable[Table]) -> dict[RowKey, Counters]:
    """Of each row the most that any of the tables has, each counter by itself."""
    most: dict[RowKey, Counters] = {}
    for table in tables:
        for key, (down, up) in table.items():
            most_down, most_up = most.get(key, NOTHING)
            most[key] = max(down, most_down), max(up, most_up)
    return most


def without_zeros(table: Table) -> dict[RowKey, Counters]:
    return {key: counters for key, counters in table.items() if counters != NOTHING}


def covers(later: Table, earlier: Table) -> bool:
    """Whether the rows that both have can have grown from ``earlier`` to ``later``."""
    return all(is_at_least(later[key], counters) for key, counters in earlier.items() if key in later)


def may_go_on_from(later: Table, earlier: Table) -> bool:
    """Whether ``later`` can have been ``earlier`` once: it has all of its rows, none of them smaller."""
    return all(key in later and is_at_least(later[key], counters) for key, counters in earlier.items())


def goes_on_from(later: Table, earlier: Table) -> bool:
    """Whether ``later`` was ``earlier`` once, for certain: one of its rows is exactly what it was."""
    return may_go_on_from(later, earlier) and has_unmoved(later, earlier)


def has_unmoved(later: Table, earlier: Table, least: int = SMALLEST_PACKET) -> bool:
    """Whether a row is exactly what it was, and not by the chance of a few bytes: it has ``least`` of them or more."""
    return any(later.get(key) == counters and sum(counters) >= least for key, counters in earlier.items())
