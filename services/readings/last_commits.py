"""When nlbwmon last wrote the file of its running accounting period: what a power loss would go back to. Pure.

Called by services/readings/router_readings.py; the accounting doesn't use it.
"""

from datetime import date, datetime

from db_operations.readings_db import ReadingRecord
from services.readings.router_answers import ReadAnswer
from utils.router_parser import parse_clock


def last_commit_of(
    written: str | None, previous: ReadingRecord | None, read: ReadAnswer, period_start: date
) -> datetime | None:
    """The moment by our clock. ``written``: when the file of the period that ``previous`` named was written, as the
    router told; ``period_start``: the first day of the period running now.

    None where the two aren't the same period, and for a moment outside of it: the router's clock was another one then.
    """
    moment = parse_clock(written or "")
    if moment is None or previous is None or previous.period_name != read.name_of(period_start):
        return None
    if not read.rule.began_at(period_start, read.time.zone) <= moment <= read.time.now:
        return None
    return read.time.by_server(moment)
