"""What no link could have carried: taken out of the usage, and remembered, as it may go back.

Pure but for `believing_links_of`, which is to the accounting what decimal.localcontext is to arithmetic.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import NamedTuple

from services.accounted_usage import UsagePart, added
from services.counters import NOTHING, Comparison, Counters, RowKey

#: Counters from here on can't be stored as BIGINT and are far beyond what a home link carries.
IMPLAUSIBLE_COUNTER = 2**63

#: Faster than this no row can have grown where nothing else is said: 100 Gbit/s, in bytes per second.
IMPLAUSIBLE_RATE = 100_000_000_000 // 8

#: In bytes per second. Each thread has its own, so that no router's step meets another's.
_fastest: ContextVar[float] = ContextVar("fastest", default=IMPLAUSIBLE_RATE)


@contextmanager
def believing_links_of(gbitps: float) -> Iterator[None]:
    """What is accounted for inside may have grown as fast as this: ROUTER_MAX_LINK_GBITPS.

    The step itself takes readings and files; how fast the links of this installation are stands around it.
    """
    token = _fastest.set(gbitps * 1_000_000_000 / 8)
    try:
        yield
    finally:
        _fastest.reset(token)


class Quarantine(NamedTuple):
    """Usage that can be believed, and what could not."""

    parts: list[UsagePart]
    #: The rows that are not believed, with the last counters of each that were, for the next step.
    believed: dict[RowKey, Counters]
    #: How many rows were taken out now.
    taken_out: int


def quarantine(compared: Comparison, parts: Sequence[UsagePart], refresh_interval_s: float) -> Quarantine:
    """Take out what no link could have carried; the raw reading is kept, so nothing is lost, only not counted.

    nlbwmon's counters move once in ``refresh_interval_s``: the later reading may hold what ran so long before the
    earlier one.
    """
    previous, old, new = compared.previous, compared.old, compared.new
    elapsed_s = (compared.current.read_at - previous.read_at).total_seconds()
    limit = int(_fastest.get() * (max(0.0, elapsed_s) + refresh_interval_s))
    used = added(part.rows for part in parts)
    taken = {key for key in used if max(new.get(key, NOTHING)) >= IMPLAUSIBLE_COUNTER}
    left = sum(sum(used[key]) for key in used.keys() - taken)
    if left > limit:
        for key in sorted(used.keys() - taken, key=lambda key: sum(used[key]), reverse=True):
            if left <= limit:
                break
            taken.add(key)  # the largest first: all rows share one link
            left -= sum(used[key])
    if taken:
        parts = [
            replace(part, rows={key: counters for key, counters in part.rows.items() if key not in taken})
            for part in parts
        ]
    # One that stays where it jumped to, or counts on from there, may still go back.
    still = {key for key in previous.quarantined if old.get(key) == previous.counters.get(key, NOTHING)}
    believed = {key: previous.quarantined.get(key, old.get(key, NOTHING)) for key in taken | still if key in new}
    return Quarantine(list(parts), believed, len(taken))
