"""nlbwmon's accounting periods: which one is running, when it began, when it ends, what the router calls it. Pure.

`nlbw -c list` is empty from a rollover until the next commit, so the start is worked out from the setting
`database_interval` and the router's own clock and zone; the list only confirms. The daemon's ways are its own:

- "N": day N of the month; 0 is the month's last day, -1 the one before it. A month without day N starts no period on
  its last day: the period begins on the 1st after it, and is called by the day that does not exist (2026-02-31).
- "DATE/N": every N days. Date and cuts are put back to 00:00 UTC, and a period is called by the router's local date
  at its cut: in Berlin "2026-10-01/7" begins one called 2026-09-30. While the router's clock is before DATE, a period
  begins a day after a cut, and is called by the next one.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from utils.time import Zone

#: OpenWrt's default: periods begin on the first day of the month.
DEFAULT_INTERVAL = "1"

#: No more are looked back over: a year of days, 33 years of months.
MOST_PERIODS = 400

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AccountingPeriod(NamedTuple):
    """First and last local day of a period, both included."""

    start: date
    end: date


@dataclass(frozen=True)
class PeriodRule:
    """A parsed `database_interval`: a day of the month (0 and below: from its end), or ``days`` from ``anchor`` on."""

    day_of_month: int | None = None
    anchor: date | None = None
    days: int | None = None

    @classmethod
    def parse(cls, setting: str | None) -> "PeriodRule":
        """``"1"`` … ``"31"``, ``"-2"`` or ``"2026-11-01/7"``; nlbwmon's default where the setting can't be read."""
        text = (setting or DEFAULT_INTERVAL).strip()
        if re.fullmatch(r"-?\d{1,2}", text, re.ASCII) and -31 < int(text) <= 31:
            return cls(day_of_month=int(text))
        if match := re.fullmatch(r"(\d{4}-\d{2}-\d{2})/(\d{1,5})", text, re.ASCII):
            try:
                anchor, days = date.fromisoformat(match[1]), int(match[2])
            except ValueError:
                days = 0
            if days > 0 and anchor.year >= 2000:
                return cls(anchor=anchor, days=days)
        return cls(day_of_month=1)

    def period_at(self, moment: datetime, zone: Zone) -> AccountingPeriod:
        """The period that ``moment`` of the router's clock lies in. ``zone``: the router's own."""
        if self.anchor is not None and self.days is not None:
            cut = self._cut_before(moment, zone)
            following = cut + self.days * _DAY
            start = zone.day_of(cut)
            # Where the clock is put back at a cut, two cuts lie in one local day.
            return AccountingPeriod(start, max(start, zone.day_of(following) - _DAY))
        day = zone.day_of(moment)
        month = _month_index(day)
        if self._start_in(month) > day:
            month -= 1
        return AccountingPeriod(self._start_in(month), self._start_in(month + 1) - _DAY)

    def period_before(self, start: date, zone: Zone) -> AccountingPeriod:
        """The period that ended where the one that begins on ``start`` begins."""
        return self.period_at(self.began_at(start, zone) - timedelta(seconds=1), zone)

    def began_at(self, start: date, zone: Zone) -> datetime:
        """The moment at which the period whose first day is ``start`` began."""
        if self.anchor is None or self.days is None:
            return zone.midnight(start)
        # The cut lies somewhere in that local day; the next midnight is in the same period, or is the next cut.
        base, length = self._base(zone), self.days * _DAY
        cut = base + (zone.midnight(start + _DAY) - timedelta(seconds=1) - base) // length * length
        return cut if cut > base else cut - length + _DAY

    def starts_before(self, start: date, zone: Zone) -> Iterator[date]:
        """Starts of the periods before the one that begins on ``start``, the newest first, without an end."""
        while True:
            # Where the clock is put back at a cut, two periods have one name, and only one of them an archive.
            start = min(self.period_before(start, zone).start, start - _DAY)
            yield start

    def starts_between(self, after: date, before: date, zone: Zone) -> list[date]:
        """Starts of the periods that began after ``after`` and before ``before``, both starts themselves: the newest
        400 of them.
        """
        newest = islice(self.starts_before(before, zone), MOST_PERIODS)
        return list(takewhile(lambda start: start > after, newest))[::-1]

    def name_of(self, start: date) -> str:
        """What the router calls the period that begins on ``start``: what `nlbw -t` takes and `nlbw -c list` prints."""
        day = self.day_of_month
        if day is None or day <= 0 or start.day == day:
            return start.isoformat()
        year, month = _year_and_month(_month_index(start) - 1)
        return f"{year:04d}-{month:02d}-{day:02d}"

    def _start_in(self, month: int) -> date:
        """Where the period begins that carries the name of ``month``."""
        year, number = _year_and_month(month)
        length = monthrange(year, number)[1]
        day = self.day_of_month if self.day_of_month is not None else 1
        if day > length:
            return date(year, number, length) + _DAY
        return date(year, number, day if day > 0 else max(day + length, 1))

    def _cut_before(self, moment: datetime, zone: Zone) -> datetime:
        """The cut that the period is called by. Up to the first one ever, that is the next cut, not the last one: there
        nlbwmon divides a negative number, and C rounds that up.
        """
        if self.days is None:
            raise ValueError("only periods of N days are cut")
        base, length = self._base(zone), self.days * _DAY
        midnight = moment - (moment - _EPOCH) % _DAY
        last = base + (midnight - base) // length * length
        return last + length if moment < base and last < midnight else last

    def _base(self, zone: Zone) -> datetime:
        """The first cut: the anchor's midnight, put back to 00:00 UTC."""
        if self.anchor is None:
            raise ValueError("only periods of N days have an anchor")
        base = zone.midnight(self.anchor)
        return base - (base - _EPOCH) % _DAY


def current_period(rule: PeriodRule, moment: datetime, zone: Zone, listed: Sequence[date] = ()) -> AccountingPeriod:
    """The running period. The newest start on the router's list is believed where it lies in the right span."""
    worked_out = rule.period_at(moment, zone)
    newest = max(listed, default=None)
    if newest is not None and worked_out.start < newest <= zone.day_of(moment):
        return AccountingPeriod(newest, max(newest, worked_out.end))
    return worked_out


def _month_index(day: date) -> int:
    return day.year * 12 + day.month - 1


def _year_and_month(index: int) -> tuple[int, int]:
    return index // 12, index % 12 + 1
