"""What /api/device-usage/analytics/compare takes and gives."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field

from endpoints.common_schemas import IsoDate, Out, RouterQuery, Share
from endpoints.device_usage_schemas import NamedOut, SpanOut, UsageOrNothingOut, usage_out
from services.chosen_days import Days
from services.comparisons import ComparedPeriod, ComparedUsage
from services.period_comparison import Change, ChangePart, PeriodComparison, PeriodUsage
from utils.errors import ValidationFailed
from utils.nlbwmon_parser import DeviceTotals

SignedBytes = Annotated[int, Field(description="bytes, exact; less than 0 where it became less")]
Percent = Annotated[float | None, Field(description="of what it was before; null where that was nothing or unknown")]


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


def comparison_view(compared: ComparedUsage) -> ComparisonOut:
    return ComparisonOut.of(compared.before, compared.after, compared.comparison, compared.timezone, compared.names)
