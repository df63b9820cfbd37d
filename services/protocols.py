"""Usage by layer-7 protocol and address family over a range of days.

Read from the rollup by protocol; totals and coverage are the daily history's, so that both answers agree. Usage of
days from before there was that rollup has no protocol any more: it is `UNKNOWN_PROTOCOL`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db_operations import devices_db, protocols_db, rollups_db
from db_operations.database import Database
from db_operations.device_usage_db import get_device_usage_history
from db_operations.protocols_db import ProtocolTotal
from db_operations.statements import Connection, read_one_moment
from services.accounting.counters import NOTHING, Counters, plus
from services.analytics.change_parts import UNKNOWN_PROTOCOL
from services.buckets import Granularity, buckets_between
from services.chosen_days import chosen_days
from services.context import RouterContext
from services.device_usage_service import check_is_shown, display_name
from services.history_range import (
    BucketUsage,
    HistoryRange,
    Row,
    fold,
    load_range,
    total_of,
    zone_of,
)
from utils.mac import ZERO_MAC
from utils.time import Clock

#: The longest range of local days: that of a history by day.
MAX_DAYS = 1_100


@dataclass(frozen=True, kw_only=True)
class UsageShare:
    """Part of the usage of a range, in bytes."""

    bytes_down: int
    bytes_up: int
    #: Of all usage of the range, 0 to 100; None where there is none.
    percentage: float | None


@dataclass(frozen=True, kw_only=True)
class ProtocolShare:
    """One protocol over the range."""

    name: str
    share: UsageShare
    #: How many devices used it, the router itself and unresolved hosts left out; None for what is unknown.
    devices: int | None


@dataclass(frozen=True, kw_only=True)
class ProtocolUsage:
    """A router's (or one device's) usage over a range of local days, told apart."""

    days: HistoryRange
    totals: BucketUsage
    #: One page, those used most first. On all pages they add up to ``totals``.
    protocols: Sequence[ProtocolShare]
    #: How many there are on all pages.
    protocol_count: int
    #: These three add up to ``totals``.
    ipv4: UsageShare
    ipv6: UsageShare
    unknown: UsageShare


class ProtocolService:
    """Protocols of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get_protocols(
        self, context: RouterContext, *, start_date: date | None, end_date: date | None, page: int, page_size: int
    ) -> ProtocolUsage:
        """All devices together. Default range: the last 7 days. Raises RouterNotFound, ValidationFailed."""
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            read_one_moment(conn)
            days = self._days(conn, context, start_date, end_date)
            totals, _ = rollups_db.list_totals(conn, *owner, days.rollup, start=days.start, end=days.end)
            protocols = _list_protocols(conn, context, days)
        return _usage(days, totals, protocols, page, page_size)

    def get_device_protocols(
        self,
        context: RouterContext,
        mac: str,
        *,
        start_date: date | None,
        end_date: date | None,
        page: int,
        page_size: int,
    ) -> tuple[ProtocolUsage, str, str]:
        """One device's, its MAC and its name; of one that is merged into another, the other's.

        Raises DeviceNotFound as well, also for one out of monitoring.
        """
        owner = (context.session_id, context.router_id)
        with self._database.transaction() as conn:
            read_one_moment(conn)
            days = self._days(conn, context, start_date, end_date)
            record = devices_db.get_device_by_mac(conn, *owner, mac)
            device = None if mac == ZERO_MAC else check_is_shown(record)
            shown, macs = (device.mac, device.macs) if device else (mac, (mac,))
            rows = get_device_usage_history(conn, *owner, days.rollup, start=days.start, end=days.end, macs=[shown])
            protocols = _list_protocols(conn, context, days, macs)
        return _usage(days, [row[1:] for row in rows], protocols, page, page_size), shown, display_name(shown, record)

    def _days(
        self, conn: Connection, context: RouterContext, start_date: date | None, end_date: date | None
    ) -> HistoryRange:
        zone = zone_of(conn, context)
        now = self._clock()
        first, last = chosen_days(start_date, end_date, today=zone.day_of(now), most=MAX_DAYS)
        return load_range(
            conn, context, zone, buckets_between(first, last, Granularity.DAY, zone), Granularity.DAY, now
        )


def _list_protocols(
    conn: Connection, context: RouterContext, days: HistoryRange, macs: Sequence[str] | None = None
) -> list[ProtocolTotal]:
    return protocols_db.list_protocol_totals(
        conn, context.session_id, context.router_id, start=days.start, end=days.end, macs=macs
    )


def _usage(
    days: HistoryRange, totals: Sequence[Row], protocols: Sequence[ProtocolTotal], page: int, page_size: int
) -> ProtocolUsage:
    observed = total_of(fold(days, totals))
    total = (observed.bytes_down or 0, observed.bytes_up or 0)
    ipv4, ipv6 = NOTHING, NOTHING
    used: dict[str, tuple[Counters, int | None]] = {}
    for name, down4, up4, down6, up6, devices in protocols:
        ipv4, ipv6 = plus(ipv4, (down4, up4)), plus(ipv6, (down6, up6))
        used[name] = (down4 + down6, up4 + up6), devices
    unknown = total[0] - ipv4[0] - ipv6[0], total[1] - ipv4[1] - ipv6[1]
    if any(unknown):  # should the router call one of its protocols so, both are one
        used[UNKNOWN_PROTOCOL] = plus(used[UNKNOWN_PROTOCOL][0] if UNKNOWN_PROTOCOL in used else NOTHING, unknown), None
    ranked = sorted(used.items(), key=lambda item: (-sum(item[1][0]), item[0]))
    return ProtocolUsage(
        days=days,
        totals=observed,
        protocols=[
            ProtocolShare(name=name, share=_share(counters, total), devices=devices)
            for name, (counters, devices) in ranked[(page - 1) * page_size : page * page_size]
        ],
        protocol_count=len(ranked),
        ipv4=_share(ipv4, total),
        ipv6=_share(ipv6, total),
        unknown=_share(unknown, total),
    )


def _share(used: Counters, total: Counters) -> UsageShare:
    percentage = round(100 * sum(used) / sum(total), 1) if any(total) else None
    return UsageShare(bytes_down=used[0], bytes_up=used[1], percentage=percentage)
