"""What /api/device-usage/analytics/compare takes and gives."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, WithJsonSchema

from endpoints.common_schemas import Out, PageQuery, Share, Warned
from endpoints.device_usage_schemas import (
    NamedOut,
    Reasons,
    SpanOut,
    UsageOrNothingOut,
    UsageQuality,
    usage_out,
)
from services.analytics.change_parts import ChangePart, PartKind, Protocol
from services.analytics.change_words import told_part
from services.analytics.period_comparison import Change, Extent, PeriodComparison, PeriodUsage, both
from services.asked_periods import AskedPeriod, ComparedPeriod, parse_period
from services.comparisons import ComparedUsage
from utils.errors import ValidationFailed
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import DeviceTotals

SignedBytes = Annotated[int, Field(description="bytes, exact; less than 0 where it became less")]
Percent = Annotated[float | None, Field(description="of what it was before; null where that was nothing or unknown")]


def _asked_period(value: object) -> AskedPeriod:
    return parse_period(str(value))


PeriodText = Annotated[
    AskedPeriod,
    PlainValidator(_asked_period),
    WithJsonSchema({"type": "string", "examples": ["last-week", "2026-11", "2026-W45", "2026-11-02..2026-11-08"]}),
]


class CompareQuery(PageQuery):
    """Two periods, or a unit of which the last two are meant; without either, this week against the one before."""

    period1: PeriodText | None = Field(
        default=None,
        description="what is compared with: YYYY-MM-DD, YYYY-MM-DD..YYYY-MM-DD (both included), YYYY-MM, YYYY-Www, "
        "today, yesterday, this-week, last-week, this-month or last-month; at most 1,100 days",
    )
    period2: PeriodText | None = Field(default=None, description="what is compared with it, in the same forms")
    period: ComparedPeriod | None = Field(
        default=None, description="this one so far against the one before, up to the same point of time"
    )

    def periods(self) -> tuple[AskedPeriod, AskedPeriod]:
        """The one that is compared with, and the other. Raises ValidationFailed."""
        both_periods = {"period1": self.period1, "period2": self.period2}
        missing = [name for name, asked in both_periods.items() if asked is None]
        if self.period is not None and len(missing) < len(both_periods):
            message = "give either period or period1 and period2, not both"
            raise ValidationFailed(f"The request can't be used: {message}.", details={"period": [message]})
        if len(missing) == 1:
            message = "is missing; period1 and period2 belong together"
            raise ValidationFailed(f"{missing[0]} {message}.", details={missing[0]: [message]})
        if self.period1 and self.period2:
            return self.period1, self.period2
        return (self.period or ComparedPeriod.WEEK).with_the_one_before()


class ComparedPeriodOut(UsageOrNothingOut, SpanOut):
    extent: Extent = Field(
        description="whole; running: it ends now; same_point: it ends at the point of time that the running one has "
        "reached"
    )
    protocols_end: datetime = Field(
        description="up to here its protocols are told: its end, or where a day is cut, the midnight before it"
    )
    coverage: Share
    quality: UsageQuality
    reasons: Reasons

    @classmethod
    def of(cls, usage: PeriodUsage, totals: DeviceTotals | None) -> Self:
        return cls(
            start=usage.start,
            end=usage.end,
            extent=usage.extent,
            protocols_end=usage.protocols_end or usage.end,
            coverage=usage.coverage,
            quality=usage.trust.quality,
            reasons=list(usage.trust.reasons),
            **usage_out(totals).model_dump(),
        )


class ChangeOut(Out):
    change_bytes: SignedBytes | None = Field(description="null where one of the periods was not observed")
    change_percent: Percent


class ComparedUsageOut(ChangeOut):
    period1: UsageOrNothingOut
    period2: UsageOrNothingOut


def _change(change: Change) -> dict[str, Any]:
    return {
        "period1": usage_out(change.before),
        "period2": usage_out(change.after),
        "change_bytes": change.absolute,
        "change_percent": change.percent,
    }


ProtocolName = Annotated[
    str | None,
    Field(
        description="as in /protocols; null for the part of a day, of which it is not known, as protocols are kept by "
        "day, and for others together"
    ),
]


class ProtocolChangeOut(ComparedUsageOut):
    kind: PartKind
    name: ProtocolName


class DeviceProtocolChangeOut(ChangeOut):
    kind: PartKind
    name: ProtocolName
    period1_bytes: int = Field(description="bytes, down and up")
    period2_bytes: int = Field(description="bytes, down and up")


class DeviceChangeOut(ComparedUsageOut, NamedOut):
    is_router: bool
    is_unresolved: bool = Field(description="hosts whose MAC nlbwmon could not look up, together")


class DeviceChangesOut(DeviceChangeOut):
    protocols: list[DeviceProtocolChangeOut] = Field(
        description="all that changed or not, largest change first; they add up to the device's"
    )


class ProtocolPartOut(Out):
    kind: PartKind
    name: ProtocolName
    protocols: int = Field(description="how many it is")
    bytes_down: SignedBytes
    bytes_up: SignedBytes
    total_bytes: SignedBytes


class ChangePartOut(Out):
    mac: str | None = Field(description="null: all other devices together")
    name: str
    devices: int
    bytes_down: SignedBytes
    bytes_up: SignedBytes
    total_bytes: SignedBytes
    protocols: list[ProtocolPartOut] = Field(description="what it is made up of; they add up to it exactly")
    message: str = Field(description="the same in words")

    @classmethod
    def of(cls, part: ChangePart, comparison: PeriodComparison, names: Mapping[str, str]) -> Self:
        return cls(
            mac=part.mac,
            name="Others" if part.mac is None else names.get(part.mac, part.mac),
            devices=part.devices,
            bytes_down=part.bytes_down,
            bytes_up=part.bytes_up,
            total_bytes=part.bytes_down + part.bytes_up,
            protocols=[
                ProtocolPartOut(
                    kind=one.kind,
                    name=one.name,
                    protocols=one.protocols,
                    bytes_down=one.bytes_down,
                    bytes_up=one.bytes_up,
                    total_bytes=one.bytes_down + one.bytes_up,
                )
                for one in part.protocols
            ],
            message=told_part(part, comparison, names),
        )


class WholeComparisonOut(ChangeOut):
    """Two periods side by side, without the list of devices."""

    timezone: str
    period1: ComparedPeriodOut
    period2: ComparedPeriodOut
    parts: list[ChangePartOut] = Field(
        description="what makes up the change, up to 5 devices and all others; they add up to it exactly"
    )
    protocols: list[ProtocolChangeOut] = Field(
        description="largest change first; those of a period add up to it exactly"
    )
    new_protocols: list[str] | None = Field(
        description="with usage in period2 alone; null where period1 was not well enough observed to say so"
    )
    gone_protocols: list[str] | None = Field(description="with usage in period1 alone; null as above, of period2")
    new_devices: list[NamedOut] | None = Field(
        description="with usage in period2 alone, and first seen after it began; null where nobody looked in period1"
    )
    returned_devices: list[NamedOut] | None = Field(
        description="with usage in period2 alone, and known before; null where period1 was not well enough observed"
    )
    gone_devices: list[NamedOut] | None = Field(
        description="with usage in period1 alone; null where period2 was not well enough observed"
    )


class ComparisonOut(WholeComparisonOut):
    """As a report has it."""

    devices: list[DeviceChangeOut] = Field(description="largest change first")


class PagedComparisonOut(WholeComparisonOut):
    """Two periods side by side, in numbers and words."""

    message: str = Field(description="the change and its parts in a sentence")
    warnings: list[Warned] = Field(
        description="what to know before it is believed: NOT_OBSERVED, PARTLY_OBSERVED, STILL_RUNNING, "
        "DIFFERENT_LENGTHS, OVERLAPPING"
    )
    devices: list[DeviceChangesOut] = Field(description="one page, largest change first")


def comparison_out(
    before: PeriodUsage,
    after: PeriodUsage,
    comparison: PeriodComparison,
    *,
    timezone: str,
    names: Mapping[str, str],
    router_macs: Collection[str],
) -> ComparisonOut:
    """As a report has it: every device, without its protocols."""
    return ComparisonOut(
        **_whole(before, after, comparison, timezone, names),
        devices=[
            DeviceChangeOut(**_device(mac, change, names, router_macs)) for mac, change in comparison.devices.items()
        ],
    )


def comparison_view(compared: ComparedUsage, query: CompareQuery) -> PagedComparisonOut:
    comparison, names = compared.comparison, compared.names
    page = list(comparison.devices)[(query.page - 1) * query.page_size : query.page * query.page_size]
    return PagedComparisonOut(
        **_whole(compared.before, compared.after, comparison, compared.timezone, names),
        message=compared.message,
        warnings=[Warned(code=warning.code, message=warning.message) for warning in compared.warnings],
        devices=[
            DeviceChangesOut(
                **_device(mac, comparison.devices[mac], names, compared.router_macs),
                protocols=_device_protocols(comparison.protocols_of(mac)),
            )
            for mac in page
        ],
    )


def _whole(
    before: PeriodUsage, after: PeriodUsage, comparison: PeriodComparison, timezone: str, names: Mapping[str, str]
) -> dict[str, Any]:
    total = comparison.total
    return {
        "timezone": timezone,
        "period1": ComparedPeriodOut.of(before, total.before),
        "period2": ComparedPeriodOut.of(after, total.after),
        "change_bytes": total.absolute,
        "change_percent": total.percent,
        "parts": [ChangePartOut.of(part, comparison, names) for part in comparison.parts],
        "protocols": [
            ProtocolChangeOut(kind=_kind(name), name=name, **_change(change))
            for name, change in comparison.protocols.items()
        ],
        "new_protocols": comparison.new_protocols,
        "gone_protocols": comparison.gone_protocols,
        "new_devices": _named(comparison.new_devices, names),
        "returned_devices": _named(comparison.returned_devices, names),
        "gone_devices": _named(comparison.gone_devices, names),
    }


def _device(mac: str, change: Change, names: Mapping[str, str], router_macs: Collection[str]) -> dict[str, Any]:
    return {
        "mac": mac,
        "name": names.get(mac, mac),
        "is_router": mac in router_macs,
        "is_unresolved": mac == ZERO_MAC,
        **_change(change),
    }


def _device_protocols(changes: Mapping[Protocol, Change]) -> list[DeviceProtocolChangeOut]:
    return [
        DeviceProtocolChangeOut(
            kind=_kind(name),
            name=name,
            period1_bytes=both(change.before),
            period2_bytes=both(change.after),
            change_bytes=change.absolute,
            change_percent=change.percent,
        )
        for name, change in changes.items()
    ]


def _kind(name: Protocol) -> PartKind:
    return PartKind.PART_OF_DAY if name is None else PartKind.PROTOCOL


def _named(macs: Iterable[str] | None, names: Mapping[str, str]) -> list[NamedOut] | None:
    return None if macs is None else [NamedOut(mac=mac, name=names.get(mac, mac)) for mac in macs]
