"""The home that the tests of analytics watch: its zone, its moment, and amounts of usage."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from db_operations import events_db, readings_db
from db_operations.database import Database
from db_operations.events_db import EventRecord
from services.accounting.notes import long_interval
from services.buckets import Span
from services.context import RouterContext
from utils.time import parse_zone

BERLIN = parse_zone("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MB, GB = 10**6, 10**9
#: A Wednesday, 15:30 in Berlin.
NOW = datetime(2031, 11, 12, 14, 30, tzinfo=UTC)

Use = Callable[[str, datetime, int, int], None]


def cover(database: Database, context: RouterContext, start: datetime, end: datetime) -> None:
    with database.transaction() as conn:
        readings_db.insert_coverage(conn, context.session_id, context.router_id, start=start, end=end)


def spread_evenly(database: Database, context: RouterContext, start: datetime, end: datetime, times: int = 1) -> None:
    """No reading for so long (``times`` times): what is stored of that time is as much in each hour."""
    note = long_interval(Span(start, end))
    event = EventRecord(
        start_at=start, end_at=end, type=note.kind, message=note.message, quality=note.quality, times=times
    )
    with database.transaction() as conn:
        events_db.insert_event(conn, context.session_id, context.router_id, event)
