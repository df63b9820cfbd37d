"""Instants, zones and calendar days. Everything inside is an aware datetime in UTC; days belong to a zone."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from importlib.resources import files
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

Clock = Callable[[], datetime]

#: The longest one has 32 characters; the database takes 64.
_LONGEST_NAME = 64

_FIXED_OFFSET = re.compile(r"UTC(?P<sign>[+-])(?P<hours>\d{2}):(?P<minutes>[0-5]\d)")


@dataclass(frozen=True)
class Zone:
    """A time zone with the name it is stored under: an IANA name, or ``UTC+05:30`` where only that is known."""

    key: str
    tz: tzinfo

    def midnight(self, day: date) -> datetime:
        """The moment ``day`` begins in this zone, in UTC. Where DST skips midnight, the first moment after."""
        return datetime.combine(day, time.min, tzinfo=self.tz).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """The calendar day of ``moment`` in this zone."""
        return moment.astimezone(self.tz).date()


def parse_zone(name: str) -> Zone:
    """The zone called ``name``. OpenWrt writes spaces for underscores ("America/New York"); both do.

    Raises ValueError for a name that is no zone.
    """
    key = name.strip().replace(" ", "_")
    if match := _FIXED_OFFSET.fullmatch(key):
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
        if offset > timedelta(hours=14):
            raise ValueError(f"{name!r} is further from UTC than any place on earth")
        return Zone(key, timezone(-offset if match["sign"] == "-" else offset))
    try:
        # ZoneInfo looks for files: keep it away from anything that isn't a plain name. It recurses along a path.
        if len(key) > _LONGEST_NAME or not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", key):
            raise ZoneInfoNotFoundError
        return Zone(key, ZoneInfo(key))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write it as Europe/Berlin or UTC+05:30") from None


def zone_from_offset(offset: str) -> Zone | None:
    """``date +%z`` of a router ("+0200") as a fixed zone, None if it is not of that form."""
    if not re.fullmatch(r"[+-]\d{4}", offset):
        return None
    if offset in ("+0000", "-0000"):
        return Zone("UTC", ZoneInfo("UTC"))
    try:
        return parse_zone(f"UTC{offset[:3]}:{offset[3:]}")
    except ValueError:
        return None


def posix_rule(zone: Zone) -> str | None:
    """The zone as OpenWrt's option `timezone` takes it: ``CET-1CEST,M3.5.0,M10.5.0/3``. None if nothing here knows it.

    It is the last line of the zone's file (RFC 8536); ZoneInfo doesn't give it away.
    """
    if match := _FIXED_OFFSET.fullmatch(zone.key):
        sign, hours, minutes = match["sign"], match["hours"], match["minutes"]
        # POSIX counts westwards: what is ahead of UTC has a minus.
        return f"<{sign}{hours}{minutes}>{'-' if sign == '+' else ''}{int(hours)}:{minutes}"
    folders = [Path(folder) for folder in TZPATH] + [files("tzdata") / "zoneinfo"]
    for folder in folders:
        with suppress(OSError):
            rule = (folder / zone.key).read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
            if rule.isascii() and rule.decode().isprintable():
                return rule.decode()
    return None


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with ``Z``; whole seconds where there are no smaller parts."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def floor_hour(moment: datetime) -> datetime:
    """The UTC hour that ``moment`` lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
