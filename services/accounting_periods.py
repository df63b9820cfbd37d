"""nlbwmon's accounting periods: which one is running, when it began, when it ends. Pure.

`nlbw -c list` is empty from a rollover until the next commit, so the start is worked out from the setting
`database_interval` and the router's own date; the list only confirms.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

#: OpenWrt's default: periods begin on the first day of the month.
DEFAULT_INTERVAL = "1"


class AccountingPeriod(NamedTuple):
    """First and last day of a period, both included."""

    start: date
    end: date


@dataclass(frozen=True)
class PeriodRule:
    """A parsed `database_interval`: day N of the month, or every ``days`` from ``anchor``."""

    day_of_month: int | None = None
    anchor: date | None = None
    days: int | None = None

    @classmethod
    def parse(cls, setting: str | None) -> "PeriodRule":
        """``"1"`` … ``"31"`` or ``"2026-11-01/7"``; nlbwmon's default where the setting can't be read."""
        text = (setting or DEFAULT_INTERVAL).strip()
        if re.fullmatch(r"\d{1,2}", text) and 1 <= int(text) <= 31:
            return cls(day_of_month=int(text))
        if match := re.fullmatch(r"(\d{4}-\d{2}-\d{2})/(\d{1,5})", text):
            try:
                anchor, days = date.fromisoformat(match[1]), int(match[2])
            except ValueError:
                days = 0
            if days > 0:
                return cls(anchor=anchor, days=days)
        return cls(day_of_month=1)

    def period_of(self, day: date) -> AccountingPeriod:
        """The period that ``day`` lies in."""
        if self.anchor is not None and self.days is not None:
            start = day - timedelta(days=(day - self.anchor).days % self.days)
            return AccountingPeriod(start, start + timedelta(days=self.days - 1))
        start = self._start_in_month(day.year, day.month)
        if start > day:
            start = self._start_in_month(*_month_before(day.year, day.month))
        following = self._start_in_month(*_month_after(start.year, start.month))
        return AccountingPeriod(start, following - timedelta(days=1))

    def starts_between(self, after: date, before: date) -> list[date]:
        """Starts of the periods that began after ``after`` and before ``before``."""
        starts = []
        start = self.period_of(before - timedelta(days=1)).start
        while start > after:
            starts.append(start)
            start = self.period_of(start - timedelta(days=1)).start
        return starts[::-1]

    def _start_in_month(self, year: int, month: int) -> date:
        """A day that the month doesn't have falls back to its last one."""
        return date(year, month, min(self.day_of_month or 1, monthrange(year, month)[1]))


def current_period(rule: PeriodRule, today: date, listed: Sequence[date] = ()) -> AccountingPeriod:
    """The running period. The newest start on the router's list is believed where it lies in the right span."""
    worked_out = rule.period_of(today)
    newest = max(listed, default=None)
    if newest is not None and worked_out.start < newest <= today:
        return AccountingPeriod(newest, max(newest, worked_out.end))
    return worked_out


def _month_before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, 12) if month == 1 else (year, month - 1)


def _month_after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)
