"""Several MACs that are one device, such as a phone with private addresses: merged, shown as one, parted again.

Usage is stored by MAC and stays so: merging only says as which device a MAC is shown. Parting takes that back, and all
is as it was. One step deep: what is shown as another device has nothing merged into it.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from db_operations import device_changes_db, devices_db, routers_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.statements import Connection
from services.context import RouterContext
from services.devices.device_identity import Device, as_device
from services.devices.merge_suggestions import MergeSuggestion, suggest_merges
from utils.errors import Conflict, DeviceNotFound, RouterNotFound, ValidationFailed
from utils.nlbwmon_parser import DeviceTotals

logger = logging.getLogger(__name__)


class KnownMac(Protocol):
    """What is stored of a MAC, as far as it matters here."""

    @property
    def merged_into(self) -> str | None: ...

    @property
    def is_monitored(self) -> bool: ...


def shown_as(mac: str, known: Mapping[str, KnownMac]) -> str:
    """The MAC of the device that ``mac`` is shown as: nearly always its own."""
    device = known.get(mac)
    return device.merged_into or mac if device else mac


def shown_totals(totals: Mapping[str, tuple[int, int]], known: Mapping[str, KnownMac]) -> dict[str, DeviceTotals]:
    """Bytes per MAC as they are shown: merged devices as one, and without those out of monitoring."""
    sums: dict[str, DeviceTotals] = {}
    for mac, (down, up) in totals.items():
        device = known.get(mac)
        if device is None or device.is_monitored:
            shown = shown_as(mac, known)
            before = sums.get(shown, DeviceTotals(0, 0))
            sums[shown] = DeviceTotals(before.bytes_down + down, before.bytes_up + up)
    return sums


class MergedDeviceService:
    """Merges and parts one router's devices; every statement is bound to its account, one change a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def merge(self, context: RouterContext, mac: str, into: str) -> Device:
        """Show ``mac`` as the device ``into``, or as what that is shown as itself. The device that they are now.

        Raises DeviceNotFound; ValidationFailed and Conflict as `find_target` does.
        """
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            known = _hold_devices(conn, owner)
            target = find_target(known, mac, into)
            device_changes_db.set_merged_into(conn, *owner, mac, target)
            merged = devices_db.get_device_by_mac(conn, *owner, target)
        assert merged is not None  # noqa: S101  # it was there, and its router is held
        logger.debug("router %s: %s is shown as %s", context.router_id, mac, target)
        return as_device(merged)

    def suggest(self, context: RouterContext, *, page: int, page_size: int) -> tuple[list[MergeSuggestion], int]:
        """One page of what may be one device, and how many there are."""
        owner = (context.session_id, context.router_id)
        with self._database.reading() as conn:
            lifetimes = devices_db.list_lifetimes(conn, *owner)
            suggestions = suggest_merges(devices_db.list_all_devices(conn, *owner), lifetimes)
        return suggestions[(page - 1) * page_size : page * page_size], len(suggestions)

    def part(self, context: RouterContext, mac: str) -> Device:
        """Show ``mac`` as itself again. One that is merged into nothing already is.

        Raises DeviceNotFound; Conflict where others are merged into it, as one of those must be meant.
        """
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            known = _hold_devices(conn, owner)
            if mac not in known:
                raise DeviceNotFound
            if others := known[mac].merged_macs:
                raise Conflict(
                    f"{mac} is what others are merged into. Name the one to part: {', '.join(others)}.",
                    details={"mac": [f"part one of these: {', '.join(others)}"]},
                )
            device_changes_db.set_merged_into(conn, *owner, mac, None)
            parted = devices_db.get_device_by_mac(conn, *owner, mac)
        assert parted is not None  # noqa: S101  # as above
        return as_device(parted)


def find_target(known: Mapping[str, DeviceRecord], mac: str, into: str) -> str:
    """The MAC that ``mac`` is to be shown as, if it is to be merged into ``into``. Pure.

    Where ``into`` is merged itself, that is what it is merged into: there are no chains. Raises DeviceNotFound,
    ValidationFailed for a device into itself, Conflict where one of them can't be merged.
    """
    if mac not in known:
        raise DeviceNotFound(f"This router has no device {mac}.")
    if into not in known:
        raise DeviceNotFound(f"This router has no device {into}.", details={"into": ["no such device"]})
    if mac == into:
        raise ValidationFailed("A device can't be merged into itself.", details={"into": ["is the device itself"]})
    source, target = known[mac], known[shown_as(into, known)]
    if source.merged_into == target.mac:
        return target.mac  # said again
    if source.merged_into is not None:
        raise _refused(f"{mac} is merged into {source.merged_into} already. Part it first.", "mac")
    if target.mac == mac:
        raise _refused(f"{into} is merged into {mac} already. Part it first to have it the other way round.", "into")
    if source.merged_macs:
        others = ", ".join(source.merged_macs)
        raise _refused(f"Others are merged into {mac}: {others}. Merge {into} into it, or part them first.", "mac")
    for device, field in ((source, "mac"), (target, "into")):
        if device.is_router:
            raise _refused(f"{device.mac} is the router itself, which is no other device.", field)
        if not device.is_monitored:
            raise _refused(f"{device.mac} is out of monitoring. Bring it back first, with isMonitored true.", field)
    return target.mac


def _refused(message: str, field: str) -> Conflict:
    return Conflict(message, details={field: [message]})


def _hold_devices(conn: Connection, owner: tuple[str, str]) -> dict[str, DeviceRecord]:
    """Every MAC of the router, which nobody changes before the transaction ends. Raises RouterNotFound."""
    if routers_db.lock_router(conn, *owner) is None:
        raise RouterNotFound
    return {device.mac: device for device in devices_db.list_all_devices(conn, *owner)}
