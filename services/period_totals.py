"""Totals of accounting periods that are over, as they are stored: from archives of before monitoring, and of periods
that ended since.

They take a transaction that the caller has opened: the back-fill one an archive, the store that of the reading which
found the period over, `given_up_bases` that in which it gives one up. Nothing here asks a router.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from db_operations import devices_db, events_db, periods_db, protocols_db, readings_db
from db_operations.events_db import EventRecord
from db_operations.periods_db import NamedPeriod, PeriodState
from db_operations.readings_db import ReadingRecord
from db_operations.statements import Connection
from services.accounting.counters import index_rows
from services.accounting.notes import NoteKind, Quality
from services.accounting.periods import AccountingPeriod, PeriodRule
from services.accounting.quarantine import IMPLAUSIBLE_RATE
from services.accounting.usage import UsagePart
from services.buckets import Span
from services.readings.past_periods import FinishedPeriod
from services.readings.protocol_rollups import protocol_batches, protocol_names
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import CounterTable, DeviceTotals, parse_nlbw_json
from utils.time import Zone

_HALF_DAY = timedelta(hours=12)


def store_archive(
    conn: Connection,
    owner: tuple[str, str],
    period: NamedPeriod,
    archive: CounterTable,
    *,
    zone: Zone,
    router_zone: Zone,
    most_a_day: int = IMPLAUSIBLE_RATE * 86_400,
) -> bool:
    """Store what an archive from before monitoring holds; False where it was stored, or the router deleted, already.

    ``owner``: session and router. ``zone``: days are shown in it; ``router_zone``: periods are named in it.
    ``most_a_day``: bytes; a row with more is no usage of a day, as the accounting would see it.
    """
    if not periods_db.hold_router(conn, *owner):
        return False
    if not periods_db.complete_pending_period(conn, *owner, start=period.start):
        return False
    periods_db.upsert_period_totals(conn, *owner, period, archive.totals, is_final=True)
    macs = sorted(archive.totals.keys() - {ZERO_MAC})
    devices_db.insert_devices_unless_there(conn, *owner, macs, first_seen=zone.midnight(period.start))
    if period.start == period.end:
        _fill_day(conn, owner, period, archive, _day_of(period.start, zone, router_zone), zone, most_a_day)
    return True


def record_finished_periods(conn: Connection, owner: tuple[str, str], finished: Iterable[FinishedPeriod]) -> None:
    """Keep the totals of periods that are over, in the transaction of the reading that found them so.

    An archive's totals take the place of the partial ones stored at a first reading. Where there is no archive, those
    of the last stored reading are the least that is known: call this before the new reading takes its place.
    """
    for period, name, totals in finished:
        named = NamedPeriod(*period, name)
        if totals is not None:
            periods_db.upsert_period_totals(conn, *owner, named, totals, is_final=True)
            state = PeriodState.COMPLETE
        else:
            periods_db.upsert_period_totals(conn, *owner, named, _last_seen(conn, owner, period), is_final=False)
            is_known = periods_db.has_period_totals(conn, *owner, start=period.start)
            state = PeriodState.PARTIAL if is_known else PeriodState.MISSING
        periods_db.upsert_period(conn, *owner, named, state=state)


def keep_what_was_seen(conn: Connection, owner: tuple[str, str], base: ReadingRecord) -> None:
    """Keep what a reading that is given up saw of its period: at least so much was used in it."""
    if base.period_start not in base.doubted:
        period = NamedPeriod(base.period_start, base.period_end, base.period_name or str(base.period_start))
        periods_db.upsert_period_totals(conn, *owner, period, parse_nlbw_json(base.usage_json).totals, is_final=False)


def _last_seen(conn: Connection, owner: tuple[str, str], period: AccountingPeriod) -> Mapping[str, DeviceTotals]:
    """The totals of the last stored reading, if it is of this period."""
    last = readings_db.get_last_reading(conn, *owner)
    return parse_nlbw_json(last.usage_json).totals if last and last.period_start == period.start else {}


def _fill_day(
    conn: Connection,
    owner: tuple[str, str],
    period: NamedPeriod,
    archive: CounterTable,
    day: date,
    zone: Zone,
    most_a_day: int,
) -> None:
    """Fill the history of a day before the first reading's, and say so beside it."""
    first_reading_at = periods_db.get_first_reading_at(conn, *owner)
    if first_reading_at is None or day >= zone.day_of(first_reading_at):
        return
    if filled := periods_db.fill_day_from_period(conn, *owner, start=period.start, day=day, most=most_a_day):
        midnights = Span(zone.midnight(day), zone.midnight(day + timedelta(days=1)))
        left_out = archive.totals.keys() - set(filled)
        whole_day = UsagePart(rows=index_rows(archive.rows), span=midnights)
        for protocols in protocol_batches([whole_day], left_out, zone, protocol_names([archive.rows])):
            protocols_db.add_to_protocols(conn, *owner, protocols)
        message = (
            f"From before monitoring: what this day shows is the router's own archive of {period.name}. Such an "
            "archive runs from 00:00 UTC to 00:00 UTC, so that usage around midnight may belong to the day beside."
        )
        event = EventRecord(
            type=NoteKind.BACKFILLED,
            start_at=midnights.start,
            end_at=midnights.end,
            quality=Quality.ESTIMATED,
            message=message,
        )
        events_db.insert_event(conn, *owner, event)


def _day_of(start: date, zone: Zone, router_zone: Zone) -> date:
    """The day most of a period of one day lies in. It is cut at 00:00 UTC and named by the local date at its cut: west
    of Greenwich that is the evening before."""
    began = PeriodRule(anchor=start, days=1).began_at(start, router_zone)
    return zone.day_of(began + _HALF_DAY)
