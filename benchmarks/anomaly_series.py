"""Series with planted anomalies, made in the likeness of the public ones that stream detectors are compared on.

58 of them from one seed, of the same families, lengths and spacings: measurements of machines, prices of
advertisements, travel times with irregular gaps, counts of messages, a taxi company's half hours, daily patterns drawn
by a ruler. Ordinary life is in them too: heavy tails, bursts and small jumps that nobody would call an anomaly. As in
the Numenta Anomaly Benchmark, a tenth of each series lies in windows around its anomalies.
"""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

_MINUTES, _START = timedelta(minutes=1), datetime(2014, 4, 1)  # noqa: DTZ001 the public series are naive as well


@dataclass(frozen=True, kw_only=True)
class Series:
    """What a detector is shown, and the first and last index of each window in which it should speak up."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]
    windows: Sequence[tuple[int, int]]


def nab_series(folder: Path) -> Iterator[Series]:
    """The real ones, from a copy of the Numenta Anomaly Benchmark with its ``data`` and ``labels``.

    A part of them will do: labels of series that are not there are passed over.
    """
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name, spans in sorted(labels.items()):
        path = folder / "data" / name
        if not path.is_file():
            continue
        with path.open(newline="") as file:
            rows = [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
        limits = [[datetime.fromisoformat(limit) for limit in span] for span in spans]
        inside = [[at for at, (time, _) in enumerate(rows) if first <= time <= last] for first, last in limits]
        yield Series(
            name=name,
            times=[time for time, _ in rows],
            values=[value for _, value in rows],
            windows=[(indexes[0], indexes[-1]) for indexes in inside if indexes],
        )


def made_series(seed: int) -> Iterator[Series]:
    """The imitation of them."""
    for family, makers in (
        ("ruler", [_ruler] * 11),
        ("machine", [_machine] * 17),
        ("advertisement", [_advertisement] * 6),
        ("known cause", [_ambient, _scaled_out, _latency, _plant, _taxi, _keys, _keys]),
        ("traffic", [_traffic] * 7),
        ("messages", [_messages] * 10),
    ):
        for number, make in enumerate(makers):
            rng = Random(f"{seed} {family} {number}")
            times, values, anomalies = make(rng, number)
            yield Series(
                name=f"{family} {number}", times=times, values=values, windows=_windows(len(values), anomalies)
            )


def _windows(length: int, anomalies: Sequence[int]) -> list[tuple[int, int]]:
    """A tenth of the series around its anomalies, what overlaps in one."""
    if not anomalies:
        return []
    half = round(length / 20 / len(anomalies))
    windows: list[tuple[int, int]] = []
    for at in sorted(anomalies):
        first, last = max(0, at - half), min(length - 1, at + half)
        if windows and first <= windows[-1][1]:
            windows[-1] = (windows[-1][0], last)
        else:
            windows.append((first, last))
    return windows


_Made = tuple[list[datetime], list[float], list[int]]


def _clock(count: int, minutes: float) -> list[datetime]:
    return [_START + number * minutes * _MINUTES for number in range(count)]


def _places(rng: Random, count: int, length: int) -> list[int]:
    """Where anomalies begin: after the first fifth, some way from each other and from the end."""
    while True:
        places = sorted(rng.randrange(length // 5, length - length // 20) for _ in range(count))
        if all(later - earlier > length // 12 for earlier, later in pairwise(places)):
            return places


def _heavy(rng: Random, shape: float = 4.0) -> float:
    """A draw with heavier tails than a Gaussian one."""
    return rng.gauss(0, 1) / math.sqrt(max(rng.gammavariate(shape / 2, 2 / shape), 1e-9))


def _poisson(rng: Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


# --- drawn by a ruler ------------------------------------------------------------------------------------


def _ruler(rng: Random, number: int) -> _Made:
    """Days that are busy from nine to six, in five-minute steps; five series without an anomaly, six with one."""
    length, day = 4032, 288
    noise = (0.0, 0.0, 2.0, 0.0, 10.0, 9.0, 9.0, 9.0, 9.0, 3.0, 4.0)[number]
    at = 10 * day + (0 if number == 5 else day * 3 // 8)
    values = []
    for index in range(length):
        hour = 24 * (index % day) / day
        busy = 9 <= hour < 18
        if number == 3:
            value = 45.0
        elif number == 4:
            value = 20.0
        elif number == 9:
            dense = at <= index < at + day
            value = 20.0 if index % (16 if dense else 144) == 0 else 0.0
        elif number == 10:
            value = 1.0 + (rng.random() < 0.03) * rng.uniform(0.3, 1) + (at <= index < at + 30) * 2.5 * rng.random()
        else:
            high = 80.0
            if at <= index < at + (day if number == 5 else day * 3 // 8):
                high = {5: 20.0, 6: 40.0, 7: 160.0, 8: 20.0}.get(number, high)
            value = high if busy else 20.0
        wobble = noise * (0.3 if not busy and number not in (4, 9, 10) else 1) * rng.uniform(-1, 1)
        values.append(value + wobble * (0.05 if number in (9, 10) else 1))
    return _clock(length, 5), values, [at] if number >= 5 else []


# --- machines --------------------------------------------------------------------------------------------


def _machine(rng: Random, number: int) -> _Made:
    """Processors, disks and networks: a level, some habit of jobs, rare bursts, and what went wrong once to thrice."""
    length = rng.choice((4032, 4032, 4032, 4621, 4730)) if number != 14 else 1243
    level = 10 ** rng.uniform(-1, 2) if number < 9 else 10 ** rng.uniform(1, 6)
    spread = level * rng.choice((0.02, 0.05, 0.1, 0.3))
    memory = rng.choice((0.0, -0.5, 0.3, 0.8))
    job_every, job_size = rng.choice((0, 0, 12, 72, 288)), level * 10 ** rng.uniform(-0.5, 1)
    burst_rate, burst_size = rng.choice((0.0, 0.0005, 0.002)), level * 10 ** rng.uniform(-0.7, 0.7)
    daily = rng.choice((0.0, 0.0, 0.3)) * level
    values, error, burst, shift = [], 0.0, 0.0, 0.0
    for index in range(length):
        error = memory * error + math.sqrt(1 - memory * memory) * spread * _heavy(rng, 5)
        burst *= 0.4
        if rng.random() < burst_rate:
            burst = burst_size * rng.expovariate(1.5)
        if rng.random() < 0.0003:
            shift += rng.gauss(0, 1.5) * spread
        value = level + error + burst + shift + daily * math.sin(math.tau * index / 288)
        if job_every and index % job_every < 2:
            value += job_size * rng.uniform(0.7, 1.3)
        values.append(value)
    places = _places(rng, rng.choice((1, 1, 2, 2, 2, 3)), length)
    usual = sorted(values)
    far = max(usual[int(0.999 * length)] - level, 4 * spread)
    for at in places:
        kind = rng.choice(("spike", "spike", "spike", "burst", "shift", "drop", "restless", "calm"))
        size = far * rng.choice((1.2, 2.0, 3.0, 6.0))
        last = min(length, at + {"spike": rng.randrange(1, 4), "drop": rng.randrange(2, 20)}.get(kind, length // 12))
        lasting = rng.random() < 0.4
        for index in range(at, length if kind == "shift" and lasting else last):
            if kind in ("spike", "shift"):
                values[index] += size * rng.uniform(0.8, 1) * (1 if kind == "spike" else 0.5)
            elif kind == "burst" and rng.random() < 0.3:
                values[index] += size * rng.random()
            elif kind == "drop":
                values[index] = min(values[index], level * 0.2)
            elif kind == "restless":
                values[index] += 3 * spread * _heavy(rng, 5)
            elif kind == "calm":
                values[index] = level + (values[index] - level) * 0.1
    top = level * 40
    return _clock(length, 5), [round(min(max(value, 0.0), top), 3) for value in values], places


# --- prices ----------------------------------------------------------------------------------------------


def _advertisement(rng: Random, number: int) -> _Made:
    """Prices by the hour: a day's rhythm, heavy tails, hours without any; a few of them many times too high."""
    length = rng.randrange(1538, 1649)
    level, rhythm, spread = 10 ** rng.uniform(-1.2, 0.2), rng.uniform(0.2, 0.5), rng.uniform(0.12, 0.3)
    places = _places(rng, (2, 2, 3, 1, 3, 4)[number], length)
    values, drift = [], 0.0
    for index in range(length):
        drift = 0.98 * drift + 0.05 * rng.gauss(0, 1)
        around_noon = math.exp(-(((index % 24) - 12) ** 2) / 6)
        price = level * math.exp(rhythm * 1.5 * around_noon + drift + spread * _heavy(rng, 5))
        if rng.random() < 0.006:
            price *= 1.5 * rng.paretovariate(1.5)
        values.append(price)
    for at in places:
        for index in range(at, at + rng.randrange(1, 4)):
            values[index] *= rng.choice((2.5, 4, 7))
    times = _clock(length, 60)
    kept = [index for index in range(length) if rng.random() > 0.02 or index in places]
    return [times[index] for index in kept], [values[index] for index in kept], [kept.index(at) for at in places]


# --- where the cause is known ----------------------------------------------------------------------------


def _ambient(rng: Random, _: int) -> _Made:
    """A room's temperature by the hour: days, seasons, weeks with air conditioning at odds; twice the system fails."""
    length = 7267
    places = _places(rng, 2, length)
    values, drift = [], 0.0
    for index in range(length):
        drift = 0.995 * drift + 0.25 * rng.gauss(0, 1)
        values.append(70 + 3 * math.sin(math.tau * index / 24) + drift + 0.6 * rng.gauss(0, 1))
    for at, sign in zip(places, (-1, 1), strict=True):
        for index in range(at, min(length, at + 40)):
            values[index] += sign * 9 * math.exp(-(index - at) / 20)
    return _clock(length, 60), values, places


def _scaled_out(rng: Random, _: int) -> _Made:
    """Processor load of a group of machines that a wrong setting pushes up for good, after a calm of weeks."""
    length, at = 18050, 16200
    values = []
    for index in range(length):
        base = 35 + 12 * math.sin(math.tau * index / 288) + 4 * _heavy(rng, 4)
        values.append(min(100.0, max(0.0, base + (40 * rng.random() if index >= at else 0))))
    return _clock(length, 5), values, [at]


def _latency(rng: Random, _: int) -> _Made:
    length = 4032
    places = _places(rng, 3, length)
    values = [44 + 1.4 * _heavy(rng, 6) for _ in range(length)]
    for at, size in zip(places, (7, 14, 30), strict=True):
        for index in range(at, min(length, at + rng.randrange(2, 8))):
            values[index] += size * rng.uniform(0.7, 1.2)
    return _clock(length, 5), values, places


def _plant(rng: Random, _: int) -> _Made:
    """A machine's temperature: slow, restless, with stops that are planned; three times it goes wrong."""
    length = 22695
    places = _places(rng, 3, length)
    values, slow, fast, stop = [], 0.0, 0.0, 0.0
    for _ in range(length):
        slow = 0.9995 * slow + 0.2 * rng.gauss(0, 1)
        fast = 0.9 * fast + 0.8 * rng.gauss(0, 1)
        stop *= 0.97
        if rng.random() < 0.0003:
            stop = rng.uniform(5, 20)
        values.append(90 + slow + fast - stop)
    for at, size in zip(places, (55, 30, 70), strict=True):
        for index in range(at, min(length, at + 300)):
            values[index] -= size * math.exp(-(((index - at - 100) / 90) ** 2))
    return _clock(length, 5), values, places


def _taxi(rng: Random, _: int) -> _Made:
    """Passengers in half an hour: days and weeks as regular as anything, and five days that were not."""
    length, day = 10320, 48
    days = [150, 122, 177, 184, 209]
    values, drift = [], 0.0
    for index in range(length):
        date, hour = index // day, 24 * (index % day) / day
        weekend = date % 7 >= 5
        shape = 0.55 - 0.4 * math.cos(math.tau * (hour - 4) / 24) + 0.2 * math.sin(math.tau * (hour - 15) / 12)
        if weekend:
            shape += 0.25 * math.exp(-(((hour - 1) / 2) ** 2)) - 0.15 * math.exp(-(((hour - 8) / 2) ** 2))
        drift = 0.97 * drift + 0.01 * rng.gauss(0, 1)
        values.append(max(0.05, shape * (1 + drift)) * 20_000 * (1 + 0.03 * rng.gauss(0, 1)))
    for date, (size, first, last) in zip(
        days, ((1.6, 0, 6), (0.6, 8, 24), (0.45, 0, 40), (1.5, 0, 8), (0.15, 20, 66)), strict=True
    ):
        for index in range(date * day + first, min(length, date * day + last)):
            values[index] *= size
    return _clock(length, 30), [float(round(value)) for value in values], [date * day for date in sorted(days)]


def _keys(rng: Random, number: int) -> _Made:
    """How long keys are held: noise with tails, bound below, and someone else at the keyboard twice."""
    length = 1882 if number == 5 else 5315
    places = _places(rng, 2, length)
    values = [0.05 + rng.lognormvariate(-3, 0.5) * (rng.random() < 0.8) for _ in range(length)]
    for at in places:
        for index in range(at, at + length // 40):
            if rng.random() < 0.5:
                values[index] = 0.05 + rng.lognormvariate(-2.1, 0.7)
    return _clock(length, 5), values, places


# --- traffic ---------------------------------------------------------------------------------------------


def _traffic(rng: Random, number: int) -> _Made:
    """Travel times, speeds and occupancy, at odd moments: rush hours, jams of many sizes, a few that stand out."""
    length = rng.choice((2162, 2380, 2495, 2500, 2500)) if number != 5 else 1127
    count = (3, 1, 2, 2, 1, 3, 2)[number]
    places = _places(rng, count, length)
    level, speed = rng.uniform(100, 250), number in (4, 5, 6)
    times, values, now, jam = [], [], _START, 0.0
    for index in range(length):
        skip = rng.random()
        now += (5 if skip < 0.7 else 10 if skip < 0.9 else 5 * rng.randrange(3, 12) if skip < 0.995 else 400) * _MINUTES
        hour = now.hour + now.minute / 60
        rush = math.exp(-(((hour - 8.5) / 1.2) ** 2)) + math.exp(-(((hour - 17.5) / 1.8) ** 2))
        jam *= 0.75
        if rng.random() < 0.006:
            jam = rng.paretovariate(1.1)
        if any(at <= index < at + 8 for at in places):
            jam = max(jam, rng.uniform(3, 9))
        flow = math.exp(0.12 * rng.gauss(0, 1)) * (0.6 + 0.7 * rush + 0.7 * jam)
        times.append(now)
        values.append(float(round(max(5.0, 72 - 9 * flow + rng.gauss(0, 2)) if speed else level * flow)))
    return times, values, places


# --- messages --------------------------------------------------------------------------------------------


def _messages(rng: Random, number: int) -> _Made:
    """How often a company is named in five minutes: nights and weekends, talk that feeds itself, and real news."""
    length = rng.randrange(15831, 15903)
    places = _places(rng, (2, 4, 3, 2, 2, 3, 3, 3, 2, 2)[number], length)
    level, rhythm = 10 ** rng.uniform(0.4, 1.9), rng.uniform(0.3, 0.8)
    news_rate, news_tail = rng.uniform(0.001, 0.004), rng.uniform(1.1, 1.7)
    values, mood, news = [], 0.0, 0.0
    for index in range(length):
        mood = 0.995 * mood + 0.03 * rng.gauss(0, 1)
        news *= 0.8
        if rng.random() < news_rate:
            news = max(news, 0.8 * rng.paretovariate(news_tail))
        if index in places:
            news = rng.choice((4, 7, 12, 25))
        day = 1 + rhythm * math.sin(math.tau * (index / 288 - 0.4))
        weekend = 0.6 if index // 288 % 7 >= 5 else 1.0
        hourly = 1.5 if index % 12 == 1 else 1.0
        mean = level * hourly * (day * weekend * math.exp(mood) * rng.gammavariate(4, 0.25) + news)
        values.append(float(_poisson(rng, mean)))
    return _clock(length, 5), values, places
