"""What happened to a router's counters and devices, for people: restarts, gaps, jumps; who came, went and returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db_operations import events_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.events_db import EventRecord
from services.context import RouterContext
from services.device_usage_service import display_name
from services.devices.merged_devices import shown_as
from services.history_range import devices_by_mac, zone_of
from utils.errors import ValidationFailed
from utils.time import Clock, Zone

#: What is shown where no first day is given, in days.
DEFAULT_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, its device as it is shown and what that is called; both None where it concerns the whole router."""

    record: EventRecord
    mac: str | None
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
        with self._database.reading() as conn:
            zone = zone_of(conn, context)
            last = end_date or max(zone.day_of(self._clock()), start_date or date.min)
            first = start_date or last - timedelta(days=DEFAULT_DAYS - 1)
            if first > last:
                message = f"startDate is after endDate ({last.isoformat()})"
                raise ValidationFailed(f"The request can't be used: {message}.", details={"startDate": [message]})
            start, end = zone.midnight(first), zone.midnight(last + timedelta(days=1))
            known = devices_by_mac(conn, context)
            macs = None if mac is None else _macs_of(mac, known)
            total = events_db.count_events(conn, *owner, start=start, end=end, types=types, macs=macs)
            records = events_db.list_events(
                conn,
                *owner,
                start=start,
                end=end,
                types=types,
                macs=macs,
                limit=page_size,
                offset=(page - 1) * page_size,
            )
        return EventPage(
            start_date=first,
            end_date=last,
            zone=zone,
            events=[_event(record, known) for record in records],
            total=total,
        )


def _event(record: EventRecord, known: Mapping[str, DeviceRecord]) -> Event:
    if record.device_mac is None:
        return Event(record=record, mac=None, device_name=None)
    mac = shown_as(record.device_mac, known)
    return Event(record=record, mac=mac, device_name=display_name(mac, known.get(mac)))


def _macs_of(mac: str, known: Mapping[str, DeviceRecord]) -> Sequence[str]:
    device = known.get(shown_as(mac, known))
    return device.macs if device else (mac,)
