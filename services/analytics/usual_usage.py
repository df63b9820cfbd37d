"""What one device usually uses, in one direction, at an hour of the week or on a day of it. Pure, in bytes.

`unusual_usage` holds hours and days against it. An hour is compared with the same weekday's before it, and while there
are few of them with those of all working or all weekend days; only what came before counts, and only what was observed.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

#: Something is judged against at least this many of the same weekday, or else of all days alike.
_LEAST_SAME, _LEAST_ALIKE = 5, 8
#: So far back are they looked for: half a year of Tuesdays.
BASELINE_WEEKS = 26

#: The spread is at least this share of the level: a device as even as a clock is allowed some.
_LEAST_SPREAD = 0.15
#: From the median absolute deviation, and from the distance of the 90th percentile, to a standard deviation.
_MAD_TO_DEVIATION = 1.4826
_P90_TO_DEVIATION = 1 / 1.2816

#: People are not punctual: hours up to this far away tell what a device uses when it is used, if so many of them
#: had at least this many bytes. A guest's evening is none of the quiet ones, but like its evenings before.
_AROUND_HOURS = 3
_LEAST_BUSY_HOURS = 3
_BUSY_BYTES = 10_000_000
#: So far back are they looked for, in days.
_BUSY_DAYS = 35

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Earlier values of the same kind, in order of their size, and what they are called: Tuesdays, working days."""

    values: Sequence[int]
    kind: str
    #: Bytes that the spread is at least.
    least_spread: int

    @property
    def level(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        """How far they usually lie from the level, above it in particular; one outlier among them hardly moves it."""
        level = self.level
        return max(
            _MAD_TO_DEVIATION * median(abs(one - level) for one in self.values),
            _P90_TO_DEVIATION * (self.values[(9 * len(self.values)) // 10] - level),
            _LEAST_SPREAD * level,
            self.least_spread,
        )

    def deviation(self, value: int) -> float:
        """How many times the spread a value lies above the level."""
        return (value - self.level) / self.spread

    def usual_below(self, limit: float) -> Sequence[int]:
        """Those that are not above a limit themselves."""
        return self.values[: bisect_right(self.values, limit)]


class UsualUsage:
    """One series of hours and what of it was usual before each of them.

    Times are the router's own, without zone: an hour that a clock change doubles counts once.
    """

    #: What an hour, and a day, may differ by at any rate, in bytes.
    LEAST_HOURS_SPREAD, LEAST_DAYS_SPREAD = 8_000_000, 100_000_000

    def __init__(self, hours: Mapping[datetime, int]) -> None:
        self._hours = hours
        self._first = min(hours)
        days: dict[date, list[int]] = {}
        for at, value in hours.items():
            days.setdefault(at.date(), []).append(value)
        #: Those observed whole, or but for the hour that a clock change skips.
        self.days = {day: sum(values) for day, values in sorted(days.items()) if len(values) >= 23}

    def at(self, hour: datetime) -> int:
        """What an observed hour had."""
        return self._hours[hour]

    def hours_before(self, first: datetime, count: int = 1, least: int = _LEAST_ALIKE) -> Comparison | None:
        """What ``count`` hours from ``first`` on had together on days before; None of fewer than ``least``."""
        found = self._compare(first, lambda day: self._sum(day, count), least)
        return found and Comparison(values=found[0], kind=found[1], least_spread=count * self.LEAST_HOURS_SPREAD)

    def day_before(self, day: date) -> Comparison | None:
        """What days like this one had before it."""
        found = self._compare(datetime(day.year, day.month, day.day), lambda at: self.days.get(at.date()), _LEAST_ALIKE)  # noqa: DTZ001
        return found and Comparison(values=found[0], kind=found[1], least_spread=self.LEAST_DAYS_SPREAD)

    def busy_hour(self, at: datetime) -> int:
        """What is used in a busy hour around that time of day, 0 where that is not known."""
        around = (
            at - back * _DAY + off * _HOUR
            for back in range(1, _BUSY_DAYS + 1)
            if is_weekend(at - back * _DAY) == is_weekend(at)
            for off in range(-_AROUND_HOURS, _AROUND_HOURS + 1)
        )
        busy = sorted(value for hour in around if (value := self._hours.get(hour, 0)) >= _BUSY_BYTES)
        return busy[(9 * len(busy)) // 10] if len(busy) >= _LEAST_BUSY_HOURS else 0

    def busy_day(self, day: date) -> int:
        """What is used on a busy day, 0 where too few were observed."""
        busy = sorted(value for other, value in self.days.items() if other < day)
        return busy[(9 * len(busy)) // 10] if len(busy) >= _LEAST_ALIKE else 0

    def _sum(self, first: datetime, count: int) -> int | None:
        """None where an hour of them was not observed."""
        if count == 1:
            return self._hours.get(first)
        values = [self._hours.get(first + number * _HOUR) for number in range(count)]
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == count else None

    def _compare(
        self, at: datetime, value_on: Callable[[datetime], int | None], least: int
    ) -> tuple[list[int], str] | None:
        days_back = min(7 * BASELINE_WEEKS, (at - self._first).days + 1)
        same = _known(value_on(at - back * _DAY) for back in range(7, days_back + 1, 7))
        if len(same) >= _LEAST_SAME:
            return same, f"{_DAY_NAMES[at.weekday()]}s"
        alike = (at - back * _DAY for back in range(1, days_back + 1))
        values = _known(value_on(day) for day in alike if is_weekend(day) == is_weekend(at))
        if len(values) >= least:
            return values, "weekend days" if is_weekend(at) else "working days"
        return None


def _known(values: Iterable[int | None]) -> list[int]:
    return sorted(value for value in values if value is not None)


def is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def name_of(day: date) -> str:
    """Such as Tuesday."""
    return _DAY_NAMES[day.weekday()]
