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
from services.history_range import devices_by_mac
from services.merged_devices import shown_totals
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import parse_nlbw_json


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
class PeriodUsage:
    """One accounting period; its first and last local day are both in it."""

    start: date
    end: date
    is_current: bool
    #: All of it is known: the router's archive of it was read. Never so of the running one.
    is_complete: bool
    #: All devices together, in bytes.
    bytes_down: int
    bytes_up: int
    #: Those that used most first.
    devices: Sequence[DeviceInPeriod]


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

    def list_periods(self, context: RouterContext, *, page: int, page_size: int) -> PeriodPage:
        """The running period as of the last reading, then those before it; of those, what nlbwmon counted in the end.

        Devices out of monitoring are left out. Periods of which nothing is known are no part of the list.
        """
        owner = (context.session_id, context.router_id)
        first = (page - 1) * page_size
        with self._database.transaction() as conn:
            last = readings_db.get_last_reading(conn, *owner)
            running = last.period_start if last else None
            current = 1 if last else 0
            counts = periods_db.count_periods(conn, *owner, running=running)
            # The running one takes the first place of the first page.
            shows_current = current and first == 0
            limit = page_size - 1 if shows_current else page_size
            rows = periods_db.list_period_totals(
                conn, *owner, running=running, limit=limit, offset=max(0, first - current)
            )
            known = devices_by_mac(conn, context)
        periods = [_current(last, known)] if last and shows_current else []
        for (start, end, is_complete), of_period in groupby(rows, key=lambda row: row[:3]):
            periods.append(_period(start, end, of_period, known, is_complete=is_complete))
        return PeriodPage(periods=periods, total=counts.known + current, pending=counts.pending)


def _current(last: ReadingRecord, known: Mapping[str, DeviceRecord]) -> PeriodUsage:
    """The running period: nlbwmon's own totals, as they were read last."""
    totals = parse_nlbw_json(last.usage_json).totals
    devices = _devices(((mac, *total) for mac, total in totals.items()), known)
    return _usage(last.period_start, last.period_end, devices, is_current=True, is_complete=False)


def _period(
    start: date, end: date, rows: Iterable[PeriodTotalRow], known: Mapping[str, DeviceRecord], *, is_complete: bool
) -> PeriodUsage:
    devices = _devices(((row.mac, row.bytes_down, row.bytes_up) for row in rows if row.mac is not None), known)
    return _usage(start, end, devices, is_current=False, is_complete=is_complete)


def _devices(totals: Iterable[tuple[str, int, int]], known: Mapping[str, DeviceRecord]) -> list[DeviceInPeriod]:
    devices = []
    for mac, total in shown_totals({mac: (down, up) for mac, down, up in totals}, known).items():
        record = known.get(mac)
        devices.append(
            DeviceInPeriod(
                mac=mac,
                name=display_name(mac, record),
                bytes_down=total.bytes_down,
                bytes_up=total.bytes_up,
                is_router=record is not None and record.is_router,
                is_unresolved=mac == ZERO_MAC,
            )
        )
    return sorted(devices, key=lambda device: (-(device.bytes_down + device.bytes_up), device.mac))


def _usage(
    start: date, end: date, devices: Sequence[DeviceInPeriod], *, is_current: bool, is_complete: bool
) -> PeriodUsage:
    # Added up here and not in SQL: the sum of a period can exceed BIGINT though each device's fits.
    return PeriodUsage(
        start=start,
        end=end,
        is_current=is_current,
        is_complete=is_complete,
        bytes_down=sum(device.bytes_down for device in devices),
        bytes_up=sum(device.bytes_up for device in devices),
        devices=devices,
    )
