"""A change explained by its largest parts: devices, and of each its protocols. They add up to it to the byte. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.accounting.counters import NOTHING, Counters, plus

#: At most so many devices, and protocols of each, are parts of their own; fewer where these explain most of it.
MOST_DEVICES = 5
MOST_PROTOCOLS = 3

#: Parts are named until together they have so much of all that became more or less, in percent.
_MOST_OF_IT = 90

#: A protocol's name; PART_OF_DAY: what was used on a day of which protocols can't be told, as they are kept by day.
Protocol = str | None
PART_OF_DAY: Protocol = None

#: What usage is called of which only the day's total was kept.
UNKNOWN_PROTOCOL = "unknown"


class PartKind(StrEnum):
    """What a part of a device's change is."""

    PROTOCOL = "protocol"
    #: All other protocols together.
    OTHERS = "others"
    PART_OF_DAY = "part_of_day"


@dataclass(frozen=True, kw_only=True)
class ProtocolPart:
    """One protocol's part of a device's change, in bytes more or, negative, less."""

    kind: PartKind
    #: With PartKind.PROTOCOL alone.
    name: str | None = None
    #: How many protocols it is; 0 of a part of a day.
    protocols: int
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True, kw_only=True)
class ChangePart:
    """One device's part of the whole change, in bytes; with ``mac`` None that of ``devices`` others together."""

    mac: str | None
    devices: int
    bytes_down: int
    bytes_up: int
    #: What this part is made up of, the largest first.
    protocols: tuple[ProtocolPart, ...]


def explain(devices: Mapping[str, Mapping[Protocol, Counters]]) -> tuple[ChangePart, ...]:
    """What makes up a change, from how many bytes more or less each device used of each protocol."""
    changes = {mac: add_up(by_protocol.values()) for mac, by_protocol in devices.items()}
    named, others = _largest(changes, MOST_DEVICES)
    groups: list[tuple[str | None, list[str]]] = [(mac, [mac]) for mac in named]
    if others:
        groups.append((None, others))
    return tuple(_device_part(mac, [devices[each] for each in macs]) for mac, macs in groups)


def add_up(changes: Iterable[Counters]) -> Counters:
    """All of them together."""
    total = NOTHING
    for change in changes:
        total = plus(total, change)
    return total


def _device_part(mac: str | None, devices: Collection[Mapping[Protocol, Counters]]) -> ChangePart:
    by_protocol: dict[Protocol, Counters] = {}
    for device in devices:
        for protocol, change in device.items():
            by_protocol[protocol] = plus(by_protocol.get(protocol, NOTHING), change)
    down, up = add_up(by_protocol.values())
    return ChangePart(
        mac=mac, devices=len(devices), bytes_down=down, bytes_up=up, protocols=tuple(_protocol_parts(by_protocol))
    )


def _protocol_parts(changes: Mapping[Protocol, Counters]) -> Iterable[ProtocolPart]:
    named, others = _largest({name: change for name, change in changes.items() if name is not None}, MOST_PROTOCOLS)
    for name in named:
        down, up = changes[name]
        yield ProtocolPart(kind=PartKind.PROTOCOL, name=name, protocols=1, bytes_down=down, bytes_up=up)
    if others:
        down, up = add_up(changes[name] for name in others)
        yield ProtocolPart(kind=PartKind.OTHERS, protocols=len(others), bytes_down=down, bytes_up=up)
    down, up = changes.get(PART_OF_DAY, NOTHING)
    if down or up:
        yield ProtocolPart(kind=PartKind.PART_OF_DAY, protocols=0, bytes_down=down, bytes_up=up)


def _largest(changes: Mapping[str, Counters], most: int) -> tuple[list[str], list[str]]:
    """Those with the largest changes, up to ``most`` and only until they explain most of it, and the others that
    changed. A single other is named as well: it takes no more room."""
    moved = sorted(
        (key for key, change in changes.items() if any(change)), key=lambda key: (-abs(sum(changes[key])), key)
    )
    gross = sum(abs(sum(changes[key])) for key in moved)
    count = explained = 0
    while count < min(most, len(moved)) and 100 * explained < _MOST_OF_IT * gross:
        explained += abs(sum(changes[moved[count]]))
        count += 1
    if len(moved) - count == 1:
        count += 1
    return moved[:count], moved[count:]
