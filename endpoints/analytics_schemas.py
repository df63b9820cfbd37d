"""What /api/device-usage/analytics takes and gives, and how the services' answers become it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Self

from pydantic import Field

from endpoints.common_schemas import Bytes, IsoDate, Out, RouterQuery, Share
from endpoints.device_usage_schemas import NamedOut, SpanOut, TrendsOut, UsageOrNothingOut
from services.chosen_days import Days
from services.device_usage_analytics import (
    Change,
    ChangePart,
    PeriodComparison,
    PeriodUsage,
)
from services.unusual_usage import Anomaly, AnomalyKind, Direction, Sensitivity
from services.usage_analytics import ComparedPeriod, ComparedUsage, FoundAnomalies, PeriodTrends, TrendPeriod
from utils.errors import ValidationFailed
from utils.nlbwmon_parser import DeviceTotals

SignedBytes = Annotated[int, Field(description="bytes, exact; less than 0 where it became less")]
Percent = Annotated[float | None, Field(description="of what it was before; null where that was nothing or unknown")]

# --- query strings ---------------------------------------------------------------------------------------


class CompareQuery(RouterQuery):
    """Two ranges of local days, or a period; without either, this week."""

    period1_start: IsoDate | None = Field(default=None, alias="period1Start", description="first day of the base")
    period1_end: IsoDate | None = Field(default=None, alias="period1End", description="its last day, included")
    period2_start: IsoDate | None = Field(default=None, alias="period2Start", description="first day compared with it")
    period2_end: IsoDate | None = Field(default=None, alias="period2End", description="its last day, included")
    period: ComparedPeriod | None = Field(
        default=None, description="this one so far against the one before, up to the same point in time"
    )

    def ranges(self) -> tuple[Days, Days] | None:
        """Both ranges of days; None where a period is meant. Raises ValidationFailed."""
        days = [self.period1_start, self.period1_end, self.period2_start, self.period2_end]
        if not any(days):
            return None
        names = ("period1Start", "period1End", "period2Start", "period2End")
        missing = [name for name, day in zip(names, days, strict=True) if day is None]
        wrong = {name: ["is missing; all four dates belong together"] for name in missing}
        if self.period is not None:
            wrong["period"] = ["give a period or four dates, not both"]
        first, first_end, second, second_end = days
        if first and first_end and second and second_end and not wrong:
            return Days(first, first_end), Days(second, second_end)
        raise ValidationFailed(details=wrong)


class AnomaliesQuery(RouterQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    sensitivity: Sensitivity = Sensitivity.MEDIUM


class TrendsQuery(RouterQuery):
    period: TrendPeriod = TrendPeriod.LAST_7_DAYS


# --- answers ---------------------------------------------------------------------------------------------


def usage_out(totals: DeviceTotals | None) -> UsageOrNothingOut:
    """Null where nothing was observed, never 0."""
    if totals is None:
        return UsageOrNothingOut(bytes_down=None, bytes_up=None, total_bytes=None)
    down, up = totals
    return UsageOrNothingOut(bytes_down=down, bytes_up=up, total_bytes=down + up)


class ComparedPeriodOut(UsageOrNothingOut, SpanOut):
    coverage: Share

    @classmethod
    def of(cls, usage: PeriodUsage, totals: DeviceTotals | None) -> Self:
        return cls(start=usage.start, end=usage.end, coverage=usage.coverage, **usage_out(totals).model_dump())


class ChangeOut(Out):
    change_bytes: SignedBytes | None = Field(description="null where one of the periods was not observed")
    change_percent: Percent


class DeviceChangeOut(ChangeOut, NamedOut):
    period1: UsageOrNothingOut
    period2: UsageOrNothingOut

    @classmethod
    def of(cls, mac: str, name: str, change: Change) -> Self:
        return cls(
            mac=mac,
            name=name,
            period1=usage_out(change.before),
            period2=usage_out(change.after),
            change_bytes=change.absolute,
            change_percent=change.percent,
        )


class ChangePartOut(Out):
    mac: str | None = Field(description="null: all other devices together")
    name: str
    devices: int
    bytes_down: SignedBytes
    bytes_up: SignedBytes
    total_bytes: SignedBytes

    @classmethod
    def of(cls, part: ChangePart, names: Mapping[str, str]) -> Self:
        return cls(
            mac=part.mac,
            name="Others" if part.mac is None else names.get(part.mac, part.mac),
            devices=part.devices,
            bytes_down=part.bytes_down,
            bytes_up=part.bytes_up,
            total_bytes=part.bytes_down + part.bytes_up,
        )


class ComparisonOut(ChangeOut):
    """Two periods side by side."""

    timezone: str
    period1: ComparedPeriodOut
    period2: ComparedPeriodOut
    devices: list[DeviceChangeOut] = Field(description="largest change first")
    new_devices: list[str] = Field(description="MACs with usage in period2 alone")
    gone_devices: list[str] = Field(description="MACs with usage in period1 alone")
    parts: list[ChangePartOut] = Field(description="what makes up the change; they add up to it exactly")

    @classmethod
    def of(
        cls,
        before: PeriodUsage,
        after: PeriodUsage,
        comparison: PeriodComparison,
        timezone: str,
        names: Mapping[str, str],
    ) -> Self:
        return cls(
            timezone=timezone,
            period1=ComparedPeriodOut.of(before, comparison.total.before),
            period2=ComparedPeriodOut.of(after, comparison.total.after),
            change_bytes=comparison.total.absolute,
            change_percent=comparison.total.percent,
            devices=[DeviceChangeOut.of(mac, names.get(mac, mac), one) for mac, one in comparison.devices.items()],
            new_devices=comparison.new_devices,
            gone_devices=comparison.gone_devices,
            parts=[ChangePartOut.of(part, names) for part in comparison.parts],
        )


class AnomalyOut(NamedOut):
    kind: AnomalyKind = Field(description="hours in a row, or whole days that no hours of them explain")
    at: datetime = Field(description="when the first of them begins")
    until: datetime = Field(description="when the last of them ends")
    direction: Direction
    observed: Bytes
    expected_low: Bytes
    expected_high: Bytes
    score: float = Field(description="how many times the usual spread it lies above the usual level")
    comparisons: int = Field(description="how many earlier ones it was compared with")
    message: str

    @classmethod
    def of(cls, mac: str, anomaly: Anomaly, names: Mapping[str, str]) -> Self:
        return cls(
            mac=mac,
            name=names.get(mac, mac),
            kind=anomaly.kind,
            at=anomaly.at.astimezone(UTC),
            until=anomaly.until.astimezone(UTC),
            direction=anomaly.direction,
            observed=anomaly.observed,
            expected_low=anomaly.expected_low,
            expected_high=anomaly.expected_high,
            score=anomaly.score,
            comparisons=anomaly.comparisons,
            message=anomaly.message,
        )


class AnomaliesOut(Out):
    start_date: date
    end_date: date
    timezone: str
    sensitivity: Sensitivity
    coverage: Share
    anomalies: list[AnomalyOut] = Field(description="the latest first")


class TrendDayOut(SpanOut):
    coverage: Share


class DeviceTrendOut(NamedOut):
    direction: str | None = Field(description="increasing, stable or decreasing; null with too few observed days")
    change_percent: float | None = Field(
        description="from the first to the last day along the fitted line, relative to the median day"
    )
    values: list[int | None] = Field(description="bytes in each of the days; null where too little was observed")


class PeriodTrendsOut(Out):
    period: TrendPeriod
    timezone: str
    days: list[TrendDayOut] = Field(description="those that are over")
    devices: list[DeviceTrendOut] = Field(description="those that used most first")
    usage_trends: TrendsOut = Field(description="MACs by direction, as in the summary")


# --- from the services -----------------------------------------------------------------------------------


def comparison_view(compared: ComparedUsage) -> ComparisonOut:
    return ComparisonOut.of(compared.before, compared.after, compared.comparison, compared.timezone, compared.names)


def anomalies_view(found: FoundAnomalies, sensitivity: Sensitivity) -> AnomaliesOut:
    return AnomaliesOut(
        start_date=found.days.first,
        end_date=found.days.last,
        timezone=found.timezone,
        sensitivity=sensitivity,
        coverage=found.coverage,
        anomalies=[AnomalyOut.of(mac, anomaly, found.names) for mac, anomaly in found.anomalies],
    )


def trends_view(told: PeriodTrends) -> PeriodTrendsOut:
    usage_trends = TrendsOut.model_validate(told.trends)
    directions = {mac: name for name, macs in usage_trends for mac in macs}
    return PeriodTrendsOut(
        period=told.period,
        timezone=told.timezone,
        days=[
            TrendDayOut(start=day.span.start, end=day.span.end, coverage=share)
            for day, share in zip(told.days, told.coverages, strict=True)
        ],
        devices=[
            DeviceTrendOut(
                mac=device.mac,
                name=told.names[device.mac],
                direction=directions.get(device.mac),
                change_percent=None if device.change_percent is None else round(device.change_percent, 1),
                values=list(device.values),
            )
            for device in told.devices
        ],
        usage_trends=usage_trends,
    )
