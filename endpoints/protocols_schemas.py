"""What /api/device-usage/…/protocols takes and gives."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from endpoints.common_schemas import IsoDate, Out, PageQuery, Share
from endpoints.device_usage_schemas import NamedOut, Reasons, UsageOrNothingOut, UsageOut, UsageQuality
from services.history_range import NOT_OBSERVED
from services.protocols import ProtocolUsage, UsageShare
from services.usage_quality import overall

Percentage = Annotated[float | None, Field(ge=0, le=100, description="of the totals; null where there is no usage")]


class ProtocolsQuery(PageQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")


class ProtocolNameOut(Out):
    name: str = Field(
        description="as nlbwmon calls it; `other`: traffic on no known port; `unknown`: of these days only the total "
        "was kept"
    )


class ProtocolUsageOut(UsageOut, ProtocolNameOut):
    percentage: Percentage


class SharedProtocolOut(ProtocolUsageOut):
    devices: int | None = Field(
        description="how many used it, without the router itself and unresolved hosts; null for `unknown`"
    )


class FamilyOut(UsageOrNothingOut):
    percentage: Percentage


class FamiliesOut(Out):
    """The three add up to the totals."""

    ipv4: FamilyOut
    ipv6: FamilyOut
    unknown: FamilyOut = Field(description="of these days only the total was kept")


class ProtocolRangeOut(Out):
    timezone: str
    start_date: date
    end_date: date
    totals: UsageOrNothingOut = Field(description="as in a history of these days; all protocols add up to them")
    coverage: Share
    quality: UsageQuality
    reasons: Reasons
    families: FamiliesOut


class ProtocolsOut(ProtocolRangeOut):
    protocols: list[SharedProtocolOut] = Field(description="those used most first")


class DeviceProtocolsOut(ProtocolRangeOut, NamedOut):
    protocols: list[ProtocolUsageOut] = Field(description="those used most first")


def protocols_view(usage: ProtocolUsage) -> ProtocolsOut:
    return ProtocolsOut(
        **_range(usage),
        protocols=[
            SharedProtocolOut(name=one.name, devices=one.devices, **_share(one.share)) for one in usage.protocols
        ],
    )


def device_protocols_view(usage: ProtocolUsage, mac: str, name: str) -> DeviceProtocolsOut:
    return DeviceProtocolsOut(
        **_range(usage),
        mac=mac,
        name=name,
        protocols=[ProtocolUsageOut(name=one.name, **_share(one.share)) for one in usage.protocols],
    )


def _range(usage: ProtocolUsage) -> dict[str, Any]:
    days, (down, up), trust = usage.days, usage.totals, overall(usage.days.trusts)
    return {
        "timezone": days.zone.key,
        "start_date": days.buckets[0].first_day,
        "end_date": days.buckets[-1].last_day,
        "totals": UsageOrNothingOut(
            bytes_down=down, bytes_up=up, total_bytes=None if down is None or up is None else down + up
        ),
        "coverage": days.coverage,
        "quality": trust.quality,
        "reasons": list(trust.reasons),
        "families": FamiliesOut(
            ipv4=_family(usage, usage.ipv4), ipv6=_family(usage, usage.ipv6), unknown=_family(usage, usage.unknown)
        ),
    }


def _family(usage: ProtocolUsage, share: UsageShare) -> FamilyOut:
    if usage.totals == NOT_OBSERVED:
        return FamilyOut(bytes_down=None, bytes_up=None, total_bytes=None, percentage=None)
    return FamilyOut(**_share(share))


def _share(share: UsageShare) -> dict[str, Any]:
    return {
        "bytes_down": share.bytes_down,
        "bytes_up": share.bytes_up,
        "total_bytes": share.bytes_down + share.bytes_up,
        "percentage": share.percentage,
    }
