"""Who a device is: what is stored of it, with what its MAC and its names say. Pure."""

from dataclasses import dataclass

from db_operations.devices_db import DeviceRecord
from services.devices.device_categories import DeviceCategory, guess_category
from services.devices.vendors import vendor_of
from utils.mac import is_locally_administered


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device as people see it."""

    record: DeviceRecord
    #: Who made it, from its MAC, or that this is a private address; None for a maker that is not in the table.
    vendor: str | None
    is_randomized_mac: bool
    category: DeviceCategory
    #: Whether the category is a guess and no person's word.
    is_category_guessed: bool


def as_device(record: DeviceRecord) -> Device:
    """A stored device with what its MAC and its names say."""
    vendor = vendor_of(record.mac)
    guess = guess_category(hostname=record.hostname, vendor=vendor, is_router=record.is_router)
    return Device(
        record=record,
        vendor=vendor,
        is_randomized_mac=is_locally_administered(record.mac),
        category=DeviceCategory(record.category) if record.category else guess,
        is_category_guessed=not record.category,
    )
