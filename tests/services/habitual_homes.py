"""Homes whose devices have habits, by the hour, and what was planted in their weeks.

A television, phones, backups, a camera, a console, a plug that hardly sends anything, a desktop that is used three
times as much in the end as in the beginning. One of the phones takes a new MAC every week. Nothing of it is noise of
one shape: evenings are long or short, guests come, films begin an hour early. Then come gaps, and a few hours as no
habit makes them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from services.analytics.unusual_usage import Anomaly, Direction, Sensitivity
from services.device_usage_analytics import detect_anomalies

BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")
#: A Monday. The clocks go back in the eighth week.
START = datetime(2031, 9, 1, tzinfo=BERLIN)
WEEKS = 10
HOURS = WEEKS * 7 * 24
MB, GB = 10**6, 10**9

#: Bytes in one hour, given where it lies.
Usage = Callable[[Random, datetime], float]


@dataclass
class Device:
    """Its bytes by hour; None where they were not observed."""

    down: list[int | None] = field(default_factory=list)
    up: list[int | None] = field(default_factory=list)
    #: The first hour that the device was seen in, and the first after it went.
    first: int = 0
    last: int = HOURS


@dataclass(frozen=True)
class Plant:
    device: str
    direction: Direction
    first: int
    hours: int


@dataclass
class Home:
    devices: dict[str, Device]
    plants: list[Plant]

    def found(self, since: datetime, sensitivity: Sensitivity = Sensitivity.MEDIUM) -> list[tuple[str, Anomaly]]:
        return [
            (name, anomaly)
            for name, device in self.devices.items()
            for direction in Direction
            for anomaly in detect_anomalies(
                list(series(device, direction)), sensitivity=sensitivity, direction=direction, since=since
            )
        ]


def hour(number: int) -> datetime:
    return (START.astimezone(UTC) + timedelta(hours=number)).astimezone(BERLIN)


def series(device: Device, direction: Direction) -> Iterator[tuple[datetime, int | None]]:
    values = device.down if direction is Direction.DOWN else device.up
    return ((hour(number), values[number]) for number in range(device.first, device.last))


def home(seed: int) -> Home:
    """Ten weeks, with gaps and five plants in the last three of them."""
    rng = Random(seed)
    devices = {name: _lived(rng, usage) for name, usage in _HABITS.items()}
    for week in range(WEEKS):
        phone = _lived(rng, _phone(Random(seed)))
        phone.first, phone.last = week * 168, (week + 1) * 168
        devices[f"private phone {week}"] = phone
    plants = list(_planted(rng, devices))
    for _ in range(3):
        gap = rng.randrange(HOURS)
        for number in range(gap, min(HOURS, gap + rng.choice((1, 5, 30)))):
            if not any(plant.first - 2 <= number <= plant.first + plant.hours + 2 for plant in plants):
                for device in devices.values():
                    device.down[number] = device.up[number] = None
    return Home(devices, plants)


def _lived(rng: Random, usage: tuple[Usage, Usage]) -> Device:
    device = Device()
    for number in range(HOURS):
        at = hour(number)
        device.down.append(max(0, int(usage[0](rng, at))))
        device.up.append(max(0, int(usage[1](rng, at))))
    return device


def _planted(rng: Random, devices: dict[str, Device]) -> Iterator[Plant]:
    last_weeks = range((WEEKS - 3) * 7, WEEKS * 7)
    days = rng.sample(last_weeks, 5)
    kinds = [
        ("laptop", Direction.UP, 3, 1, 9 * GB),
        ("phone", Direction.UP, 2, 4, 3 * GB),
        ("plug", Direction.DOWN, 14, 2, 400 * MB),
        ("television", Direction.DOWN, 4, 3, 6 * GB),
        ("nas", Direction.UP, 10, 1, 20 * GB),
    ]
    for day, (name, direction, at, hours, size) in zip(days, kinds, strict=True):
        first = day * 24 + at
        values = devices[name].down if direction is Direction.DOWN else devices[name].up
        for number in range(first, first + hours):
            values[number] = (values[number] or 0) + int(size * rng.uniform(0.8, 1.2))
        yield Plant(name, direction, first, hours)


# --- habits ----------------------------------------------------------------------------------------------


def _quiet(most: float) -> Usage:
    return lambda rng, at: rng.random() * most


def _television(rng: Random, at: datetime) -> float:
    evening = rng.random() < (0.75 if 19 <= at.hour <= 22 else 0.15 if at.hour in (17, 18, 23) else 0.0)
    afternoon = at.weekday() >= 5 and 13 <= at.hour <= 17 and rng.random() < 0.4
    return rng.uniform(1.2, 3.2) * GB if evening or afternoon else rng.random() * 2 * MB


def _phone(habits: Random) -> tuple[Usage, Usage]:
    leaves, back = habits.randrange(7, 9), habits.randrange(16, 19)

    def down(rng: Random, at: datetime) -> float:
        away = at.weekday() < 5 and leaves <= at.hour < back and rng.random() < 0.9
        if away or at.hour < 6:
            return rng.random() * 5 * MB
        return rng.lognormvariate(17.3, 0.7) if rng.random() < 0.8 else rng.random() * 5 * MB

    return down, lambda rng, at: down(rng, at) * rng.uniform(0.02, 0.15)


def _laptop(rng: Random, at: datetime) -> float:
    works = at.weekday() < 5 and 8 <= at.hour <= 17 and rng.random() < 0.9
    return rng.lognormvariate(18.8, 0.5) if works else rng.random() * 3 * MB


def _calls(rng: Random, at: datetime) -> float:
    called = at.weekday() < 5 and 9 <= at.hour <= 16 and rng.random() < 0.3
    return rng.uniform(200, 900) * MB if called else _laptop(rng, at) * 0.1


def _backup(rng: Random, at: datetime) -> float:
    if at.hour == 2 or (at.hour == 3 and rng.random() < 0.5):
        return rng.lognormvariate(21.3, 0.3)
    return rng.random() * 4 * MB


def _camera(rng: Random, at: datetime) -> float:
    return (180 + 60 * (7 <= at.hour <= 20)) * MB * rng.uniform(0.85, 1.15)


def _console(rng: Random, at: datetime) -> float:
    if at.weekday() == 2 and at.hour == 4:
        return rng.uniform(5, 15) * GB if rng.random() < 0.8 else 0.0
    plays = at.weekday() >= 4 and 15 <= at.hour <= 23 and rng.random() < 0.5
    return rng.uniform(80, 300) * MB if plays else rng.random() * MB


def _guest(rng: Random, at: datetime) -> float:
    visits = Random(at.toordinal()).random() < 0.2 and 17 <= at.hour <= 22
    return rng.uniform(100, 2_500) * MB if visits else 0.0


def _desktop(rng: Random, at: datetime) -> float:
    used = 16 <= at.hour <= 23 and rng.random() < 0.5
    trend = 1 + 2 * (at - START) / timedelta(weeks=WEEKS)
    return trend * rng.lognormvariate(19.0, 0.6) if used else rng.random() * 3 * MB


_HABITS: dict[str, tuple[Usage, Usage]] = {
    "television": (_television, _quiet(20 * MB)),
    "phone": _phone(Random(0)),
    "laptop": (_laptop, _calls),
    "nas": (_quiet(30 * MB), _backup),
    "camera": (_quiet(3 * MB), _camera),
    "console": (_console, _quiet(40 * MB)),
    "plug": (_quiet(0.1 * MB), _quiet(0.1 * MB)),
    "guest": (_guest, _quiet(10 * MB)),
    "desktop": (_desktop, lambda rng, at: _desktop(rng, at) * 0.1),
}
