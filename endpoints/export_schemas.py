"""What /api/device-usage/export takes, and what its JSON has."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from endpoints.common_schemas import IsoDate, Mac, Out, RouterQuery
from endpoints.device_usage_schemas import NamedOut, UsageOut
from services.buckets import Granularity
from services.device_usage_export import ExportRequest


class ExportedGranularity(StrEnum):
    """What a row of an export is."""

    HOUR = "hour"
    DAY = "day"


class ExportQuery(RouterQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    granularity: ExportedGranularity = ExportedGranularity.DAY
    mac: Mac | None = Field(default=None, description="one device; all, if left out")

    def request(self) -> ExportRequest:
        """What is asked for, for the service."""
        return ExportRequest(
            start_date=self.start_date,
            end_date=self.end_date,
            granularity=Granularity(self.granularity),
            mac=self.mac,
        )


class CsvQuery(ExportQuery):
    bom: bool = Field(default=False, description="begin with a byte order mark, by which Excel knows UTF-8")


class ExportedRowOut(UsageOut, NamedOut):
    start: datetime
    end: datetime


class ExportOut(Out):
    rows: list[ExportedRowOut] = Field(description="by time and MAC; only where there was usage")
