"""Whose devices used how much: usage per person, from the daily rollup."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from db_operations import rollups_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.rollups_db import DeviceTotal
from services.buckets import Granularity, buckets_between
from services.chosen_days import chosen_days
from services.context import RouterContext
from services.device_usage_service import display_name
from services.history_range import devices_by_mac, load_range, zone_of
from services.usage_quality import Trust, overall
from utils.mac import ZERO_MAC
from utils.time import Clock, Zone

#: Who has what belongs to no person.
NOBODY = "nobody"

#: The longest range, in days.
MOST_DAYS = 1_100


@dataclass(frozen=True, kw_only=True)
class PersonDevice:
    """What one device of a person used, in bytes."""

    mac: str
    name: str
    bytes_down: int
    bytes_up: int
    is_router: bool
    #: Hosts whose MAC nlbwmon could not look up, together.
    is_unresolved: bool


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person and what his devices used."""

    #: The label; `NOBODY` where it is None.
    name: str
    is_nobody: bool
    #: Those that used most first, those without usage last.
    devices: Sequence[PersonDevice]

    @property
    def bytes_down(self) -> int:
        return sum(device.bytes_down for device in self.devices)

    @property
    def bytes_up(self) -> int:
        return sum(device.bytes_up for device in self.devices)


@dataclass(frozen=True, kw_only=True)
class PeoplePage:
    """One page of the people of a router, those who used most first."""

    start_date: date
    end_date: date
    zone: Zone
    #: Which share of the range, as far as it has passed, lies between good readings.
    coverage: float
    trust: Trust
    people: Sequence[Person]
    #: False where nothing of the range was observed: then 0 means nothing.
    is_known: bool
    #: All people together, nobody included: what the history has of the same days.
    bytes_down: int
    bytes_up: int
    #: How many there are on all pages.
    count: int


class PeopleService:
    """People of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list_people(
        self, context: RouterContext, *, start_date: date | None, end_date: date | None, page: int, page_size: int
    ) -> PeoplePage:
        """Usage per person over a range of local days, the last 7 by default. Raises RouterNotFound."""
        with self._database.reading() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            first, last = chosen_days(start_date, end_date, today=zone.day_of(now), most=MOST_DAYS)
            buckets = buckets_between(first, last, Granularity.DAY, zone)
            wanted = load_range(conn, context, zone, buckets, Granularity.DAY, now)
            known = devices_by_mac(conn, context)
            _, totals = rollups_db.list_totals(
                conn, context.session_id, context.router_id, wanted.rollup, start=wanted.start, end=wanted.end
            )
        people = group_by_person(totals, known)
        return PeoplePage(
            start_date=first,
            end_date=last,
            zone=zone,
            coverage=wanted.coverage,
            trust=overall(wanted.trusts),
            is_known=bool(totals) or wanted.coverage > 0,
            people=people[(page - 1) * page_size : page * page_size],
            bytes_down=sum(total.bytes_down for total in totals),
            bytes_up=sum(total.bytes_up for total in totals),
            count=len(people),
        )


def group_by_person(totals: Iterable[DeviceTotal], known: Mapping[str, DeviceRecord]) -> list[Person]:
    """Everybody who has a device, and nobody with all that is no one's: the router and unresolved hosts too. Pure."""
    used = {total.mac: total for total in totals}
    macs = {mac for mac, device in known.items() if device.is_monitored and device.merged_into is None}
    devices: dict[str | None, list[PersonDevice]] = {}
    for mac in macs | used.keys():
        record = known.get(mac)
        total = used.get(mac, DeviceTotal(mac, 0, 0))
        devices.setdefault(record.person if record else None, []).append(
            PersonDevice(
                mac=mac,
                name=display_name(mac, record),
                bytes_down=total.bytes_down,
                bytes_up=total.bytes_up,
                is_router=record is not None and record.is_router,
                is_unresolved=mac == ZERO_MAC,
            )
        )
    people = [
        Person(
            name=NOBODY if label is None else label,
            is_nobody=label is None,
            devices=sorted(own, key=lambda device: (-(device.bytes_down + device.bytes_up), device.mac)),
        )
        for label, own in devices.items()
    ]
    return sorted(people, key=lambda person: (-(person.bytes_down + person.bytes_up), person.is_nobody, person.name))
