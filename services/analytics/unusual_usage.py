"""Unusual hours and days of one device, in one direction: which stand out, which belong together, told in a sentence.

An hour or day stands out by `usual_usage`; whether that is rare for this device says the stream detector, which follows
how far its hours deviate. `device_usage_analytics.detect_anomalies` puts both together.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from services.analytics.streaming_anomalies import StreamingAnomalyDetector
from services.analytics.usual_usage import Comparison, UsualUsage, name_of
from utils.units import readable_bytes

#: Bytes in an hour, and in a day, below which nothing is unusual enough to be told.
ANOMALY_FLOOR = 50_000_000
_DAYS_FLOOR = 500_000_000
#: A device and direction without a single hour of so much has nothing to be told.
LEAST_HOUR = min(ANOMALY_FLOOR, _DAYS_FLOOR // 24)

#: So many weeks before the first hour that stands out, the detector begins to follow.
_FOLLOWED = timedelta(weeks=10)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Direction(StrEnum):
    """Which way bytes went, as the device sees it."""

    DOWN = "down"
    UP = "up"


class Sensitivity(StrEnum):
    """How little it takes to be called unusual."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AnomalyKind(StrEnum):
    """Hours that stand out, or whole days of which no hour does."""

    HOURS = "hours"
    DAYS = "days"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a sensitivity asks for."""

    #: How many times the usual spread above the usual level.
    deviation: float
    #: How many times a busy hour around that time, or a busy day.
    busy: float
    #: The stream detector's surprise, in nats.
    surprise: float


LIMITS = {
    Sensitivity.LOW: Limits(deviation=10.0, busy=3.0, surprise=10.0),
    Sensitivity.MEDIUM: Limits(deviation=6.0, busy=2.0, surprise=6.0),
    Sensitivity.HIGH: Limits(deviation=4.0, busy=1.25, surprise=3.0),
}


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """Hours or days in a row with far more traffic than usual at that time, in bytes."""

    at: datetime
    until: datetime
    kind: AnomalyKind
    direction: Direction
    observed: int
    #: What the earlier ones had, those left out that were out of the ordinary themselves.
    expected_low: int
    expected_high: int
    #: How many times the usual spread it lies above the usual level.
    score: float
    #: How many earlier ones it was compared with.
    comparisons: int
    message: str


@dataclass(frozen=True)
class Episode:
    """Hours in a row that stand out: the first, and how many."""

    first: datetime
    count: int

    def hours(self) -> list[datetime]:
        return [self.first + number * _HOUR for number in range(self.count)]


def episodes(
    hours: Mapping[datetime, int], usual: UsualUsage, limits: Limits, since: datetime
) -> list[tuple[Episode, Comparison]]:
    """What stands out from ``since`` on, and with what it is compared; hours next to each other are one episode."""
    found: list[tuple[Episode, Comparison]] = []
    for at, value in hours.items():
        before = usual.hours_before(at) if value >= ANOMALY_FLOOR and at >= since else None
        if before is None or before.deviation(value) <= limits.deviation or value <= limits.busy * usual.busy_hour(at):
            continue
        last = found[-1][0] if found else None
        if last and at == last.first + last.count * _HOUR:
            longer = Episode(last.first, last.count + 1)
            if together := usual.hours_before(longer.first, longer.count):
                found[-1] = (longer, together)
                continue
        found.append((Episode(at, 1), before))
    return found


def days_standing_out(
    usual: UsualUsage, hours: Iterable[tuple[Episode, Comparison]], limits: Limits, since: datetime
) -> list[list[date]]:
    """Days from ``since`` on, those in a row together, that would stand out without the ``hours`` that do."""
    explained: dict[date, float] = {}
    for episode, comparison in hours:
        for at in episode.hours():
            more = usual.at(at) - comparison.level / episode.count
            explained[at.date()] = explained.get(at.date(), 0) + max(0.0, more)
    runs: list[list[date]] = []
    for day, total in usual.days.items():
        value = int(total - explained.get(day, 0))
        if day < since.date() or value < _DAYS_FLOOR:
            continue
        before = usual.day_before(day)
        if before and before.deviation(value) > limits.deviation and value > limits.busy * usual.busy_day(day):
            if runs and day == runs[-1][-1] + _DAY:
                runs[-1].append(day)
            else:
                runs.append([day])
    return runs


def surprises(numbers: Iterable[tuple[datetime, float]]) -> dict[datetime, float]:
    """How surprising the stream detector finds each number when it comes, in nats."""
    detector = StreamingAnomalyDetector()
    found = {}
    for at, number in numbers:
        detector.update(at, number)
        found[at] = detector.surprise
    return found


def deviations(hours: Mapping[datetime, int], usual: UsualUsage, first: datetime) -> Iterator[tuple[datetime, float]]:
    """How far each hour lies above the usual, from some weeks before ``first`` on."""
    for at, value in hours.items():
        if at >= first - _FOLLOWED and (before := usual.hours_before(at, least=2)):
            yield at, before.deviation(value)


def days_up_to(hours: Mapping[datetime, int], first: datetime) -> Iterator[tuple[datetime, float]]:
    """The bytes of the day up to each hour, where all of it was observed, from some weeks before ``first`` on."""
    latest: deque[tuple[datetime, int]] = deque(maxlen=24)
    for at, value in hours.items():
        latest.append((at, value))
        if at >= first - _FOLLOWED and len(latest) == 24 and at - latest[0][0] <= _DAY:
            yield at, float(sum(one for _, one in latest))


def anomaly_of_hours(
    episode: Episode, usual: UsualUsage, before: Comparison, direction: Direction, limits: Limits
) -> Anomaly:
    """What is told of an episode."""
    observed = sum(map(usual.at, episode.hours()))
    end = episode.first + episode.count * _HOUR
    when = f"{name_of(episode.first)} {episode.first:%H:%M}"
    if episode.count > 1:
        when += f" to {end:%H:%M}" if end.date() == episode.first.date() else f" to {name_of(end)} {end:%H:%M}"
    return _anomaly(AnomalyKind.HOURS, episode.first, end, when, observed, before, direction, limits)


def anomaly_of_days(days: Sequence[date], usual: UsualUsage, direction: Direction, limits: Limits) -> Anomaly:
    """What is told of days in a row, by that which stands out most."""
    start, end = (datetime(day.year, day.month, day.day) for day in (days[0], days[-1] + _DAY))  # noqa: DTZ001
    compared = [(usual.days[day], before) for day in days if (before := usual.day_before(day))]
    observed, before = max(compared, key=lambda one: one[1].deviation(one[0]))
    day = days[[usual.days[one] for one in days].index(observed)]
    when = f"all of {name_of(day)}"
    if len(days) > 1:
        when = f"{name_of(days[0])} to {name_of(days[-1])}, most on {name_of(day)}"
    return _anomaly(AnomalyKind.DAYS, start, end, when, observed, before, direction, limits)


def _anomaly(
    kind: AnomalyKind,
    start: datetime,
    end: datetime,
    when: str,
    observed: int,
    before: Comparison,
    direction: Direction,
    limits: Limits,
) -> Anomaly:
    values = before.values
    ordinary = before.usual_below(before.level + limits.deviation * before.spread)
    low, high, unusual = ordinary[0], ordinary[-1], len(values) - len(ordinary)
    scale = min(observed, 10 * high)  # 0.1 to 0.4 GB beside 14.2 GB, but 3 to 40 MB
    message = (
        f"{readable_bytes(observed)} {direction} on {when}; {len(values)} {before.kind} before: "
        f"{readable_bytes(low, scale).split()[0]} to {readable_bytes(high, scale)}"
        f"{f', but for {unusual} of them' if unusual else ''}"
    )
    return Anomaly(
        at=start,
        until=end,
        kind=kind,
        direction=direction,
        observed=observed,
        expected_low=low,
        expected_high=high,
        score=round(before.deviation(observed), 1),
        comparisons=len(values),
        message=message,
    )


def in_zone(anomaly: Anomaly, starts: Mapping[datetime, datetime]) -> Anomaly:
    """The same with the moments that its times without zone stand for; ``starts`` has the hours' own."""
    zone = next(iter(starts.values())).tzinfo
    at = starts.get(anomaly.at, anomaly.at.replace(tzinfo=zone))
    until = anomaly.until.replace(tzinfo=zone)
    if zone and anomaly.kind is AnomalyKind.HOURS:
        until = (at.astimezone(UTC) + (anomaly.until - anomaly.at)).astimezone(zone)
    return replace(anomaly, at=at, until=until)
