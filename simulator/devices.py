"""Lifelike devices: what a household's devices do all day, as a pure function of (seed, device, 5-minute tick).

A device has habits, not a script: each local day its habits are drawn anew from a generator seeded with (seed, MAC,
date), so a restarted simulation draws the same ones, and whoever asks for one tick gets what everyone else got.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv6Address
from random import Random
from zoneinfo import ZoneInfo

from simulator.rows import Delta, RowKey, row_key

TICK_S = 300
TICK_US = TICK_S * 1_000_000
TICKS_A_DAY = 86_400 // TICK_S
WEEKDAYS, WEEKEND, DAILY = frozenset(range(5)), frozenset((5, 6)), frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Service:
    """A share of a session's bytes that goes over one protocol and port."""

    proto: str
    port: int
    share: float


WEB = (Service("TCP", 443, 0.74), Service("UDP", 443, 0.22), Service("TCP", 80, 0.03), Service("UDP", 53, 0.01))
STREAM = (Service("TCP", 443, 0.55), Service("UDP", 443, 0.44), Service("UDP", 53, 0.01))
CALLS = (Service("UDP", 3478, 0.85), Service("TCP", 443, 0.15))
OFFICE = (Service("TCP", 443, 0.9), Service("TCP", 993, 0.07), Service("UDP", 53, 0.03))
BACKUP = (Service("TCP", 22, 0.97), Service("TCP", 443, 0.03))
GAME = (Service("UDP", 3074, 0.7), Service("TCP", 443, 0.3))
DOWNLOAD = (Service("TCP", 80, 0.9), Service("TCP", 443, 0.1))
CHATTER = (Service("TCP", 443, 0.7), Service("UDP", 53, 0.15), Service("UDP", 123, 0.15))
CLOUD = (Service("TCP", 443, 1.0),)
MULTICAST = (Service("IGMP", 0, 1.0),)


@dataclass(frozen=True, slots=True)
class Habit:
    """Something done on some days: when (minutes after local midnight), how long (minutes), how fast (Mbit/s)."""

    days: frozenset[int]
    chance: float
    start: tuple[int, int]
    lasts: tuple[int, int]
    down: tuple[float, float]
    up: tuple[float, float]
    mix: tuple[Service, ...] = WEB


@dataclass(frozen=True, slots=True)
class Away:
    """Out of the house: no traffic, no neighbour entry that answers."""

    days: frozenset[int]
    chance: float
    start: tuple[int, int]
    lasts: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device of the home and its character."""

    mac: str
    ip: str
    hostname: str = "*"
    habits: tuple[Habit, ...] = ()
    away: tuple[Away, ...] = ()
    #: chance that it is here at all on a day (a guest)
    visits: float = 1.0
    #: chance of chatter in a tick, and its bytes (down, up)
    chatter: float = 0.0
    chatter_bytes: tuple[int, int] = (6_000, 3_000)
    chatter_mix: tuple[Service, ...] = CHATTER
    #: prefix of its IPv6 privacy addresses, one a day; empty: no IPv6
    ipv6_prefix: str = ""
    leases: bool = True
    #: whether neighbour discovery lists it (nlbwmon's unresolved host is nowhere to be seen)
    neighbour: bool = True


@dataclass(frozen=True, slots=True)
class _Session:
    first: int
    last: int
    habit: Habit
    down: float
    up: float


@dataclass(frozen=True, slots=True)
class HomeDay:
    """One UTC day: the growth of rows per tick, and who was at home in it."""

    ticks: list[list[Delta]]
    present: dict[str, bytearray]
    ipv6: dict[str, str]


class Household:
    """All devices of a home, day by day."""

    def __init__(self, devices: tuple[Device, ...], seed: int, zone: ZoneInfo) -> None:
        self.devices = devices
        self._seed = seed
        self._zone = zone
        self._days: OrderedDict[int, HomeDay] = OrderedDict()

    def deltas(self, start_us: int, end_us: int) -> Iterator[tuple[int, list[Delta]]]:
        """Growth of rows between two moments, tick by tick: (start of the tick in us, deltas).

        Within a tick bytes flow evenly. Whole bytes are cut from the running total, so that any way to split a
        stretch of time adds up to the same.
        """
        for tick in range(start_us // TICK_US, -(-end_us // TICK_US)):
            day, index = divmod(tick, TICKS_A_DAY)
            whole = self.day(day).ticks[index]
            if not whole:
                continue
            begin = tick * TICK_US
            low, high = max(0, start_us - begin), min(TICK_US, end_us - begin)
            yield begin, (whole if high - low == TICK_US else [_part(delta, low, high) for delta in whole])

    def is_home(self, device: Device, at_us: int) -> bool:
        day, index = divmod(at_us // TICK_US, TICKS_A_DAY)
        return bool(self.day(day).present[device.mac][index])

    def ipv6(self, device: Device, at_us: int) -> str:
        """Its privacy address of the day; empty without IPv6."""
        return self.day(at_us // TICK_US // TICKS_A_DAY).ipv6.get(device.mac, "")

    def is_busy(self, device: Device, at_us: int) -> bool:
        """Whether it has traffic in this very tick."""
        day, index = divmod(at_us // TICK_US, TICKS_A_DAY)
        return any(delta[0][3] == device.mac for delta in self.day(day).ticks[index])

    def day(self, number: int) -> HomeDay:
        """Day `number` since 1970, in UTC; the last few are kept."""
        if number not in self._days:
            self._days[number] = self._make_day(number)
            while len(self._days) > 4:
                self._days.popitem(last=False)
        return self._days[number]

    def _make_day(self, number: int) -> HomeDay:
        made = HomeDay([[] for _ in range(TICKS_A_DAY)], {}, {})
        first = number * TICKS_A_DAY
        noon = datetime.fromtimestamp(number * 86_400 + 43_200, UTC).astimezone(self._zone).date()
        dates = [noon + timedelta(days=step) for step in (-1, 0, 1)]
        for device in self.devices:
            rng = Random(f"{self._seed}/{device.mac}/{number}")
            if device.ipv6_prefix:
                made.ipv6[device.mac] = _privacy_address(device.ipv6_prefix, rng)
            present = bytearray(b"\1" * TICKS_A_DAY)
            sessions: list[_Session] = []
            for local in dates:
                drawn, gone = self._draw(device, local)
                sessions += drawn
                for start, end in gone:
                    low, high = max(start - first, 0), min(end - first, TICKS_A_DAY)
                    if low < high:
                        present[low:high] = bytes(high - low)
            made.present[device.mac] = present
            traffic = _Traffic(device, made.ipv6.get(device.mac, ""), rng)
            for index in range(TICKS_A_DAY):
                if not present[index]:
                    continue
                if device.chatter and rng.random() < device.chatter:
                    down, up = device.chatter_bytes
                    traffic.add(made.ticks[index], device.chatter_mix, down, up)
            for session in sessions:
                for tick in range(max(session.first, first), min(session.last, first + TICKS_A_DAY)):
                    if present[tick - first]:
                        traffic.add(made.ticks[tick - first], session.habit.mix, session.down, session.up)
        return made

    def _draw(self, device: Device, local: date) -> tuple[list[_Session], list[tuple[int, int]]]:
        """One local day's sessions and absences, in ticks since 1970."""
        rng = Random(f"{self._seed}/{device.mac}/{local}")
        midnight = int(datetime(local.year, local.month, local.day, tzinfo=self._zone).timestamp()) // TICK_S
        if rng.random() >= device.visits:
            return [], [(midnight, midnight + TICKS_A_DAY + 12)]
        gone, sessions = [], []
        for away in device.away:
            if local.weekday() in away.days and rng.random() < away.chance:
                start = midnight + rng.randint(*away.start) // 5
                gone.append((start, start + rng.randint(*away.lasts) // 5))
        for habit in device.habits:
            if local.weekday() in habit.days and rng.random() < habit.chance:
                start = midnight + rng.randint(*habit.start) // 5
                last = start + max(1, rng.randint(*habit.lasts) // 5)
                bytes_a_tick = 1e6 / 8 * TICK_S
                down, up = rng.uniform(*habit.down) * bytes_a_tick, rng.uniform(*habit.up) * bytes_a_tick
                sessions.append(_Session(start, last, habit, down, up))
        return sessions, gone


class _Traffic:
    """Turns bytes of a tick into growth of rows."""

    def __init__(self, device: Device, ipv6: str, rng: Random) -> None:
        self._device = device
        self._ipv6 = ipv6
        self._rng = rng
        self._keys: dict[tuple[str, int, bool], RowKey] = {}

    def add(self, deltas: list[Delta], mix: tuple[Service, ...], down: float, up: float) -> None:
        jitter = self._rng.uniform(0.6, 1.4)
        for service in mix:
            six = bool(self._ipv6) and service.proto != "IGMP" and self._rng.random() < 0.6
            rx, tx = int(down * service.share * jitter), int(up * service.share * jitter)
            if rx or tx:
                conns = 1 + int(self._rng.random() * 4)
                deltas.append((self._key(service, six), conns, rx, -(-rx // 1_300), tx, -(-tx // 600)))

    def _key(self, service: Service, six: bool) -> RowKey:
        known = (service.proto, service.port, six)
        if known not in self._keys:
            address = self._ipv6 if six else self._device.ip
            self._keys[known] = row_key(service.proto, service.port, self._device.mac, address)
        return self._keys[known]


def _part(delta: Delta, low: int, high: int) -> Delta:
    """What of a tick's growth falls between two moments of it (us); its connections are opened at its start."""
    key, conns, *flows = delta
    rx, rx_packets, tx, tx_packets = (flow * high // TICK_US - flow * low // TICK_US for flow in flows)
    return key, conns if low == 0 else 0, rx, rx_packets, tx, tx_packets


def _privacy_address(prefix: str, rng: Random) -> str:
    base = int(IPv6Address(prefix)) & ~(2**64 - 1)
    return IPv6Address(base | rng.getrandbits(64)).compressed
