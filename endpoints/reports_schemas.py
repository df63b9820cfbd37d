"""What /api/device-usage/report takes and gives."""

from typing import Annotated, Literal

from pydantic import Field

from endpoints.analytics_schemas import AnomalyOut, ComparedPeriodOut, ComparisonOut
from endpoints.common_schemas import Body, IsoDate, Out
from endpoints.device_usage_schemas import NamedOut, UsageOut
from services.device_usage_export import NamedReport
from services.usage_analytics import ReportPeriod


class ReportIn(Body):
    period: Annotated[ReportPeriod, Field(strict=False)]  # JSON has no enumerations, so a text stands for one
    format: Literal["json"] = "json"
    end_date: IsoDate | None = Field(
        default=None,
        description="last local day of the period; today, so far, if left out. A week has 7 days; a month ends the "
        "day before the same one of the next, so that of a month's last day is the whole month",
    )


class ReportedDeviceOut(UsageOut, NamedOut):
    percentage: Annotated[float, Field(ge=0, le=100)]


class ReportOut(Out):
    period: ReportPeriod
    timezone: str
    highlights: list[str] = Field(description="the most important in sentences")
    usage: ComparedPeriodOut
    comparison: ComparisonOut = Field(description="with the period before, up to the same point in time")
    top_devices: list[ReportedDeviceOut]
    anomalies: list[AnomalyOut] = Field(description="the most unusual first")


def report_view(named: NamedReport, period: ReportPeriod) -> ReportOut:
    report, names = named.report, named.names
    return ReportOut(
        period=period,
        timezone=named.timezone,
        highlights=list(report.highlights),
        usage=ComparedPeriodOut.of(report.period, report.comparison.total.after),
        comparison=ComparisonOut.of(report.previous, report.period, report.comparison, named.timezone, names),
        top_devices=[
            ReportedDeviceOut(
                mac=device.mac,
                name=names.get(device.mac, device.mac),
                bytes_down=device.bytes_down,
                bytes_up=device.bytes_up,
                total_bytes=device.bytes_down + device.bytes_up,
                percentage=device.percentage,
            )
            for device in report.top_devices
        ],
        anomalies=[AnomalyOut.of(mac, anomaly, names) for mac, anomaly in report.anomalies],
    )
