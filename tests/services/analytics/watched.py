"""The home that the tests of analytics watch: its zone, its moment, and amounts of usage."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from db_operations import readings_db
from db_operations.database import Database
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
