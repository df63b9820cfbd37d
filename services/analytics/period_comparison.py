"""One period beside another: what changed, and who accounts for it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from services.accounting.counters import NOTHING, Counters, plus
from services.analytics.change_parts import PART_OF_DAY, UNKNOWN_PROTOCOL, ChangePart, Protocol, add_up
from services.usage_quality import WELL_OBSERVED, Trust
from utils.nlbwmon_parser import DeviceTotals

Key = TypeVar("Key", bound=Protocol)


class Extent(StrEnum):
    """How much of its days a period has."""

    #: All of them.
    WHOLE = "whole"
    #: Those up to now.
    RUNNING = "running"
    #: Up to the point of time that another one, still running, has reached.
    SAME_POINT = "same_point"


@dataclass(frozen=True, kw_only=True)
class PeriodUsage:
    """What was used in a period, in bytes by MAC; ``totals`` None where nothing of it was observed."""

    start: datetime
    end: datetime
    totals: Mapping[str, DeviceTotals] | None
    #: Which share of it, as far as it has passed, lies between good readings: 0 to 1.
    coverage: float
    extent: Extent = Extent.WHOLE
    trust: Trust = field(default_factory=lambda: Trust(quality=None))
    #: By MAC and protocol, of the days that end with ``protocols_end``.
    protocols: Mapping[str, Mapping[str, DeviceTotals]] = field(default_factory=dict)
    #: None: the period's own end.
    protocols_end: datetime | None = None
    #: By MAC, what of ``totals`` was used after that.
    part_of_day: Mapping[str, DeviceTotals] = field(default_factory=dict)
    #: So long without a reading is no gap: the next one is still to come.
    patience: timedelta = timedelta(0)

    @property
    def is_well_observed(self) -> bool:
        """Whether what is not in it was hardly used at all."""
        unobserved = (1 - self.coverage) * (self.end - self.start)
        return self.totals is not None and (self.coverage >= WELL_OBSERVED or unobserved <= self.patience)

    def protocols_of(self, mac: str) -> dict[Protocol, Counters]:
        """What a device used by protocol; together it is all that it used."""
        used: dict[Protocol, Counters] = dict(self.protocols.get(mac, {}).items())
        if part := self.part_of_day.get(mac):
            used[PART_OF_DAY] = part
        rest = minus((self.totals or {}).get(mac, NOTHING), add_up(used.values()))
        if any(rest):  # should the router call one of its protocols so, both are one
            used[UNKNOWN_PROTOCOL] = plus(used.get(UNKNOWN_PROTOCOL, NOTHING), rest)
        return used


@dataclass(frozen=True, kw_only=True)
class Change:
    """Bytes before and after. None: not observed, and then there is no change to speak of either."""

    before: DeviceTotals | None
    after: DeviceTotals | None

    @property
    def absolute(self) -> int | None:
        """Bytes more (or, negative, less), down and up together."""
        return None if self.before is None or self.after is None else both(self.after) - both(self.before)

    @property
    def delta(self) -> Counters:
        """Bytes more or less, down and up each; 0 where there is no change to speak of."""
        return NOTHING if self.before is None or self.after is None else minus(self.after, self.before)

    @property
    def percent(self) -> float | None:
        """Of what it was before; None where that was nothing."""
        base = both(self.before)
        return None if self.absolute is None or not base else round(100 * self.absolute / base, 1)


@dataclass(frozen=True, kw_only=True)
class PeriodComparison:
    """Two periods side by side. Where one of them was not observed there are totals at most, and no verdicts.

    A list of those that came or went is None where that can't be told.
    """

    total: Change
    #: By MAC, largest change first.
    devices: Mapping[str, Change] = field(default_factory=dict)
    #: What each device used of each protocol in the first period and in the second, by MAC.
    used_before: Mapping[str, Mapping[Protocol, Counters]] = field(default_factory=dict)
    used_after: Mapping[str, Mapping[Protocol, Counters]] = field(default_factory=dict)
    #: All devices' by protocol, largest change first; together they are the whole.
    protocols: Mapping[Protocol, Change] = field(default_factory=dict)
    #: What makes up the change: their bytes add up to it exactly, down, up and together.
    parts: tuple[ChangePart, ...] = ()
    #: MACs with usage in the second period alone, which nobody had seen before it.
    new_devices: tuple[str, ...] | None = None
    #: MACs with usage in the second period alone, which were known before it.
    returned_devices: tuple[str, ...] | None = None
    #: MACs with usage in the first period alone.
    gone_devices: tuple[str, ...] | None = None
    #: Names of those with usage in the second period alone, and in the first.
    new_protocols: tuple[str, ...] | None = None
    gone_protocols: tuple[str, ...] | None = None

    def protocols_of(self, mac: str) -> dict[Protocol, Change]:
        """One device's changes by protocol, largest first; together they are what it used."""
        return changes_between(self.used_before[mac], self.used_after[mac])


def changes_between(before: Mapping[Key, Counters], after: Mapping[Key, Counters]) -> dict[Key, Change]:
    """What changed of each key, largest change first."""
    changes = {
        key: Change(before=DeviceTotals(*before.get(key, NOTHING)), after=DeviceTotals(*after.get(key, NOTHING)))
        for key in {*before, *after}
    }
    return dict(sorted(changes.items(), key=lambda item: (-abs(sum(item[1].delta)), item[0] or "")))


def deltas_between(before: Mapping[Key, Counters], after: Mapping[Key, Counters]) -> dict[Key, Counters]:
    """How many bytes more or less, in no order."""
    return {key: minus(after.get(key, NOTHING), before.get(key, NOTHING)) for key in {*before, *after}}


def together(usages: Iterable[Mapping[Key, Counters]]) -> dict[Key, Counters]:
    """Those of all by key."""
    sums: dict[Key, Counters] = {}
    for usage in usages:
        for key, used in usage.items():
            sums[key] = plus(sums.get(key, NOTHING), used)
    return sums


class ComingsAndGoings(NamedTuple):
    """Keys with usage in one period alone; None where the other was not observed well enough to say so."""

    new: tuple[str, ...] | None
    #: There before, but not used in the first period.
    returned: tuple[str, ...] | None
    gone: tuple[str, ...] | None


def devices_that_came_and_went(
    before: PeriodUsage, after: PeriodUsage, devices: Mapping[str, Change], first_seen: Mapping[str, datetime]
) -> ComingsAndGoings:
    """Devices with usage in one period alone. New is one that was first seen after the second began.

    The first reading of a router sees everybody for the first time, so somebody must have looked before.
    """
    came, gone = _in_one_alone(devices)
    new = {mac for mac in came if mac in first_seen and first_seen[mac] >= after.start}
    return ComingsAndGoings(
        new=tuple(mac for mac in came if mac in new) if before.coverage else None,
        returned=tuple(mac for mac in came if mac not in new) if before.is_well_observed else None,
        gone=tuple(gone) if after.is_well_observed else None,
    )


def protocols_that_came_and_went(
    before: PeriodUsage, after: PeriodUsage, protocols: Mapping[Protocol, Change]
) -> ComingsAndGoings:
    """Protocols with usage in one period alone; not told where the other has usage of no known protocol."""
    came, gone = _in_one_alone(
        {name: one for name, one in protocols.items() if name is not None and name != UNKNOWN_PROTOCOL}
    )
    unknown = protocols.get(UNKNOWN_PROTOCOL, Change(before=None, after=None))
    is_told = not both(unknown.before) and before.is_well_observed, not both(unknown.after) and after.is_well_observed
    return ComingsAndGoings(
        new=tuple(came) if is_told[0] else None, returned=None, gone=tuple(gone) if is_told[1] else None
    )


def _in_one_alone(changes: Mapping[Key, Change]) -> tuple[list[Key], list[Key]]:
    came = [key for key, one in changes.items() if not both(one.before) and both(one.after)]
    gone = [key for key, one in changes.items() if both(one.before) and not both(one.after)]
    return came, gone


def total_of(totals: Mapping[str, DeviceTotals] | None) -> DeviceTotals | None:
    if totals is None:
        return None
    return DeviceTotals(sum(one.bytes_down for one in totals.values()), sum(one.bytes_up for one in totals.values()))


def minus(after: Counters, before: Counters) -> Counters:
    return after[0] - before[0], after[1] - before[1]


def both(totals: DeviceTotals | None) -> int:
    return totals.bytes_down + totals.bytes_up if totals else 0
