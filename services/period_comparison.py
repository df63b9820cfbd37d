"""One period beside another: what changed, and who accounts for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import DeviceTotals


@dataclass(frozen=True, kw_only=True)
class PeriodUsage:
    """What was used in a period, in bytes by MAC; ``totals`` None where nothing of it was observed."""

    start: datetime
    end: datetime
    totals: Mapping[str, DeviceTotals] | None
    #: Which share of it, as far as it has passed, lies between good readings: 0 to 1.
    coverage: float


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
    def percent(self) -> float | None:
        """Of what it was before; None where that was nothing."""
        base = both(self.before)
        return None if self.absolute is None or not base else round(100 * self.absolute / base, 1)


@dataclass(frozen=True, kw_only=True)
class ChangePart:
    """One device's part of the whole change, in bytes; with ``mac`` None that of ``devices`` others together."""

    mac: str | None
    devices: int
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True, kw_only=True)
class PeriodComparison:
    """Two periods side by side. Where one of them was not observed there are totals at most, and no verdicts."""

    total: Change
    #: By MAC, largest change first.
    devices: Mapping[str, Change]
    #: What makes up the change: their bytes add up to it exactly, down, up and together.
    parts: tuple[ChangePart, ...]

    @property
    def new_devices(self) -> list[str]:
        """MACs with usage in the second period alone."""
        return [mac for mac, change in self._real_devices() if not both(change.before) and both(change.after)]

    @property
    def gone_devices(self) -> list[str]:
        """MACs with usage in the first period alone."""
        return [mac for mac, change in self._real_devices() if both(change.before) and not both(change.after)]

    def _real_devices(self) -> list[tuple[str, Change]]:
        """Hosts whose MAC nlbwmon could not look up are no device that comes or goes."""
        return [(mac, change) for mac, change in self.devices.items() if mac != ZERO_MAC]


def total_of(totals: Mapping[str, DeviceTotals] | None) -> DeviceTotals | None:
    if totals is None:
        return None
    return DeviceTotals(sum(one.bytes_down for one in totals.values()), sum(one.bytes_up for one in totals.values()))


def both(totals: DeviceTotals | None) -> int:
    return totals.bytes_down + totals.bytes_up if totals else 0
