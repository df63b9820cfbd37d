"""Devices that appear, vanish, come back and change their address: told once each, as events.

Found in the transaction that stores a reading, by comparing it with what is stored: killed anywhere, or with two
collectors at once, nothing is told twice and nothing is left out. Called by the store alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from db_operations import devices_db, events_db
from db_operations.device_usage_db import DeviceSighting
from db_operations.devices_db import KnownDevice
from db_operations.events_db import EventRecord
from db_operations.statements import Connection
from services.devices.merged_devices import shown_as

#: How long a device is absent before it has vanished, where the configuration says nothing else.
VANISHED_AFTER = timedelta(days=7)

#: So many of a kind in one reading are told each by itself.
_MOST_BY_THEMSELVES = 250


class DeviceEventKind(StrEnum):
    """The `type` of an event about a device."""

    NEW = "device_new"
    VANISHED = "device_vanished"
    RETURNED = "device_returned"
    ADDRESS_CHANGED = "address_changed"


_AT_ONCE = {
    DeviceEventKind.NEW: "{} devices were seen for the first time, all at once.",
    DeviceEventKind.VANISHED: "{} devices have not been seen for days, all of them from now on.",
    DeviceEventKind.RETURNED: "{} devices are back, all at once.",
    DeviceEventKind.ADDRESS_CHANGED: "{} devices changed their address, all at once.",
}


@dataclass(frozen=True)
class DeviceEvent:
    """One thing that happened to a device."""

    kind: DeviceEventKind
    mac: str
    message: str


def record_device_events(
    conn: Connection,
    owner: tuple[str, str],
    known: Mapping[str, KnownDevice],
    sightings: Sequence[DeviceSighting],
    *,
    at: datetime,
    vanished_after: timedelta,
) -> None:
    """Store what the reading of ``at`` tells of devices. ``owner``: session and router; ``known``: before it."""
    found = find_device_events(known, sightings, at=at, vanished_after=vanished_after)
    for record in _records(found, at):
        events_db.insert_event(conn, *owner, record)
    for kind, vanished_at in ((DeviceEventKind.VANISHED, at), (DeviceEventKind.RETURNED, None)):
        if macs := [event.mac for event in found if event.kind is kind]:
            devices_db.set_vanished(conn, *owner, macs, vanished_at=vanished_at)


def _records(found: Sequence[DeviceEvent], at: datetime) -> list[EventRecord]:
    """Each by itself, or too many of a kind as one: a router that makes things up would have events without an end."""
    counts = Counter(event.kind for event in found)
    records = [
        EventRecord(type=event.kind, start_at=at, end_at=at, message=event.message, device_mac=event.mac)
        for event in found
        if counts[event.kind] <= _MOST_BY_THEMSELVES
    ]
    return records + [
        EventRecord(type=kind, start_at=at, end_at=at, message=_AT_ONCE[kind].format(count))
        for kind, count in counts.items()
        if count > _MOST_BY_THEMSELVES
    ]


def find_device_events(
    known: Mapping[str, KnownDevice],
    sightings: Sequence[DeviceSighting],
    *,
    at: datetime,
    vanished_after: timedelta,
) -> list[DeviceEvent]:
    """What is to be told, by MAC. Pure.

    Nothing is new in a network of which nothing was known. The router itself has no events, nor what is out of
    monitoring. Merged devices are absent when all of them are.
    """
    events = []
    for sighting in sightings:
        device = known.get(sighting.mac)
        if sighting.is_router or (device is None and not known):
            continue
        if device is None:
            where = f" at {sighting.current_ip}" if sighting.current_ip else ""
            message = f"This device was seen for the first time{where}."
            events.append(DeviceEvent(DeviceEventKind.NEW, sighting.mac, message))
        elif device.current_ip and sighting.current_ip and device.current_ip != sighting.current_ip:
            message = f"Its address changed from {device.current_ip} to {sighting.current_ip}."
            events.append(DeviceEvent(DeviceEventKind.ADDRESS_CHANGED, sighting.mac, message))
    active = {shown_as(sighting.mac, known) for sighting in sightings if sighting.is_active}
    for mac, absent_since in _absences(known).items():
        device = known[mac]
        if device.is_router or not device.is_monitored:
            continue
        if mac in active:
            if device.vanished_at is not None:
                away = _in_words(at - (absent_since or device.vanished_at))
                message = f"This device is back, after it was not seen for {away}."
                events.append(DeviceEvent(DeviceEventKind.RETURNED, mac, message))
        elif vanished_after and device.vanished_at is None and absent_since and at - absent_since >= vanished_after:
            message = f"This device has not been seen for {_in_words(at - absent_since)}."
            events.append(DeviceEvent(DeviceEventKind.VANISHED, mac, message))
    return sorted(events, key=lambda event: event.mac)


def _absences(known: Mapping[str, KnownDevice]) -> dict[str, datetime | None]:
    """Since when each device is absent, with all that is merged into it; None: it isn't, or never was there."""
    present: set[str] = set()
    latest: dict[str, datetime] = {}
    for device in known.values():
        mac = device.merged_into or device.mac
        if device.is_active:
            present.add(mac)
        elif device.absent_since is not None:
            latest[mac] = max(latest.get(mac, device.absent_since), device.absent_since)
    shown = [device.mac for device in known.values() if device.merged_into is None]
    return {mac: None if mac in present else latest.get(mac) for mac in shown}


def _in_words(absence: timedelta) -> str:
    days = absence // timedelta(days=1)
    if days >= 1:
        return f"{days} day{'s' if days > 1 else ''}"
    hours = absence // timedelta(hours=1)
    return f"{hours} hour{'s' if hours != 1 else ''}" if hours else "less than an hour"
