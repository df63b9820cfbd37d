"""Rows and readings for tests, with only what a test is about spelled out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.accounting.account import account, compare
from services.accounting.counters import Counters, Reading, RowKey
from services.accounting.notes import NoteKind
from services.accounting.restored_tables import RouterFiles
from services.accounting.usage import PassedPeriod, Usage
from services.accounting.wanted_files import wanted_files
from services.buckets import Span
from utils.nlbwmon_parser import CounterRow

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
NOVEMBER = date(2026, 11, 1)
OCTOBER = date(2026, 10, 1)
PHONE = "02:11:22:33:44:01"
LAPTOP = "02:11:22:33:44:02"


def key(mac: str = PHONE, *, port: int = 443, ip: str = "192.168.1.101") -> RowKey:
    return (6 if ":" in ip else 4, "TCP", port, mac, ip)


WEB = key()
SSH = key(port=22)
WEB6 = key(ip="fd00:1::101")
LAPTOP_WEB = key(LAPTOP, ip="192.168.1.102")


def counter_rows(counters: Mapping[RowKey, Counters]) -> list[CounterRow]:
    return [
        CounterRow(*row_key, conns=1, rx_bytes=down, rx_pkts=1, tx_bytes=up, tx_pkts=1, layer7=None)
        for row_key, (down, up) in counters.items()
    ]


def reading(
    counters: Mapping[RowKey, Counters],
    *,
    minutes: float = 0,
    period: date = NOVEMBER,
    uptime_s: float | None = None,
    boot_id: str | None = None,
    period_age_s: float | None = None,
    **more: Any,
) -> Reading:
    """A reading ``minutes`` after noon of 10 November."""
    return Reading(
        read_at=NOON + timedelta(minutes=minutes),
        period_start=period,
        rows=counter_rows(counters),
        uptime_s=uptime_s,
        boot_id=boot_id,
        period_age_s=period_age_s,
        **{"refresh_interval_s": 30, **more},
    )


def at(minutes: float) -> datetime:
    """A moment ``minutes`` after noon of 10 November."""
    return NOON + timedelta(minutes=minutes)


def passed(start: date, *, until: float) -> PassedPeriod:
    """A period that ended ``until`` minutes after noon."""
    return PassedPeriod(start=start, span=Span(NOON, at(until)))


Files = Mapping[date, Mapping[RowKey, Counters]]


def usage_between(
    previous: Reading | None,
    current: Reading,
    files: Files | None = None,
    periods: Sequence[PassedPeriod] = (),
    committed_age_s: float | None = None,
    **facts: Any,
) -> Usage:
    """The accounting of two readings. ``committed_age_s``: how old the file of the earlier one's period is; ``facts``:
    what else is known of the router's files."""
    if previous and committed_age_s is not None:
        facts["ages_s"] = {previous.period_start: committed_age_s}
    tables = {start: counter_rows(rows) for start, rows in (files or {}).items()}
    return account(compare(previous, current), current, RouterFiles(tables=tables, **facts), periods)


def kinds(usage: Usage) -> list[NoteKind]:
    return [note.kind for note in usage.notes]


def wanted(
    previous: Reading | None,
    current: Reading,
    periods: Sequence[PassedPeriod] = (),
    earlier: Sequence[date] = (),
) -> list[date]:
    """The periods whose files the accounting of two readings needs."""
    return wanted_files(compare(previous, current), periods, earlier)
