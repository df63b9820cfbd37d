"""What /api/device-usage/export takes, and what its JSON has."""

from datetime import date, datetime

from pydantic import Field

from endpoints.common_schemas import IsoDate, Mac, NullableBytes, Out, RouterQuery
from endpoints.device_usage_schemas import NamedOut, SpanOut, UsageOrNothingOut, UsageOut
from services.export_selection import ExportedGranularity, ExportRequest, UsageSelection


class ExportQuery(RouterQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    granularity: ExportedGranularity = ExportedGranularity.DAY
    mac: Mac | None = Field(default=None, description="one device; all, if left out")

    def request(self) -> ExportRequest:
        """What is asked for, for the service."""
        return ExportRequest(
            start_date=self.start_date, end_date=self.end_date, granularity=self.granularity, mac=self.mac
        )


class CsvQuery(ExportQuery):
    bom: bool = Field(default=False, description="begin with a byte order mark, by which Excel knows UTF-8")


class ExportedUsageOut(UsageOut, NamedOut, SpanOut):
    """A device in an hour, day, week or month."""


class ExportedReadingOut(UsageOrNothingOut, NamedOut):
    """A device in a reading: usage since the one before, null in a first one, and nlbwmon's totals of its period."""

    timestamp: datetime
    counter_down: NullableBytes
    counter_up: NullableBytes


class ExportOut(Out):
    granularity: ExportedGranularity
    timezone: str
    start_date: date
    end_date: date
    rows: list[ExportedUsageOut | ExportedReadingOut] = Field(
        description="by time and MAC: readings with raw, else usage where there was any"
    )


def without_rows(selection: UsageSelection) -> ExportOut:
    """All of the document but its rows, which the service writes."""
    return ExportOut(
        granularity=selection.granularity,
        timezone=selection.timezone,
        start_date=selection.days.first,
        end_date=selection.days.last,
        rows=[],
    )
