"""What /api/device-usage/export takes, and what its JSON has."""

from datetime import date, datetime

from pydantic import Field

from endpoints.common_schemas import IsoDate, Mac, NullableBytes, Out, RouterQuery
from endpoints.device_usage_schemas import NamedOut, UsageOrNothingOut
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


class ExportedRowOut(UsageOrNothingOut, NamedOut):
    """Usage is null in a first reading alone."""

    start: datetime | None = Field(default=None, description="not with raw")
    end: datetime | None = Field(default=None, description="not with raw; not included")
    timestamp: datetime | None = Field(default=None, description="of the reading; with raw alone")
    counter_down: NullableBytes = Field(default=None, description="nlbwmon's total of its period; with raw alone")
    counter_up: NullableBytes = Field(default=None, description="nlbwmon's total of its period; with raw alone")


class ExportOut(Out):
    granularity: ExportedGranularity
    timezone: str
    start_date: date
    end_date: date
    rows: list[ExportedRowOut] = Field(description="by time and MAC; only where there was usage, or with raw a reading")


def without_rows(selection: UsageSelection) -> ExportOut:
    """All of the document but its rows, which the service writes."""
    return ExportOut(
        granularity=selection.granularity,
        timezone=selection.timezone,
        start_date=selection.days.first,
        end_date=selection.days.last,
        rows=[],
    )
