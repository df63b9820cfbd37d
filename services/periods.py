"""nlbwmon's accounting periods and what each device used in them: the running one, and those that are over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from db_operations import periods_db, readings_db
from db_operations.database import Database
from db_operations.devices_db import DeviceRecord
from db_operations.periods_db import PeriodTotalRow
from db_operations.readings_db import ReadingRecord
from services.context import RouterContext
from services.device_usage_service import display_name
from services.devices.merged_devices import shown_totals
from services.history_range import devices_by_mac
from utils.errors import ValidationFailed
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import parse_nlbw_json

#: Devices on one page, of all its periods together.
MOST_DEVICES = 10_000


@dataclass(frozen=True, kw_only=True)
class DeviceInPeriod:
    """What nlbwmon counted for one MAC in a period, in bytes."""

    mac: str
    name: str
    bytes_down: int
    bytes_up: int
    is_router: bool
    #: Hosts whose MAC nlbwmon could not look up, together.
    is_unresolved: bool


@dataclass(frozen=True, kw_only=True)
class OtherDevices:
    """Devices of a period that are not listed, together."""

    devices: int
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True, kw_only=True)
class PeriodUsage:
    """One accounting period; its first and last local day are both in it."""

    start: date
    end: date
    is_current: bool
    #: All of it is known: the router's archive of it was read. Never so of the running one.
    is_complete: bool
    #: Those that used most, first of all who used most.
    devices: Sequence[DeviceInPeriod]
    others: OtherDevices

    @property
    def bytes_down(self) -> int:
        """Of all devices together, as `bytes_up`."""
        return sum(device.bytes_down for device in self.devices) + self.others.bytes_down

    @property
    def bytes_up(self) -> int:
        return sum(device.bytes_up for device in self.devices) + self.others.bytes_up


@dataclass(frozen=True, kw_only=True)
class PeriodPage:
    """One page of a router's periods, newest first."""

    periods: Sequence[PeriodUsage]
    #: How many there are on all pages.
    total: int
    #: How many archives are still to be read.
    pending: int


class PeriodService:
    """Periods of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_periods(self, context: RouterContext, *, page: int, page_size: int, top: int) -> PeriodPage:
        """The running period as of the last reading, then those before it; of those, what nlbwmon counted in the end.

        Of each period the ``top`` devices that used most. Devices out of monitoring are left out. Periods of which
        nothing is known are no part of the list. Raises ValidationFailed where a page could have too many devices.
        """
        if page_size * top > MOST_DEVICES:
            message = f"pageSize times top may be at most {MOST_DEVICES:,}"
            raise ValidationFailed(f"The request can't be used: {message}.", details={"top": [message]})
        owner = (context.session_id, context.router_id)
        first = (page - 1) * page_size
        with self._database.reading() as conn:
            last = readings_db.get_last_reading(conn, *owner)
            running = last.period_start if last else None
            current = 1 if last else 0
            counts = periods_db.count_periods(conn, *owner, running=running)
            # The running one takes the first place of the first page.
            shows_current = current and first == 0
            limit = page_size - 1 if shows_current else page_size
            rows = periods_db.list_period_totals(
                conn, *owner, running=running, limit=limit, offset=max(0, first - current), top=top
            )
            known = devices_by_mac(conn, context)
        periods = [_current(last, known, top)] if last and shows_current else []
        for (start, end, is_complete), of_period in groupby(rows, key=lambda row: row[:3]):
            periods.append(_period(start, end, of_period, known, is_complete=is_complete))
        return PeriodPage(periods=periods, total=counts.known + current, pending=counts.pending)


def _current(last: ReadingRecord, known: Mapping[str, DeviceRecord], top: int) -> PeriodUsage:
    """The running period: nlbwmon's own totals, as they were read last."""
    totals = shown_totals(parse_nlbw_json(last.usage_json).totals, known)
    devices = [_device(mac, total.bytes_down, total.bytes_up, known) for mac, total in totals.items()]
    devices.sort(key=lambda device: (-(device.bytes_down + device.bytes_up), device.mac))
    others = devices[top:]
    return PeriodUsage(
        start=last.period_start,
        end=last.period_end,
        is_current=True,
        is_complete=False,
        devices=devices[:top],
        others=OtherDevices(
            devices=len(others),
            bytes_down=sum(device.bytes_down for device in others),
            bytes_up=sum(device.bytes_up for device in others),
        ),
    )


def _period(
    start: date, end: date, rows: Iterable[PeriodTotalRow], known: Mapping[str, DeviceRecord], *, is_complete: bool
) -> PeriodUsage:
    devices, others = [], OtherDevices(devices=0, bytes_down=0, bytes_up=0)
    for row in rows:
        if row.mac is None:
            others = OtherDevices(devices=row.devices, bytes_down=row.bytes_down, bytes_up=row.bytes_up)
        else:
            devices.append(_device(row.mac, row.bytes_down, row.bytes_up, known))
    return PeriodUsage(start=start, end=end, is_current=False, is_complete=is_complete, devices=devices, others=others)


def _device(mac: str, bytes_down: int, bytes_up: int, known: Mapping[str, DeviceRecord]) -> DeviceInPeriod:
    record = known.get(mac)
    return DeviceInPeriod(
        mac=mac,
        name=display_name(mac, record),
        bytes_down=bytes_down,
        bytes_up=bytes_up,
        is_router=record is not None and record.is_router,
        is_unresolved=mac == ZERO_MAC,
    )
