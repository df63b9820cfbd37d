"""Giving up the base, the stored reading that usage is counted from, where the next reading can't start from it.

The next reading is a first one then, and a gap says what is unknown; it lasts until that reading, whose storing
(services/readings/reading_store.py) says so. Host keys and the collector call it.
"""

import logging
from datetime import datetime

from db_operations import events_db, periods_db, readings_db, routers_db, snapshots_db
from db_operations.database import Database
from db_operations.events_db import EventRecord
from db_operations.routers_db import RouterRecord
from db_operations.statements import Connection
from services.accounting import notes
from services.accounting.notes import Note
from services.buckets import Span
from services.context import RouterContext
from services.period_totals import keep_what_was_seen

logger = logging.getLogger(__name__)


def give_up_replaced_base(conn: Connection, context: RouterContext, at: datetime) -> None:
    """Behind another host key there may be other counters than those that the stored reading is the base of.

    What was used since that one, up to ``at`` and later, is unknown. Archives that were still to be read are given up
    too: the router that answers now has others under their names.
    """
    owner = (context.session_id, context.router_id)
    pending = periods_db.list_pending_periods(conn, *owner)
    periods_db.give_up_pending_periods(conn, *owner, [period.start for period in pending])
    read_at = _give_up(conn, owner)
    if read_at is not None:
        _store_gap(conn, owner, notes.another_host_key(Span(read_at, max(read_at, at))))


def give_up_base_ahead(database: Database, router: RouterRecord, at: datetime) -> None:
    """No reading can follow one that is stamped ahead of ``at``, by a clock that was wrong.

    Usage that was stored with it stays where it is. Observed is what lies before the last reading that was stamped
    with a time before ``at``.
    """
    owner = (router.session_id, router.id)
    with database.transaction() as conn:
        current = routers_db.lock_router(conn, *owner)
        if current is None or current.last_success_at != router.last_success_at:
            return  # another process was quicker
        read_at = _give_up(conn, owner)
        observed_until = snapshots_db.get_last_snapshot_at(conn, *owner, until=at) or at
        readings_db.end_coverage(conn, *owner, at=observed_until)
        if read_at is not None:
            _store_gap(conn, owner, notes.server_clock_was_ahead(Span(observed_until, at), read_at))
    logger.warning("router %s: its last reading, stamped %s, is given up: this clock was ahead", router.id, read_at)


def _give_up(conn: Connection, owner: tuple[str, str]) -> datetime | None:
    """When the base was read; None without one."""
    base = readings_db.delete_last_reading(conn, *owner)
    if base is not None:
        keep_what_was_seen(conn, owner, base)
    routers_db.forget_last_success(conn, *owner)
    return base.read_at if base else None


def _store_gap(conn: Connection, owner: tuple[str, str], gap: Note) -> None:
    event = EventRecord(type=gap.kind, start_at=gap.start, end_at=gap.end, message=gap.message, quality=gap.quality)
    events_db.insert_event(conn, *owner, event)
