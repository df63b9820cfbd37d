"""Accounting periods as upstream's timing.c works them out, its surprises included.

Day of the month, "N": a period starts at the router's local midnight of day N and is named YYYY-MM-N. A month without
day N does not start one on its last day: the period starts on the 1st of the month after, and still carries the name
that does not exist ("2026-02-31" runs from 1 to 30 March with N = 31). Zero and negative N count from the month's end
and do name real days (0 is the last day).

Every N days, "YYYY-MM-DD/N": both the given date and every cut are floored to 00:00 UTC, and a period is named by the
local date of that moment, so "2026-10-01/7" in Berlin names its first period 2026-09-30.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MonthlyInterval:
    """A new period on one day of each month."""

    day: int

    def name(self, at_s: int, zone: tzinfo, offset: int = 0) -> str:
        """Name of the period at a router time (seconds since 1970), or of the one `offset` months away."""
        today = datetime.fromtimestamp(at_s, zone).date()
        months = today.year * 12 + today.month - 1 + offset
        if self.day > 0:
            if today.day < self.day:
                months -= 1
            return f"{months // 12:04d}-{months % 12 + 1:02d}-{self.day:02d}"
        if today.day < self.day + _days_in(months):
            months -= 1
        length = _days_in(months)
        day = min(max(self.day + length, 1), length)
        return f"{months // 12:04d}-{months % 12 + 1:02d}-{day:02d}"

    def next_start(self, at_s: int, zone: tzinfo) -> int:
        """The first moment after `at_s` whose period has another name: always a local midnight."""
        current = self.name(at_s, zone)
        day = datetime.fromtimestamp(at_s, zone).date()
        while True:
            day += timedelta(days=1)
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
            if midnight > at_s and self.name(midnight, zone) != current:
                return midnight


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """A new period every so many days, counted from a date."""

    base_s: int
    days: int

    def _start(self, at_s: int, offset: int = 0) -> int:
        length = self.days * DAY_S
        midnight = at_s - at_s % DAY_S + offset * length
        rest = (midnight - self.base_s) % length
        # C's % keeps the sign: before the base date, upstream names the next cut instead of the last one.
        if midnight < self.base_s and rest:
            rest -= length
        return midnight - rest

    def name(self, at_s: int, zone: tzinfo, offset: int = 0) -> str:
        return datetime.fromtimestamp(self._start(at_s, offset), zone).date().isoformat()

    def next_start(self, at_s: int, _zone: tzinfo) -> int:
        start = self._start(at_s)
        return start + (self.days * DAY_S if at_s >= self.base_s else DAY_S)


Interval = MonthlyInterval | FixedInterval


def parse_interval(spec: str, zone: tzinfo) -> Interval:
    """`database_interval` as in /etc/config/nlbwmon; ValueError for what the daemon would refuse to start with."""
    if found := re.fullmatch(r"(\d{1,4})-(\d{1,2})-(\d{1,2})/(\d+)", spec):
        year, month, day, days = map(int, found.groups())
        if not 2000 <= year <= 3000 or days < 1:
            raise ValueError(f"Invalid interval '{spec}'")
        start = date(year, month, day)
        base = int(datetime(start.year, start.month, start.day, tzinfo=zone).timestamp())
        return FixedInterval(base - base % DAY_S, days)
    if not re.fullmatch(r"-?\d+", spec):
        raise ValueError(f"Invalid interval '{spec}'")
    return MonthlyInterval(int(spec))


def _days_in(months: int) -> int:
    return calendar.monthrange(months // 12, months % 12 + 1)[1]
