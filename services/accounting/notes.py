"""What an accounting step noticed besides bytes, in words for a person; how far usage is to be trusted. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.accounting.counters import Table
from services.buckets import Span
from utils.time import iso
from utils.units import readable_bytes


class Quality(StrEnum):
    """How far usage is to be trusted, from best to worst."""

    #: Counted by the router between two readings.
    MEASURED = "measured"
    #: Exact, and worked out with the router's older files.
    RECOVERED = "recovered"
    #: Exact in sum, spread evenly over a longer time.
    ESTIMATED = "estimated"
    #: At least so much: a part of what was used could not be seen.
    UNKNOWN = "unknown"


#: Their order, for "the worst of".
RANK = {quality: rank for rank, quality in enumerate(Quality)}


class NoteKind(StrEnum):
    """What a note is about: the `type` of an event."""

    FIRST_READING = "first_reading"
    ROLLOVER = "rollover"
    ARCHIVE_MISSING = "archive_missing"
    ROUTER_RESTARTED = "router_restarted"
    DAEMON_RESTARTED = "daemon_restarted"
    COUNTERS_WENT_BACK = "counters_went_back"
    ROWS_EVICTED = "rows_evicted"
    IMPLAUSIBLE = "implausible"
    FROZEN = "frozen"
    LONG_INTERVAL = "long_interval"
    GAP = "gap"
    #: More raw rows than a day of one router may have. Nothing else is missing.
    RAW_ROWS_LEFT_OUT = "raw_rows_left_out"
    RECOVERED = "recovered"
    #: A day from before monitoring, out of the router's archive of it.
    BACKFILLED = "backfilled"


#: What goes on from reading to reading is one event that grows, not one a reading.
EXTENDING = {NoteKind.FROZEN, NoteKind.ROWS_EVICTED, NoteKind.IMPLAUSIBLE, NoteKind.RAW_ROWS_LEFT_OUT}


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing noticed, about a span of time."""

    kind: NoteKind
    message: str
    start: datetime
    end: datetime
    #: What it means for the usage of that span; None: nothing.
    quality: Quality | None = None

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


def first_reading(at: datetime, period_start: date) -> Note:
    message = (
        f"First reading: usage is counted from here on. What the router counted before it, since {period_start}, "
        "is added to no hour or day."
    )
    return Note(kind=NoteKind.FIRST_READING, message=message, start=at, end=at)


def rollover(at: datetime, period_start: date) -> Note:
    message = f"The router's accounting period of {period_start} ended, and its counters began again at zero."
    return Note(kind=NoteKind.ROLLOVER, message=message, start=at, end=at)


def archive_recovered(span: Span, period_start: date) -> Note:
    message = f"Usage up to the end of the accounting period of {period_start} was taken from the router's archive."
    return _about(span, NoteKind.RECOVERED, message, Quality.RECOVERED)


def archives_missing(span: Span, starts: Sequence[date]) -> Note:
    """``starts``: of the periods that ended one after another and have no archive."""
    if len(starts) == 1:
        whose, them = f"archive of its accounting period of {starts[0]}", "it"
    else:
        whose, them = f"archives of its {len(starts)} accounting periods of {starts[0]} to {starts[-1]}", "them"
    message = f"The router has no {whose} that can be read: what was used in {them} after the last reading is unknown."
    return _about(span, NoteKind.ARCHIVE_MISSING, message, Quality.UNKNOWN)


def router_restarted(at: datetime) -> Note:
    message = "The router restarted."
    return Note(kind=NoteKind.ROUTER_RESTARTED, message=message, start=at, end=at)


def daemon_restarted(at: datetime) -> Note:
    message = "nlbwmon restarted on the router."
    return Note(kind=NoteKind.DAEMON_RESTARTED, message=message, start=at, end=at)


def gap_before_restart(span: Span, what: str) -> Note:
    message = f"What was used between the last reading and the start of {what}, and not saved, is unknown."
    return _about(span, NoteKind.GAP, message, Quality.UNKNOWN)


def another_host_key(span: Span) -> Note:
    message = (
        "Another host key was accepted: behind it there may be another router, so what was used since the last "
        "reading is unknown."
    )
    return _about(span, NoteKind.GAP, message, Quality.UNKNOWN)


def server_clock_was_ahead(span: Span, read_at: datetime) -> Note:
    message = (
        f"This server's clock was ahead when it stamped the reading of {iso(read_at)}: what was used since the last "
        "reading before now, and is not among the usage stored with too late a time, is unknown."
    )
    return _about(span, NoteKind.GAP, message, Quality.UNKNOWN)


def file_unreadable(span: Span) -> Note:
    message = (
        "What nlbwmon came back with can't be told, as the router could not read out the file of it: what was used "
        "since the last reading is unknown, and counted from here on."
    )
    return _about(span, NoteKind.GAP, message, Quality.UNKNOWN)


def saved_recovered(span: Span) -> Note:
    message = "The router had saved its counters after the last reading: usage up to there was taken from its file."
    return _about(span, NoteKind.RECOVERED, message, Quality.RECOVERED)


def restored_from_unknown(span: Span) -> Note:
    message = (
        "What the router came back with after the restart can't be told for certain (a file was written anew or is "
        "gone, or its table is full): at least so much was used."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def restored_from_copy(span: Span) -> Note:
    message = (
        "nlbwmon came back from a copy that may be some seconds older than the last reading: at least so much was used."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def started_from_zero(span: Span) -> Note:
    message = (
        "nlbwmon started from zero after the restart (its database is in RAM, or its clock was wrong at first): "
        "at least so much was used."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def went_back(span: Span, rows: int) -> Note:
    message = f"{rows} counter(s) went back although no restart was seen; what was used in them is unknown."
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def restored_unseen(span: Span, rows: int) -> Note:
    message = (
        f"{rows} counter(s) went back to what the router had saved last: it lost its memory, and doesn't say when. "
        "What came on top of that was counted."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def clock_was_set(span: Span) -> Note:
    message = (
        "The router's clock, time zone or database_interval was changed, so that its files may have the names of other "
        "accounting periods: at least so much was used."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def archive_overwritten(span: Span, period_start: date) -> Note:
    message = (
        f"The router's file of its accounting period of {period_start} is not its archive (the router's clock was "
        "set): what was used in that period after the last reading is unknown."
    )
    return _about(span, NoteKind.ARCHIVE_MISSING, message, Quality.UNKNOWN)


def carried_over(span: Span) -> Note:
    message = "nlbwmon may have taken an ended period's counters along into the next one: at least so much was used."
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def booted_with_doubtful_clock(span: Span) -> Note:
    message = (
        "The router's clock may have been wrong after its start, and what nlbwmon counted by then may be in another "
        "period's file: at least so much was used."
    )
    return _about(span, NoteKind.COUNTERS_WENT_BACK, message, Quality.UNKNOWN)


def rows_evicted(span: Span, rows: int) -> Note:
    how_many = f"{rows} row(s) were" if rows else "Its table is full, so that rows may have been"
    message = f"{how_many} overwritten by nlbwmon before they were read (database_limit): at least so much was used."
    return _about(span, NoteKind.ROWS_EVICTED, message, Quality.UNKNOWN)


def raw_rows_left_out(span: Span, most_a_day: int) -> Note:
    message = (
        f"The raw rows of these readings were not kept, as one router may have {most_a_day:,} a day: the raw export "
        "lacks them. Usage by hour and day is complete."
    )
    return Note(kind=NoteKind.RAW_ROWS_LEFT_OUT, message=message, start=span.start, end=span.end)


def implausible(span: Span, rows: Table) -> Note:
    by_mac: Counter[str] = Counter()
    for key, counters in rows.items():
        by_mac[key[3]] += sum(counters)
    (mac, amount), *others = by_mac.most_common()
    of = f"{readable_bytes(amount)} of {mac}" + (f", and of {len(others)} more device(s)" if others else "")
    message = f"{len(rows)} row(s) grew faster than any link could carry, or passed 2^63; they were not counted ({of})."
    return _about(span, NoteKind.IMPLAUSIBLE, message, Quality.UNKNOWN)


def frozen(span: Span, readings: int) -> Note:
    message = (
        f"No counter has moved for {readings} readings although devices are active: nlbwmon is not counting. "
        "What was used is unknown."
    )
    return _about(span, NoteKind.FROZEN, message, Quality.UNKNOWN)


def long_interval(span: Span) -> Note:
    hours = (span.end - span.start).total_seconds() / 3600
    length = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
    message = f"No reading for {length}. The usage is exact in sum and spread evenly over them."
    return _about(span, NoteKind.LONG_INTERVAL, message, Quality.ESTIMATED)


def _about(span: Span, kind: NoteKind, message: str, quality: Quality) -> Note:
    return Note(kind=kind, message=message, start=span.start, end=span.end, quality=quality)
