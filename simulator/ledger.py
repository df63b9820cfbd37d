"""The truth that tests hold the product against: every byte that flowed, whatever the daemon made of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.clock import from_us, to_us
from simulator.rows import Delta

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of one device: rx is what it downloaded, tx what it uploaded."""

    rx: int = 0
    tx: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.rx + other.rx, self.tx + other.tx)


@dataclass(frozen=True, slots=True)
class Event:
    """Scripted traffic, to the microsecond."""

    at: datetime
    mac: str
    usage: Usage


class Ledger:
    """Bytes per device and UTC hour, in true time, plus each scripted event.

    It counts traffic also while the daemon is down or not installed: what was then lost is exactly what a test wants
    to know (`uncounted`).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hours: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        self._flow: set[int] = set()
        self._uncounted: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.events: list[Event] = []

    def add_event(self, at_us: int, mac: str, usage: Usage) -> None:
        """Scripted traffic: known to the microsecond."""
        with self._lock:
            self.events.append(Event(from_us(at_us), mac, usage))
            _add(self._hours[mac, at_us // HOUR_US], usage)

    def add_flow(self, at_us: int, deltas: Iterable[Delta]) -> None:
        """Lifelike traffic somewhere within the hour of `at_us`."""
        hour = at_us // HOUR_US
        with self._lock:
            self._flow.add(hour)
            for key, _conns, rx, _rx_packets, tx, _tx_packets in deltas:
                total = self._hours[key[3], hour]
                total[0] += rx
                total[1] += tx

    def add_uncounted(self, deltas: Iterable[Delta]) -> None:
        """Traffic that no daemon saw, because none ran. It is in the hours as well."""
        with self._lock:
            for delta in deltas:
                _add(self._uncounted[delta[0][3]], Usage(delta[2], delta[4]))

    def hours(self, mac: str | None = None) -> dict[tuple[str, datetime], Usage]:
        """(mac, start of the UTC hour) -> bytes."""
        with self._lock:
            return {
                (owner, from_us(hour * HOUR_US)): Usage(*both)
                for (owner, hour), both in self._hours.items()
                if mac is None or owner == mac
            }

    def totals(self) -> dict[str, Usage]:
        """mac -> bytes since the beginning."""
        totals: defaultdict[str, Usage] = defaultdict(Usage)
        for (owner, _hour), usage in self.hours().items():
            totals[owner] += usage
        return dict(totals)

    def total(self, mac: str | None = None) -> Usage:
        """Bytes of one device, or of all."""
        return sum((usage for owner, usage in self.totals().items() if mac in (None, owner)), Usage())

    def uncounted(self, mac: str | None = None) -> Usage:
        """Bytes that flowed while no daemon ran."""
        with self._lock:
            return sum((Usage(*both) for owner, both in self._uncounted.items() if mac in (None, owner)), Usage())

    def between(self, start: datetime, end: datetime) -> dict[str, Usage]:
        """mac -> bytes from `start` up to, not including, `end`.

        Exact to the microsecond for scripted traffic. Lifelike traffic is kept by the hour only: ValueError where a
        boundary cuts an hour that has some.
        """
        first, last = to_us(start), to_us(end)
        with self._lock:
            for cut in (first, last):
                if cut % HOUR_US and cut // HOUR_US in self._flow:
                    raise ValueError(f"{from_us(cut)} cuts an hour of lifelike traffic, which is kept by the hour")
        found: defaultdict[str, Usage] = defaultdict(Usage)
        for (owner, at), usage in self.hours().items():
            if start <= at and at + timedelta(hours=1) <= end:
                found[owner] += usage
        whole_from, whole_to = -(-first // HOUR_US), last // HOUR_US
        for event in list(self.events):
            in_whole_hour = whole_from <= to_us(event.at) // HOUR_US < whole_to
            if start <= event.at < end and not in_whole_hour:
                found[event.mac] += event.usage
        return dict(found)


def _add(total: list[int], usage: Usage) -> None:
    total[0] += usage.rx
    total[1] += usage.tx
