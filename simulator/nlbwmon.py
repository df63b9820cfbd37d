"""The nlbwmon daemon: rows in memory, a copy in RAM, files in the database directory, and what survives what.

All times are given from outside, as microseconds: `mono` is true time (what timers run on), `wall` is what the
router's clock says (what periods are named by). Traffic is `add`ed; between two additions the owner asks `next_event`
and calls `do_due`.

A rollover comes with the first new or ended connection of the period, at the latest with the next refresh: the up to
30 s by which it is late are a setting, none by default.

Left out: counters that wait for the refresh while their connection lasts, so that the last seconds before a rollover
are counted in the new period; rows of 0 bytes, which a rollover makes of the connections that last over it; and the
bytes of such connections that run while the daemon is down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

from simulator.periods import parse_interval
from simulator.rows import Counters, Delta, RowKey, Rows, grow

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NlbwmonSettings:
    """The section `nlbwmon` of /etc/config/nlbwmon."""

    #: "N" (day of the month) or "YYYY-MM-DD/N" (every N days)
    database_interval: str = "1"
    #: seconds between two writes to the database directory
    commit_interval: int = 86_400
    #: seconds between two copies to RAM
    refresh_interval: int = 30
    #: OpenWrt's own default, /var/lib/nlbwmon, is in RAM; this one is on flash
    database_directory: str = "/etc/nlbwmon"
    database_generations: int = 10
    #: seconds by which a rollover is late: upstream looks at the date when it refreshes. Until then, what is saved of
    #: the old period goes into the file of the new one.
    rollover_delay: int = 0
    #: rows; 0 is no limit
    database_limit: int = 10_000
    #: bytes that conntrack's messages may wait in; the kernel caps it
    netlink_buffer_size: int = 524_288
    #: networks, and names of interfaces that stand for theirs
    local_network: tuple[str, ...] = ("192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "lan")

    @property
    def on_disk(self) -> bool:
        """Whether the database directory survives a power loss: on OpenWrt, /var is a link to /tmp."""
        return not self.database_directory.startswith(("/tmp", "/var"))  # noqa: S108 # nosec B108 # a router's path, not ours


class Nlbwmon:
    """One daemon and its database directory, which outlives it."""

    def __init__(self, settings: NlbwmonSettings, zone: ZoneInfo) -> None:
        self.settings = settings
        self.interval = parse_interval(settings.database_interval, zone)
        self.zone = zone
        self.running = False
        self.period = ""
        self.rows: Rows = {}
        #: period name -> rows: the archives and the last commit of the current period
        self.files: dict[str, Rows] = {}
        #: period name -> what is printed in place of its rows: a file that the flash has spoilt
        self.damaged: dict[str, str] = {}
        #: period name -> the exit status with which `nlbw` fails on it
        self.failing: dict[str, int] = {}
        self.started_us = 0
        self.starts = 0
        #: when each of them was written, by the router's clock
        self._written: dict[str, int] = {}
        self._ram_copy: Rows | None = None
        self._ram_copy_written = 0
        #: No file was read or written since the start, so that one that is there is none of this table's.
        self._is_pristine = True
        #: Rows that were overwritten since the table was last loaded or emptied.
        self._overwritten = 0
        self._commit_due = 0
        self._rollover_wall = 0

    # -- living and dying ------------------------------------------------------------------------------

    def start(self, mono: int, wall: int) -> None:
        """Take up the copy in RAM, or else the file of the period that the router's clock names, or nothing."""
        self.running = True
        self.starts += 1
        self.started_us = mono
        self.period = self._name(wall)
        self._clean_up(wall)
        restored = self.files.get(self.period) if self._ram_copy is None else self._ram_copy
        self._is_pristine = restored is None
        self._overwritten = 0
        self.rows = {}
        taken_up = islice((restored or {}).items(), self.settings.database_limit or None)
        self.add((key, *counters) for key, counters in taken_up)
        self._commit_due = mono + self.settings.commit_interval * SECOND_US
        self._rollover_wall = self._next_start(wall)

    def stop(self, wall: int) -> None:
        """SIGTERM: everything is saved, the copy in RAM is removed."""
        if self.running:
            self.save(wall)
        self.running = False
        self._ram_copy = None
        self.rows = {}

    def crash(self, mono: int, wall: int) -> None:
        """The daemon alone dies and procd starts it again: back to the copy in RAM."""
        if self.running:
            self.start(mono, wall)

    def lose_ram(self, keep_files: bool) -> None:
        """The router goes down: the copy in RAM is gone, the files too unless they are on flash."""
        self.running = False
        self.rows = {}
        self._ram_copy = None
        if not keep_files:
            self.files.clear()

    def forget_ram_copy(self) -> None:
        """Somebody removes the copy in RAM while the daemon is down."""
        self._ram_copy = None

    # -- counting -------------------------------------------------------------------------------------

    def add(self, deltas: Iterable[Delta]) -> None:
        """Count traffic. At the limit the oldest rows make room, oldest by when they were first written: upstream
        overwrites its table from the front, however busy a row is."""
        rows, limit = self.rows, self.settings.database_limit
        for delta in deltas:
            if limit and len(rows) >= limit and delta[0] not in rows:
                del rows[next(iter(rows))]
                self._overwritten += 1
            grow(rows, delta)

    # -- what happens by itself -----------------------------------------------------------------------

    def next_event(self, offset: int) -> int:
        """True time (us) of the next rollover or commit, `offset` being how far the router's clock is ahead."""
        return min(self._commit_due, self._rollover_wall - offset)

    def last_refresh(self, mono: int) -> int:
        """True time (us) of the last copy to RAM up to `mono`."""
        step = self.settings.refresh_interval * SECOND_US
        return self.started_us + (mono - self.started_us) // step * step

    def refresh(self, wall: int) -> None:
        self._ram_copy = self._as_stored()
        self._ram_copy_written = wall

    def do_due(self, mono: int, wall: int) -> None:
        """Roll over and commit if it is time. A clock that went back rolls nothing over."""
        if self._name(wall - self.settings.rollover_delay * SECOND_US) > self.period:
            self._roll_over(wall)
        self._rollover_wall = self._next_start(wall)
        while mono >= self._commit_due:
            self.save(wall)
            self._commit_due += self.settings.commit_interval * SECOND_US

    def save(self, wall: int) -> None:
        """What the commit interval and SIGTERM do: where the file is not this table's, its rows are added first."""
        if not self.commit(wall):
            self._is_pristine = False
            self.add((key, *counters) for key, counters in self.files[self._name(wall)].items())
            self.commit(wall)

    def commit(self, wall: int) -> bool:
        """Write the rows to the file of the period that the router's clock names *now*, right or wrong; False: there
        is one that a table which began at zero will not overwrite."""
        return self._write(self._name(wall), wall)

    def _write(self, name: str, wall: int) -> bool:
        if self._is_pristine and name in self.files:
            return False
        self.files[name] = self._as_stored()
        self._written[name] = wall
        self._is_pristine = False
        return True

    def _as_stored(self) -> Rows:
        """The rows as they lie in the table. New ones overwrite it from the front, where the next start goes on doing
        so, with the newest of them."""
        entries = list(self.rows.items())
        turn = self._overwritten % len(entries) if entries else 0
        return dict(entries[len(entries) - turn :] + entries[: len(entries) - turn])

    def _roll_over(self, wall: int) -> None:
        """The copy in RAM has the old period's rows up to the next refresh."""
        if not self._write(self.period, wall):
            return
        self.period = self._name(wall)
        self.rows = {}
        self._overwritten = 0
        self._clean_up(wall)

    def _clean_up(self, wall: int) -> None:
        if generations := self.settings.database_generations:
            too_old = self._name(wall, -generations)
            for name in [name for name in self.files if "2000-01-01" <= name <= too_old]:
                del self.files[name]

    # -- what clients ask -----------------------------------------------------------------------------

    def periods(self, wall: int) -> list[str]:
        """`nlbw -c list`: from the current period back, up to the first that has no file. Hence nothing at all between
        a rollover and the next commit."""
        found: list[str] = []
        while (name := self._name(wall, -len(found))) in self.files:
            found.append(name)
        return found

    def archive(self, period: str) -> Rows | None:
        """The file of a period: an archive, or for the current period the last commit."""
        return self.files.get(period)

    def written_at(self, path: str) -> int | None:
        """When a file of the daemon's was written, by the router's clock (us); None where there is no such file. The
        files are compressed, the copy in RAM is not."""
        if path == "/tmp/0.db":  # noqa: S108 # nosec B108 # the router's, not ours
            return None if self._ram_copy is None else self._ram_copy_written
        for name in self.files:
            if path == f"{self.settings.database_directory}/{name.replace('-', '')}.db.gz":
                return self._written.get(name, 0)
        return None

    def _name(self, wall: int, offset: int = 0) -> str:
        return self.interval.name(wall // SECOND_US, self.zone, offset)

    def _next_start(self, wall: int) -> int:
        delay = self.settings.rollover_delay
        return (self.interval.next_start(wall // SECOND_US - delay, self.zone) + delay) * SECOND_US


def load_rows(table: dict[str, list[list[int | str | None]]]) -> Rows:
    """Rows from `nlbw -c json` output (default grouping), to put captured states into a daemon."""
    at = {name: index for index, name in enumerate(map(str, table["columns"]))}

    def number(row: list[int | str | None], name: str) -> int:
        return int(row[at[name]] or 0)

    rows: Rows = {}
    for row in table["data"]:
        key: RowKey = (
            number(row, "family"),
            str(row[at["proto"]]),
            number(row, "port"),
            str(row[at["mac"]]),
            str(row[at["ip"]]),
        )
        counters: Counters = (
            number(row, "conns"),
            number(row, "rx_bytes"),
            number(row, "rx_pkts"),
            number(row, "tx_bytes"),
            number(row, "tx_pkts"),
        )
        rows[key] = counters
    return rows
