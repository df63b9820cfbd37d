"""The simulator's daemon, and beside each of its tables the very bytes that lie in it.

A counter alone doesn't tell which bytes it is made of. Here every addition is a `Charge` with its time, and a row is
the chain of its charges, so that a copy of a table is a copy of one dict, and what a power loss took is exactly known.
Written against the daemon's own methods; `check` holds each chain against the daemon's counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from simulator.clock import from_us
from simulator.nlbwmon import Nlbwmon, NlbwmonSettings
from simulator.rows import Delta, RowKey, Rows


@dataclass(slots=True, eq=False)
class Charge:
    """Bytes that were added to a row at one moment, and all that the row had before."""

    at: datetime
    key: RowKey
    down: int
    up: int
    before: Charge | None = None
    #: The row of a file that was added to it.
    merged: Charge | None = None
    #: The row's counters with this charge.
    total_down: int = 0
    total_up: int = 0
    #: A reading has had it before its eyes.
    seen: bool = False

    @property
    def mac(self) -> str:
        return self.key[3]


Traced = dict[RowKey, Charge]


def unseen(chain: Charge | None) -> Iterable[Charge]:
    """What of a row no reading has seen. A reading sees a row as a whole, so the rest of the chain was seen too."""
    while chain is not None and not chain.seen:
        yield chain
        yield from unseen(chain.merged)
        chain = chain.before


@dataclass(slots=True)
class Tables:
    """The daemon's tables, by what lies in them."""

    rows: Traced = field(default_factory=dict)
    ram_copy: Traced | None = None
    files: dict[str, Traced] = field(default_factory=dict)


def _is_at_least(later: Charge, earlier: Charge) -> bool:
    return later.total_down >= earlier.total_down and later.total_up >= earlier.total_up


class TracedDaemon(Nlbwmon):
    """A daemon whose bytes have names."""

    def __init__(self, settings: NlbwmonSettings, zone: ZoneInfo) -> None:
        super().__init__(settings, zone)
        self.traced = Tables()
        #: Every charge since the beginning that no reading has seen, in order; the watched home empties it.
        self.charges: list[Charge] = []
        #: Rows that were overwritten since somebody last asked.
        self.evicted: set[RowKey] = set()
        #: Tables that were taken up at a start since somebody last asked, as they were then: where from, and what.
        self.taken_up: list[tuple[str, Traced]] = []
        #: Why what was written can't be told from what was there before; see `Oracle`.
        self.doubts: set[str] = set()
        #: The tables of periods that ended since somebody last asked, as they were archived.
        self.ended: list[Traced] = []
        #: Charges that a crash took out of the table, though a commit just before it has them.
        self.left_in_file: set[int] = set()
        #: A crash put the table back behind its file, which may be taken up at any later start.
        self.has_file_ahead = False
        self.now_us = 0
        self._is_starting = False
        #: The period that the copy in RAM is still of: it ended since the last refresh.
        self._ended_period: str | None = None
        #: The period whose rows a crash brought back since somebody last asked.
        self.brought_back: str | None = None
        #: The file that is being added to the table.
        self._to_merge: Traced = {}

    # -- living and dying ------------------------------------------------------------------------------

    def start(self, mono: int, wall: int) -> None:
        tables = self.traced
        name = self._name(wall)
        source = "copy in RAM" if tables.ram_copy is not None else "file" if name in tables.files else "zero"
        restored = tables.files.get(name, {}) if tables.ram_copy is None else tables.ram_copy
        self._is_starting = True
        super().start(mono, wall)
        self._is_starting = False
        tables.rows = {key: chain for key, chain in restored.items() if key in self.rows}
        self.taken_up.append((source, dict(tables.rows)))

    def crash(self, mono: int, wall: int) -> None:
        had = self.traced.rows
        if self.running and self.traced.ram_copy is None:
            self.doubts.add("a crash without a copy in RAM")
        if self.running and self._ended_period and self.traced.ram_copy is not None:
            self.brought_back = self._ended_period
        super().crash(mono, wall)
        kept = {id(charge) for chain in self.traced.rows.values() for charge in unseen(chain)}
        self.left_in_file |= {id(one) for chain in had.values() for one in unseen(chain) if id(one) not in kept}
        file = self.traced.files.get(self.period, {})
        rows = self.traced.rows
        self.has_file_ahead |= any(key not in rows or not _is_at_least(rows[key], one) for key, one in file.items())

    def stop(self, wall: int) -> None:
        super().stop(wall)
        self.traced.ram_copy = None
        self.traced.rows = {}

    def lose_ram(self, keep_files: bool) -> None:
        super().lose_ram(keep_files)
        self.traced.ram_copy = None
        self.traced.rows = {}
        if not keep_files:
            self.traced.files.clear()

    def forget_ram_copy(self) -> None:
        super().forget_ram_copy()
        self.traced.ram_copy = None

    # -- counting --------------------------------------------------------------------------------------

    def add(self, deltas: Iterable[Delta]) -> None:
        if self._is_starting:
            super().add(deltas)
            return
        for delta in deltas:
            super().add([delta])
            self._charge(delta, self._to_merge.get(delta[0]))

    def _charge(self, delta: Delta, merged: Charge | None) -> None:
        """``merged``: what is added comes out of a file, and is no new traffic."""
        key, _conns, down, _rx_packets, up, _tx_packets = delta
        rows = self.traced.rows
        before = rows.get(key)
        charge = Charge(from_us(self.now_us), key, 0 if merged else down, 0 if merged else up, before, merged)
        charge.total_down = down + (before.total_down if before else 0)
        charge.total_up = up + (before.total_up if before else 0)
        rows[key] = charge
        if merged is None:
            self.charges.append(charge)
        for gone in rows.keys() - self.rows.keys():
            del rows[gone]
            self.evicted.add(gone)

    def uncounted(self, key: RowKey, down: int, up: int) -> None:
        """Bytes that flow while no daemon runs: nobody can ever see them."""
        self.charges.append(Charge(from_us(self.now_us), key, down, up))

    # -- copies ------------------------------------------------------------------------------------------

    def refresh(self, wall: int) -> None:
        super().refresh(wall)
        self.traced.ram_copy = self.traced.rows.copy()
        self._ended_period = None

    def save(self, wall: int) -> None:
        file = self.traced.files.get(self._name(wall), {})
        self._to_merge = file
        super().save(wall)
        self._to_merge = {}

    def commit(self, wall: int) -> bool:
        is_written = super().commit(wall)
        if self.running and any(source != "copy in RAM" for source, _ in self.taken_up):
            self.doubts.add("committed again since a restart")
        return is_written

    def _write(self, name: str, wall: int) -> bool:
        is_written = super()._write(name, wall)
        if is_written:
            self.traced.files[name] = self.traced.rows.copy()
        return is_written

    def _roll_over(self, wall: int) -> None:
        ended, rows = self.period, self.traced.rows
        super()._roll_over(wall)
        if self.period == ended:
            return
        self.ended.append(rows)
        self._ended_period = ended
        self.traced.rows = {}

    def _clean_up(self, wall: int) -> None:
        super()._clean_up(wall)
        for name in self.traced.files.keys() - self.files.keys():
            del self.traced.files[name]

    def check(self) -> None:
        """Each chain adds up to the counters of its row, in every table."""
        pairs: list[tuple[Rows | None, Traced | None]] = [
            (self.rows, self.traced.rows),
            (self._ram_copy, self.traced.ram_copy),
            *((self.files.get(name), self.traced.files.get(name)) for name in self.files.keys() | self.traced.files),
        ]
        for rows, traced in pairs:
            counted = None if rows is None else {key: (row[1], row[3]) for key, row in rows.items()}
            named = None if traced is None else {key: (one.total_down, one.total_up) for key, one in traced.items()}
            assert counted == named, "the traced daemon and the simulator's differ"
