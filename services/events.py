"""What happened to a router's counters, for people: restarts, rollovers, gaps, jumps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db_operations import devices_db, events_db
from db_operations.database import Database
from db_operations.events_db import EventRecord
from services.context import RouterContext
from services.device_usage_service import display_name
from services.history_range import zone_of
from utils.errors import ValidationFailed
from utils.time import Clock, Zone

#: What is shown where no first day is given, in days.
DEFAULT_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, and what its device is called; both None where it concerns the router as a whole."""

    record: EventRecord
    device_name: str | None


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """One page of a router's events, the latest first."""

    start_date: date
    end_date: date
    zone: Zone
    events: Sequence[Event]
    #: On all pages.
    total: int


class EventService:
    """Events of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list_events(
        self,
        context: RouterContext,
        *,
        start_date: date | None,
        end_date: date | None,
        types: Sequence[str] | None,
        mac: str | None,
        page: int,
        page_size: int,
    ) -> EventPage:
        """Those that touch a range of local days, 30 days up to today by default. Raises RouterNotFound."""
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            last = end_date or max(zone.day_of(self._clock()), start_date or date.min)
            first = start_date or last - timedelta(days=DEFAULT_DAYS - 1)
            if first > last:
                message = f"startDate is after endDate ({last.isoformat()})"
                raise ValidationFailed(f"The request can't be used: {message}.", details={"startDate": [message]})
            start, end = zone.midnight(first), zone.midnight(last + timedelta(days=1))
            total = events_db.count_events(conn, *owner, start=start, end=end, types=types, mac=mac)
            records = events_db.list_events(
                conn,
                *owner,
                start=start,
                end=end,
                types=types,
                mac=mac,
                limit=page_size,
                offset=(page - 1) * page_size,
            )
            names = {}
            for address in {record.device_mac for record in records if record.device_mac}:
                names[address] = display_name(address, devices_db.get_device_by_mac(conn, *owner, address))
        return EventPage(
            start_date=first,
            end_date=last,
            zone=zone,
            events=[Event(record=record, device_name=names.get(record.device_mac or "")) for record in records],
            total=total,
        )
