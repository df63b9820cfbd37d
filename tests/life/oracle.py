"""What has to be stored, worked out from the bytes in the simulator's own tables, and held against the database.

At each reading every byte since the one before is owed. It lies in the table that the reading saw or in a file that the
router still has: then it has to be stored, once. Or it lies nowhere any more: then it is lost, and its moment has to be
in a gap of the coverage or in an event of quality 'unknown'. What is stored is never more than what is owed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.context import RouterContext
from tests.life import stored_usage
from tests.life.traced_daemon import Charge, Traced, unseen

if TYPE_CHECKING:
    from db_operations.database import Database
    from simulator.rows import RowKey
    from tests.life.watched_home import Tally, TracedRouter

Bytes = tuple[int, int]


class Difference(AssertionError):
    """The product and the truth differ."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The router's tables at a reading's first round trip, and what had happened to them since the last one."""

    at: datetime
    rows: Traced
    files: Mapping[str, Traced]
    #: All charges that no reading has settled.
    owed: list[Charge]
    evicted: set[RowKey]
    taken_up: list[tuple[str, Traced]]
    ended: list[Traced]
    left_in_file: set[int]
    #: Why it can't be known to the byte what should be stored.
    doubts: set[str]

    @classmethod
    def of(cls, router: TracedRouter) -> View:
        daemon = router.daemon
        daemon.check()
        doubts = router.doubts | daemon.doubts
        if daemon.has_file_ahead:
            doubts = doubts | {"a file ahead of its table"}
        if daemon.brought_back and daemon.brought_back not in daemon.files:
            doubts = doubts | {"the archive of rows that a crash brought back is gone"}
        return cls(
            at=router.clock.now(),
            rows=dict(daemon.traced.rows),
            files={name: dict(rows) for name, rows in daemon.traced.files.items()},
            owed=list(daemon.charges),
            evicted=set(daemon.evicted),
            taken_up=list(daemon.taken_up),
            ended=list(daemon.ended),
            left_in_file=set(daemon.left_in_file),
            doubts=doubts,
        )


class Oracle:
    """The truth of one home."""

    def __init__(self, router: TracedRouter, database: Database, context: RouterContext, tally: Tally) -> None:
        self._router = router
        self._database = database
        self._context = context
        self._tally = tally
        #: The view of the last stored reading.
        self.base: View | None = None
        self.expected: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        #: What was not stored although a file had it: it may come back from there, and is stored then.
        self.credit: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.first_read_at: datetime | None = None

    def last_read_at(self) -> datetime | None:
        return stored_usage.last_read_at(self._database, self._context)

    def settle(self, view: View) -> None:
        """A reading was stored: everything that is owed up to it is stored now, or lost and shown."""
        stored = stored_usage.look(self._database, self._context, since=self.base.at if self.base else view.at)
        stored.check_sums()
        if self.base is None:
            self.first_read_at = view.at
            _demand(not stored.totals, "a first reading is in no hour", stored.totals)
        else:
            assert self.first_read_at
            stored.check_times(self.first_read_at, view.at)
            self._compare(view, self.base, stored)
        self._forget(view)
        self.base = view

    def _compare(self, view: View, base: View, stored: stored_usage.Stored) -> None:
        reachable = set(map(id, _reachable(view)))
        lost = [charge for charge in view.owed if id(charge) not in reachable and (charge.down or charge.up)]
        shown = stored.shown
        for charge in lost:
            _demand(shown.at(charge.at), "bytes were lost and nothing shows it", _told(charge), shown)
        due = _added(charge for charge in view.owed if id(charge) in reachable)
        overtaken = self._overtaken(view, base)
        doubted = self._doubted(view, base)
        self._tally.losses_shown += len(lost)
        self._tally.bytes_lost += sum(charge.down + charge.up for charge in lost)
        was_doubtful = False
        for mac in due.keys() | stored.totals.keys() | self.expected.keys():
            before = self.expected[mac]
            found = tuple(now - then for now, then in zip(stored.totals.get(mac, (0, 0)), before, strict=True))
            most, credit = due.get(mac, (0, 0)), self.credit[mac]
            _demand(
                0 <= found[0] <= most[0] + credit[0] and 0 <= found[1] <= most[1] + credit[1],
                "bytes were counted that did not flow, or twice",
                mac,
                {"stored": found, "at most": most, "and late": credit},
            )
            late = max(0, found[0] - most[0]), max(0, found[1] - most[1])
            missing = (most[0] + late[0] - found[0], most[1] + late[1] - found[1])
            passed_over = overtaken.get(mac, (0, 0))
            if any(missing) and missing != passed_over:
                _demand(
                    doubted.get(mac), "bytes are missing", mac, {"stored": found, "due": most, "passed": passed_over}
                )
                was_doubtful = True
            credit[0], credit[1] = credit[0] + missing[0] - late[0], credit[1] + missing[1] - late[1]
            if any(missing):
                moments = [charge.at for charge in view.owed if charge.mac == mac and id(charge) in reachable]
                _demand(any(map(shown.at, moments)), "bytes are missing and nothing shows it", mac, missing, shown)
            self.expected[mac] = [before[0] + found[0], before[1] + found[1]]
            self._tally.bytes_compared += sum(most)
        self._tally.ambiguous_readings += was_doubtful
        if was_doubtful:
            for reason in set().union(*doubted.values()):
                self._tally.reasons[reason] = self._tally.reasons.get(reason, 0) + 1

    def _overtaken(self, view: View, base: View) -> dict[str, Bytes]:
        """Bytes that a table had to grow by before it was again where it had been read: it came back from an older
        copy. Nobody can tell them from those that were read, but how many they are is known to us.
        """
        sums: dict[str, Bytes] = {}
        if all(source != "copy in RAM" for source, _ in view.taken_up) and not (view.taken_up and view.ended):
            return sums
        last = view.ended[0] if view.ended else view.rows
        for key, read in base.rows.items():
            now = last.get(key)
            fresh = list(unseen(now))
            if now is None or not fresh:
                continue
            fork = fresh[-1].before
            lag = read.total_down - (fork.total_down if fork else 0), read.total_up - (fork.total_up if fork else 0)
            grown = sum(charge.down for charge in fresh), sum(charge.up for charge in fresh)
            is_past = now.total_down >= read.total_down and now.total_up >= read.total_up
            passed = lag if is_past else grown
            old = sums.get(key[3], (0, 0))
            sums[key[3]] = old[0] + passed[0], old[1] + passed[1]
        return sums

    def _doubted(self, view: View, base: View) -> dict[str, set[str]]:
        """The MACs of which less may be stored than what lies on the router, each with why. All there is:"""
        doubts: defaultdict[str, set[str]] = defaultdict(set)
        # A row was overwritten and is back, larger than it was read: it can't be told from one that has grown.
        for key in view.evicted:
            doubts[key[3]].add("evicted and back")
        # A crash put a table back behind a commit just made: only the file has what was in between.
        for charge in view.owed:
            if id(charge) in view.left_in_file:
                doubts[charge.mac].add("left in the file by a crash")
        # Rows of a full table are forgotten: a file that was saved after the last reading can have some that were
        # counted before, if the router restarted more than once.
        limit = self._router.daemon.settings.database_limit
        tables = (base.rows, view.rows, *view.files.values())
        if limit and view.taken_up and any(len(table) >= limit for table in tables):
            for charge in view.owed:
                doubts[charge.mac].add("a restart with a full table")
        # Those of the router, for all that is owed:
        # - "committed again since a restart": the file is not what the table came back with any more;
        # - "a crash without a copy in RAM": somebody removed it; within seconds after a reading that looks like a crash
        #   that a copy was taken up after;
        # - "the archive of rows that a crash brought back is gone": they can't be told from the new period's own;
        # - "a file ahead of its table": a crash put the table back behind it, and it can be taken up once more;
        # - "wrong clock", "another zone": from then on there may be files under names that nobody would look for.
        for reason in view.doubts:
            for charge in view.owed:
                doubts[charge.mac].add(reason)
        return doubts

    def _forget(self, view: View) -> None:
        for charge in view.owed:
            charge.seen = True
        daemon = self._router.daemon
        done = len(view.owed)
        del daemon.charges[:done]
        daemon.evicted -= view.evicted
        del daemon.taken_up[: len(view.taken_up)]
        del daemon.ended[: len(view.ended)]
        daemon.left_in_file -= view.left_in_file
        daemon.doubts.clear()
        daemon.brought_back = None


def _reachable(view: View) -> Iterable[Charge]:
    for table in (view.rows, *view.files.values()):
        for chain in table.values():
            yield from unseen(chain)


def _added(charges: Iterable[Charge]) -> dict[str, Bytes]:
    sums: dict[str, Bytes] = {}
    for charge in charges:
        down, up = sums.get(charge.mac, (0, 0))
        sums[charge.mac] = down + charge.down, up + charge.up
    return sums


def _told(charge: Charge) -> str:
    return f"{charge.at:%m-%d %H:%M:%S} {charge.key}: {charge.down} down, {charge.up} up"


def _demand(condition: object, message: str, *facts: Any) -> None:
    if not condition:
        raise Difference("\n  ".join([message, *map(str, facts)]))
