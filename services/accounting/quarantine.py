"""What no link could have carried: taken out of the usage, and remembered, as it may go back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from services.accounting.counters import NOTHING, Comparison, Counters, RowKey
from services.accounting.usage import UsagePart, added

#: Counters from here on can't be stored as BIGINT and are far beyond what a home link carries.
IMPLAUSIBLE_COUNTER = 2**63

#: Faster than this no row can have grown where nothing else is said: 100 Gbit/s, in bytes per second.
IMPLAUSIBLE_RATE = 100_000_000_000 // 8

#: Where the router doesn't tell its `refresh_interval`, in seconds: the longest that the doctor has nothing against.
_REFRESH_INTERVAL_S = 60


class Quarantine(NamedTuple):
    """Usage that can be believed, and what could not."""

    parts: Sequence[UsagePart]
    #: The rows that are not believed, with the last counters of each that were, for the next step.
    believed: dict[RowKey, Counters]
    #: What was taken out now.
    taken_out: Mapping[RowKey, Counters]


def quarantine(compared: Comparison, parts: Sequence[UsagePart], fastest: float) -> Quarantine:
    """Take out what no link could have carried; the raw reading is kept, so nothing is lost, only not counted.

    ``fastest``: what a link carries in each direction, in bytes per second. nlbwmon's counters move once in a refresh
    interval: the later reading may hold what ran so long before the earlier one.
    """
    previous, old, new = compared.previous, compared.old, compared.new
    elapsed_s = (compared.current.read_at - previous.read_at).total_seconds()
    refresh_interval_s = compared.current.refresh_interval_s or _REFRESH_INTERVAL_S
    limit = int(fastest * (max(0.0, elapsed_s) + refresh_interval_s))
    used = added(part.rows for part in parts)
    taken = {key for key in used if max(new.get(key, NOTHING)) >= IMPLAUSIBLE_COUNTER}
    for direction in (0, 1):
        left = sum(used[key][direction] for key in used.keys() - taken)
        if left <= limit:
            continue
        for key in sorted(used.keys() - taken, key=lambda key: used[key][direction], reverse=True):
            taken.add(key)  # the largest first: all rows share one link
            left -= used[key][direction]
            if left <= limit:
                break
    if taken:
        parts = [
            replace(part, rows={key: counters for key, counters in part.rows.items() if key not in taken})
            for part in parts
        ]
    # One that stays where it jumped to, or counts on from there, may still go back.
    still = {key for key in previous.quarantined if old.get(key) == previous.counters.get(key, NOTHING)}
    believed = {key: previous.quarantined.get(key, old.get(key, NOTHING)) for key in taken | still if key in new}
    return Quarantine(parts, believed, {key: used[key] for key in taken})
