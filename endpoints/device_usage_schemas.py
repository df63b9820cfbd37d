"""What /api/device-usage takes and gives. Validation and the OpenAPI document come from the same classes."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from endpoints.common_schemas import Bytes, IsoDate, NullableBytes, Out, PageQuery, RouterQuery, Share, Warned
from services.accounting.notes import Quality
from services.buckets import Granularity
from services.usage_summary import Period
from utils.nlbwmon_parser import DeviceTotals

# --- query strings ---------------------------------------------------------------------------------------


def _printable(value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise ValueError("must not have control characters")
    return value


SearchText = Annotated[str, Field(max_length=255), AfterValidator(_printable)]


class HistoryRangeQuery(RouterQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    granularity: Granularity = Granularity.DAY


class HistoryQuery(HistoryRangeQuery, PageQuery):
    """A range of days, and which page of its devices."""


class SummaryQuery(RouterQuery):
    period: Period = Period.LAST_7_DAYS
    top: int = Field(default=10, ge=1, le=100)


# --- answers ---------------------------------------------------------------------------------------------


class UsageOut(Out):
    bytes_down: Bytes
    bytes_up: Bytes
    total_bytes: Bytes


class NamedOut(Out):
    mac: str
    name: str


class PeriodOut(Out):
    start: date
    end: date


class CurrentDeviceOut(UsageOut, NamedOut):
    rate_down: int | None = Field(description="bit/s over the last interval")
    rate_up: int | None = Field(description="bit/s over the last interval")
    is_router: bool
    is_unresolved: bool = Field(description="hosts whose MAC nlbwmon could not look up, together")


class TotalBandwidthOut(Out):
    download: Bytes
    upload: Bytes
    total: Bytes


class NowOut(Out):
    """When and how it was read."""

    timestamp: datetime
    source: Literal["live", "stored"]
    stale: bool
    period: PeriodOut = Field(description="nlbwmon's accounting period, local days")
    warning: Warned | None = None


class CurrentOut(NowOut):
    devices: list[CurrentDeviceOut]
    total_bandwidth: TotalBandwidthOut


class ProtocolOut(Out):
    name: str
    bytes_down: Bytes
    bytes_up: Bytes
    connections: int


class DeviceCurrentOut(CurrentDeviceOut, NowOut):
    protocols: list[ProtocolOut]


class UsageOrNothingOut(Out):
    bytes_down: NullableBytes
    bytes_up: NullableBytes
    total_bytes: NullableBytes


def usage_out(totals: DeviceTotals | None) -> UsageOrNothingOut:
    """Null where nothing was observed, never 0."""
    if totals is None:
        return UsageOrNothingOut(bytes_down=None, bytes_up=None, total_bytes=None)
    down, up = totals
    return UsageOrNothingOut(bytes_down=down, bytes_up=up, total_bytes=down + up)


class SpanOut(Out):
    start: datetime
    end: datetime


UsageQuality = Annotated[
    Quality | None,
    Field(
        description="how far it is to be trusted, the worst of its time: measured; recovered from the router's files; "
        "estimated: exact in sum, spread evenly; unknown: at least so much. null where nothing is known"
    ),
]
Reasons = Annotated[list[str], Field(description="types of the events behind the quality, as in /events")]


class BucketOut(UsageOrNothingOut, SpanOut):
    coverage: Share
    quality: UsageQuality
    reasons: Reasons


class DeviceHistoryOut(UsageOut, NamedOut):
    is_router: bool
    is_unresolved: bool
    buckets: list[UsageOrNothingOut] = Field(description="in the order of the history's own buckets")


class RangeOut(Out):
    granularity: Granularity
    timezone: str
    start_date: date
    end_date: date
    totals: UsageOrNothingOut
    coverage: Share
    quality: UsageQuality
    reasons: Reasons
    buckets: list[BucketOut]


class HistoryOut(RangeOut):
    devices: list[DeviceHistoryOut]


class OneDeviceHistoryOut(RangeOut, NamedOut):
    """A history without ``devices``."""


class TopDeviceOut(NamedOut):
    usage: Bytes
    percentage: Annotated[float, Field(ge=0, le=100)]


class TrendsOut(Out):
    increasing: list[str]
    stable: list[str]
    decreasing: list[str]


class SummaryOut(Out):
    period: Period
    start: datetime
    end: datetime
    total_usage: NullableBytes
    average_daily: int | None = Field(description="bytes per observed day")
    top_devices: list[TopDeviceOut]
    usage_trends: TrendsOut
    coverage: Share
    quality: UsageQuality
    reasons: Reasons


class RefreshOut(Out):
    timestamp: datetime
    devices: int
    new_devices: list[str] = Field(description="MACs never seen before")
    bytes_down: Bytes
    bytes_up: Bytes
    duration_ms: int
    notes: list[str] = Field(description="what the accounting noticed, in words")


class CollectorOut(Out):
    running: bool
    interval_minutes: int
    next_run_at: datetime | None


class RouterErrorOut(Out):
    at: datetime
    code: str
    message: str


class RouterStatusOut(Out):
    reachable: bool | None = Field(description="null before the first attempt")
    last_success_at: datetime | None
    last_error: RouterErrorOut | None
    consecutive_failures: int


class NlbwmonOut(Out):
    running: bool | None = Field(description="null where it isn't known")
    database_interval: str | None
    last_commit: datetime | None = Field(
        description="when nlbwmon last wrote the running accounting period's file, as of the last reading; "
        "null where it isn't known"
    )


class StorageOut(Out):
    snapshots: int = Field(description="stored rows: a device in a reading")
    oldest: datetime | None
    newest: datetime | None


class StatusWarningOut(Warned):
    fix: str | None = None


class StatusOut(Out):
    collector: CollectorOut
    router: RouterStatusOut
    nlbwmon: NlbwmonOut
    storage: StorageOut
    coverage24h: Share = Field(alias="coverage24h")
    warnings: list[StatusWarningOut]
