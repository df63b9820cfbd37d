"""What the device endpoints take and give, and how the services' answers become it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from endpoints.common_schemas import Body, Mac, Out, PageQuery, RouterQuery
from endpoints.device_usage_schemas import SearchText, UsageOrNothingOut, usage_out
from services.devices.device_categories import DeviceCategory
from services.devices.device_identity import Device, as_device
from services.devices.devices import DeviceInfo, DevicePage
from services.devices.merge_suggestions import MergeSuggestion
from services.people import NOBODY

# --- what people may write -------------------------------------------------------------------------------


def _storable(value: str) -> str:
    """Kept exactly as it is, so what can't be kept is refused."""
    if "\0" in value:
        raise ValueError("must not have the character NUL (U+0000)")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("has half of a character (a lone surrogate)") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty; null takes it away")
    return value


def _somebody(value: str) -> str:
    if value.strip().casefold() == NOBODY:
        raise ValueError(f"{NOBODY} stands for devices that are no one's; null makes it one of those")
    return value


def _no_null(value: object) -> object:
    if value is None:
        raise ValueError("may be left out, but not null")
    return value


def _category(value: object) -> object:
    """Said in words of its own: pydantic's name a class that callers don't know."""
    if value is None:
        return None
    if not isinstance(value, str) or value not in list(DeviceCategory):
        raise ValueError(f"must be one of {', '.join(DeviceCategory)}; null leaves it to a guess")
    return DeviceCategory(value)


Label = Annotated[str, Field(max_length=255), AfterValidator(_storable), AfterValidator(_not_blank)]
PersonLabel = Annotated[Label, AfterValidator(_somebody)]
Notes = Annotated[str, Field(max_length=4_000), AfterValidator(_storable)]


class DeviceChangesIn(Body):
    """What is left out stays; null takes away what was said."""

    name: Label | None = Field(default=None, description="null: as it calls itself")
    category: Annotated[DeviceCategory | None, BeforeValidator(_category)] = Field(
        default=None, description="null: as guessed"
    )
    notes: Notes | None = Field(default=None, description="several lines, if you like")
    person: PersonLabel | None = Field(default=None, description="whose it is, a free label; null: nobody's")
    is_monitored: Annotated[bool | None, BeforeValidator(_no_null)] = Field(
        default=None, description="false: as DELETE; true brings it back"
    )

    def words(self) -> dict[str, object]:
        """What was given of what people say, under the names that the service knows."""
        return self.model_dump(exclude_unset=True, exclude={"is_monitored"})


class MergeIn(Body):
    """As which device this one is to be shown."""

    into: Mac


class DevicesQuery(PageQuery):
    monitored: bool = Field(default=True, description="false: those out of monitoring instead")
    active: bool | None = Field(default=None, description="only those active, or only those not")
    search: SearchText | None = Field(default=None, description="in name, hostname, person, MACs, addresses")
    sort: Literal["name", "mac", "lastSeen", "firstSeen"] = "name"


class RemovalQuery(RouterQuery):
    purge: bool = Field(default=False, description="erase its stored usage as well")


# --- answers ---------------------------------------------------------------------------------------------


class DeviceOut(Out):
    mac: str
    name: str = Field(description="people's own, else the hostname, else the MAC")
    hostname: str | None = Field(description="what it calls itself")
    ip: str | None = Field(description="its IPv4 address now; the first of ips where that isn't known")
    ips: list[str] = Field(description="all of them, IPv4 first")
    is_active: bool = Field(description="had traffic in the last interval, or answered as a neighbour")
    last_seen: datetime | None
    first_seen: datetime
    vendor: str | None = Field(description='its maker, or "private address"; null where the maker isn\'t known')
    category: DeviceCategory
    is_category_guessed: bool = Field(description="false: it is people's word")
    person: str | None = Field(description="whose it is; null: nobody's")
    notes: str | None
    is_randomized_mac: bool = Field(description="a private address that the device made up")
    is_router: bool
    is_monitored: bool
    merged_macs: list[str] = Field(description="the other MACs that are this device")


class DevicesOut(Out):
    devices: list[DeviceOut]
    total_devices: int = Field(description="monitored ones, without the router itself")
    active_devices: int


class DeviceUsageOut(Out):
    today: UsageOrNothingOut
    last7_days: UsageOrNothingOut = Field(alias="last7Days")
    last30_days: UsageOrNothingOut = Field(alias="last30Days")
    current_period: UsageOrNothingOut = Field(description="nlbwmon's total of its running accounting period")


class DeviceInfoOut(DeviceOut):
    usage: DeviceUsageOut


class RemovedDeviceOut(DeviceOut):
    is_purged: bool = Field(description="whether its stored usage was erased")


class SuggestedDeviceOut(Out):
    mac: str
    name: str
    vendor: str | None
    is_randomized_mac: bool
    first_seen: datetime
    last_seen: datetime | None


class MergeSuggestionOut(Out):
    device: SuggestedDeviceOut
    into: SuggestedDeviceOut = Field(description="what to merge it into")
    hostname: str = Field(description="what both call themselves")


class MergeSuggestionsOut(Out):
    suggestions: list[MergeSuggestionOut]


# --- from the services' dataclasses ----------------------------------------------------------------------


def devices_view(page: DevicePage) -> DevicesOut:
    return DevicesOut(
        devices=[device_view(device) for device in page.devices],
        total_devices=page.total,
        active_devices=page.active,
    )


def device_view(device: Device) -> DeviceOut:
    return DeviceOut(**_fields(device))


def device_info_view(info: DeviceInfo) -> DeviceInfoOut:
    usage = DeviceUsageOut(
        today=usage_out(info.today),
        last7Days=usage_out(info.last_7_days),
        last30Days=usage_out(info.last_30_days),
        current_period=usage_out(info.current_period),
    )
    return DeviceInfoOut(**_fields(info.device), usage=usage)


def removed_device_view(device: Device, *, is_purged: bool) -> RemovedDeviceOut:
    return RemovedDeviceOut(**_fields(device), is_purged=is_purged)


def suggestions_view(suggestions: Sequence[MergeSuggestion]) -> MergeSuggestionsOut:
    return MergeSuggestionsOut(
        suggestions=[
            MergeSuggestionOut(
                device=_suggested(as_device(one.device)), into=_suggested(as_device(one.into)), hostname=one.hostname
            )
            for one in suggestions
        ]
    )


def _suggested(device: Device) -> SuggestedDeviceOut:
    record = device.record
    return SuggestedDeviceOut(
        mac=record.mac,
        name=record.display_name,
        vendor=device.vendor,
        is_randomized_mac=device.is_randomized_mac,
        first_seen=record.first_seen,
        last_seen=record.last_seen,
    )


def _fields(device: Device) -> dict[str, Any]:
    record = device.record
    return {
        "mac": record.mac,
        "name": record.display_name,
        "hostname": record.hostname,
        "ip": record.current_ip or next(iter(record.ips), None),
        "ips": list(record.ips),
        "is_active": record.is_active,
        "last_seen": record.last_seen,
        "first_seen": record.first_seen,
        "vendor": device.vendor,
        "category": device.category,
        "is_category_guessed": device.is_category_guessed,
        "person": record.person,
        "notes": record.notes,
        "is_randomized_mac": device.is_randomized_mac,
        "is_router": record.is_router,
        "is_monitored": record.is_monitored,
        "merged_macs": list(record.merged_macs),
    }
