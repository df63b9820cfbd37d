"""Devices that may be one: they call themselves the same, and one was seen last before the other was seen first. Pure.

So it is with a phone that makes up a new address: the old one is never seen again. There may be several phones of one
name, each with addresses of its own: those that are to be one device were never seen at the same time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from db_operations.devices_db import DeviceRecord, Lifetime

#: MACs of one name that are looked at; the others when some of these are merged.
_MOST_ALIKE = 200


@dataclass(frozen=True, kw_only=True)
class MergeSuggestion:
    """Two devices that may be one."""

    device: DeviceRecord
    #: The one to merge it into: the one that people have said something of, else the one that was seen later.
    into: DeviceRecord
    #: What both call themselves.
    hostname: str


def suggest_merges(known: Iterable[DeviceRecord], lifetimes: Mapping[str, Lifetime]) -> list[MergeSuggestion]:
    """``known``: every MAC of a router; ``lifetimes``: when each that ever was active was seen.

    Those seen last come first; each device is to be merged into one at most.
    """
    records = list(known)
    lives: dict[str, list[Lifetime]] = {}
    for device in records:
        if device.mac in lifetimes:
            lives.setdefault(device.merged_into or device.mac, []).append(lifetimes[device.mac])
    able = [device for device in records if _can_be_merged(device) and device.mac in lives]
    suggestions: list[MergeSuggestion] = []
    for _, alike in groupby(sorted(able, key=_first_choice), key=_spelling):
        suggestions += _suggest_among(islice(alike, _MOST_ALIKE), lives)
    return sorted(suggestions, key=lambda one: (-_last_seen(one.into), one.into.mac, -_last_seen(one.device)))


def _suggest_among(alike: Iterable[DeviceRecord], lives: Mapping[str, Sequence[Lifetime]]) -> Iterator[MergeSuggestion]:
    """Each device of one name goes to the first before it that neither it nor what goes there was seen beside."""
    kept: list[tuple[DeviceRecord, list[Lifetime]]] = []
    for device in alike:
        own = lives[device.mac]
        into = None if device.merged_macs else next((one for one in kept if _are_apart(own, one[1])), None)
        if into is None:
            kept.append((device, [*own]))
        else:
            into[1].extend(own)
            yield MergeSuggestion(device=device, into=into[0], hostname=into[0].hostname or "")


def _can_be_merged(device: DeviceRecord) -> bool:
    return bool(device.hostname and device.is_monitored and not device.is_router and not device.merged_into)


def _spelling(device: DeviceRecord) -> str:
    return (device.hostname or "").casefold()


def _first_choice(device: DeviceRecord) -> tuple[str, bool, float, str]:
    """Those that are called alike beside each other, the one that others may be merged into first."""
    words = (device.name, device.category, device.notes, device.person, *device.merged_macs)
    return _spelling(device), not any(words), -_last_seen(device), device.mac


def _last_seen(device: DeviceRecord) -> float:
    return device.last_seen.timestamp() if device.last_seen else 0.0


def _are_apart(ones: Sequence[Lifetime], others: Sequence[Lifetime]) -> bool:
    """A change of address can lie in the middle of an interval: then both had traffic in it."""
    return all(_is_before(one, other) or _is_before(other, one) for one in ones for other in others)


def _is_before(one: Lifetime, other: Lifetime) -> bool:
    return one.last_seen <= other.first_seen and one.first_seen < other.first_seen
