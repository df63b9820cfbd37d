"""What /api/device-usage/report takes and gives."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from endpoints.anomalies_schemas import AnomalyOut
from endpoints.common_schemas import Body, IsoDate, Out
from endpoints.comparison_schemas import ComparedPeriodOut, ComparisonOut, comparison_out
from endpoints.device_usage_schemas import BucketOut, NamedOut, Reasons, SpanOut, UsageOut, UsageQuality, usage_out
from services.buckets import Granularity
from services.history_range import BucketUsage
from services.reports.report_period import ReportPeriod, ReportRequest
from services.reports.reports import PeriodReport
from utils.errors import ValidationFailed
from utils.nlbwmon_parser import DeviceTotals

#: Beside the JSON that the document has of `ReportOut`.
AS_PDF: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {
        "description": "the report, as JSON in the usual envelope or as a PDF file",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ReportIn(Body):
    period: Annotated[ReportPeriod, Field(strict=False)]  # JSON has no enumerations, so a text stands for one
    format: Literal["json", "pdf"] = "json"
    start_date: IsoDate | None = Field(
        default=None, description="first local day, with the period range alone; at most 1,100 days"
    )
    end_date: IsoDate | None = Field(
        default=None,
        description="last local day of the period; today, so far, if left out. A week has 7 days; a month ends the "
        "day before the same one of the next, so that of a month's last day is the whole month",
    )

    def request(self) -> ReportRequest:
        """What is asked for, for the service. Raises ValidationFailed."""
        if self.period is ReportPeriod.RANGE:
            dates = {"startDate": self.start_date, "endDate": self.end_date}
            wrong = {name: ["is missing; a range has both"] for name, day in dates.items() if day is None}
        else:
            wrong = {} if self.start_date is None else {"startDate": ["belongs to the period range alone"]}
        if wrong:
            raise ValidationFailed(f"The request has a value that can't be used: {', '.join(wrong)}.", details=wrong)
        return ReportRequest(period=self.period, start_date=self.start_date, end_date=self.end_date)


class ReportedDeviceOut(UsageOut, NamedOut):
    percentage: Annotated[float, Field(ge=0, le=100)]


class ReportedPersonOut(UsageOut):
    person: str = Field(description="nobody: what is no one's, the router and unresolved hosts too")
    is_nobody: bool
    devices: list[str] = Field(description="MACs, those that used most first; only those with usage")


class ReportOut(Out):
    period: ReportPeriod
    start_date: date
    end_date: date
    timezone: str
    router_name: str
    made_at: datetime
    highlights: list[str] = Field(description="the most important in sentences")
    usage: ComparedPeriodOut
    quality: UsageQuality
    reasons: Reasons
    comparison: ComparisonOut = Field(description="with the period before, up to the same point in time")
    granularity: Granularity = Field(description="of the buckets")
    buckets: list[BucketOut] = Field(description="all devices together, as in a history")
    typical_day: list[int | None] = Field(
        description="bytes in each local hour, on average over the observed ones: 24, or none for less than 3 days "
        "or more than 62"
    )
    top_devices: list[ReportedDeviceOut]
    people: list[ReportedPersonOut] = Field(description="those who used most first; none where no device is anybody's")
    anomalies: list[AnomalyOut] = Field(description="the most unusual first")
    gaps: list[SpanOut] = Field(description="what nobody observed, in order of time")


def _usage(usage: BucketUsage) -> dict[str, int | None]:
    down, up = usage
    return usage_out(None if down is None or up is None else DeviceTotals(down, up)).model_dump()


def report_view(report: PeriodReport) -> ReportOut:
    told, names = report.told, report.names
    return ReportOut(
        period=report.period,
        start_date=report.days.days.first,
        end_date=report.days.days.last,
        timezone=report.zone.key,
        router_name=report.router_name,
        made_at=report.made_at,
        highlights=list(told.highlights),
        usage=ComparedPeriodOut.of(told.period, told.comparison.total.after),
        quality=report.trust.quality,
        reasons=list(report.trust.reasons),
        comparison=comparison_out(
            told.previous,
            told.period,
            told.comparison,
            timezone=report.zone.key,
            names=names,
            router_macs=report.router_macs,
        ),
        granularity=report.granularity,
        buckets=[
            BucketOut(
                start=one.bucket.span.start,
                end=one.bucket.span.end,
                **_usage(one.usage),
                coverage=one.coverage,
                quality=one.trust.quality,
                reasons=list(one.trust.reasons),
            )
            for one in report.chart
        ],
        typical_day=list(report.typical_day),
        top_devices=[
            ReportedDeviceOut(
                mac=device.mac,
                name=names.get(device.mac, device.mac),
                bytes_down=device.bytes_down,
                bytes_up=device.bytes_up,
                total_bytes=device.bytes_down + device.bytes_up,
                percentage=device.percentage,
            )
            for device in told.top_devices
        ],
        people=[
            ReportedPersonOut(
                person=person.name,
                is_nobody=person.is_nobody,
                bytes_down=person.bytes_down,
                bytes_up=person.bytes_up,
                total_bytes=person.bytes_down + person.bytes_up,
                devices=[device.mac for device in person.devices if device.bytes_down or device.bytes_up],
            )
            for person in report.people
        ],
        anomalies=[AnomalyOut.of(mac, anomaly, names) for mac, anomaly in told.anomalies],
        gaps=[SpanOut(start=gap.start, end=gap.end) for gap in report.gaps],
    )
