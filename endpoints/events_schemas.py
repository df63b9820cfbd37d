"""What /api/device-usage/events takes and gives, and how the service's answer becomes it."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from endpoints.common_schemas import IsoDate, Mac, Out, PageQuery
from services.accounting.notes import NoteKind
from services.devices.device_events import DeviceEventKind
from services.events import Event, EventPage

EVENT_TYPES = [*map(str, NoteKind), *map(str, DeviceEventKind)]


def _event_type(value: str) -> str:
    if value not in EVENT_TYPES:
        raise ValueError(f"must be one of {', '.join(EVENT_TYPES)}")
    return value


EventType = Annotated[str, AfterValidator(_event_type), Field(json_schema_extra={"enum": list(EVENT_TYPES)})]


class EventsQuery(PageQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 29 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    type: EventType | None = Field(default=None, description="only those of this type")
    mac: Mac | None = Field(default=None, description="only those of this device")


class EventOut(Out):
    at: datetime
    until: datetime = Field(description="the same as `at` for what has no length")
    type: str
    mac: str | None = Field(description="null: it concerns the router as a whole")
    name: str | None
    quality: Literal["recovered", "estimated", "unknown"] | None = Field(
        description="how far usage of that time is to be trusted; null: it says nothing of it"
    )
    message: str
    times: int = Field(description="how often from `at` to `until`, where it happened again and again; normally 1")


class EventsOut(Out):
    start_date: date
    end_date: date
    timezone: str
    events: list[EventOut] = Field(description="the latest first")


def _in_words(event: Event) -> str:
    record = event.record
    return record.message if record.times == 1 else f"{record.message} ({record.times} times, one soon after another.)"


def events_view(page: EventPage) -> EventsOut:
    return EventsOut(
        start_date=page.start_date,
        end_date=page.end_date,
        timezone=page.zone.key,
        events=[
            EventOut(
                at=event.record.start_at,
                until=event.record.end_at,
                type=event.record.type,
                mac=event.mac,
                name=event.device_name,
                quality=event.record.quality,  # type: ignore[arg-type]  # what the table's CHECK lets in
                message=_in_words(event),
                times=event.record.times,
            )
            for event in page.events
        ],
    )
