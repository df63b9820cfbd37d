"""Downloads of stored usage and reports: streams for spreadsheets and programs, the report for people.

Only buckets with usage have a row: of an hour or day that is not there, a history's coverage says whether nobody used
anything or nobody looked.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import chain

from db_operations.database import Database
from db_operations.export_db import CopyStream, ExportedRange, RowFormat, copy_usage
from db_operations.rollups_db import DAILY, HOURLY
from services.buckets import Granularity, buckets_between
from services.context import RouterContext
from services.device_usage_analytics import UsageReport, generate_usage_reports
from services.device_usage_service import display_name
from services.history_range import devices_by_mac, zone_of
from services.usage_analytics import Days, ReportMaterial, ReportPeriod, UsageAnalyticsService, chosen_days
from utils.errors import DeviceNotFound
from utils.mac import ZERO_MAC
from utils.time import Clock

#: The longest range of local days for each granularity.
MOST_DAYS = {Granularity.HOUR: 400, Granularity.DAY: 3_700}

#: A download that takes longer than this is cut off, and is seen to be: its chunks, and its JSON, have no end.
EXPORT_TIMEOUT_S = 300.0

#: What a spreadsheet takes for the beginning of a formula, and what hides one from us but not from it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

_BYTE_ORDER_MARK = "\ufeff".encode()


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What somebody wants to download: local days, both included; the last 7 by default."""

    start_date: date | None = None
    end_date: date | None = None
    granularity: Granularity = Granularity.DAY
    #: None: all devices.
    mac: str | None = None


class Download(Iterator[bytes]):
    """The bytes of a file. `close` ends the query behind it, also where none of it was read."""

    def __init__(self, file_name: str, rows: CopyStream, parts: Iterable[bytes]) -> None:
        self.file_name = file_name
        self._rows = rows
        self._parts = iter(parts)

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        self._rows.close()


@dataclass(frozen=True, kw_only=True)
class UsageSelection:
    """Which usage is exported, and what the devices in it are called, by MAC."""

    days: Days
    granularity: Granularity
    rows: ExportedRange
    names: Mapping[str, str]

    @property
    def file_stem(self) -> str:
        """Such as netpilot-usage_2026-11-01_2026-11-07_day."""
        device = f"_{self.rows.mac.replace(':', '-')}" if self.rows.mac else ""
        return f"netpilot-usage_{self.days.first}_{self.days.last}_{self.granularity}{device}"


@dataclass(frozen=True, kw_only=True)
class NamedReport:
    """A report, and what the devices in it are called, by MAC."""

    report: UsageReport
    timezone: str
    names: Mapping[str, str]


def export_to_csv(
    database: Database, context: RouterContext, selection: UsageSelection, *, with_byte_order_mark: bool = False
) -> Download:
    """The rows as CSV in UTF-8, with a header: start, end, mac, name, bytes_down, bytes_up, total_bytes.

    Opens safely in spreadsheets: a name that looks like a formula gets an apostrophe in front. Excel itself takes
    UTF-8 for what it is only ``with_byte_order_mark``. Raises DatabaseUnavailable.
    """
    names = {mac: _spreadsheet_safe(name) for mac, name in selection.names.items()}
    rows = _open_rows(database, context, selection, names, RowFormat.CSV)
    parts = chain([_BYTE_ORDER_MARK], rows) if with_byte_order_mark else rows
    return Download(f"{selection.file_stem}.csv", rows, parts)


def export_to_json(
    database: Database, context: RouterContext, selection: UsageSelection, *, envelope: bytes
) -> Download:
    """The rows as one JSON document: ``envelope`` with them in its (first) empty list. Raises DatabaseUnavailable."""
    rows = _open_rows(database, context, selection, selection.names, RowFormat.JSON)
    head, tail = envelope.split(b"[]", 1)
    return Download(f"{selection.file_stem}.json", rows, chain([head + b"["], _separated(rows), [b"]" + tail]))


def generate_usage_report(material: ReportMaterial) -> NamedReport:
    """The report on a period, from what `UsageAnalyticsService.gather_report` has gathered."""
    report = generate_usage_reports(
        material.period, material.previous, material.anomalies, material.names, unranked=material.unranked
    )
    return NamedReport(report=report, timezone=material.timezone, names=material.names)


class UsageExportService:
    """Exports of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, analytics: UsageAnalyticsService, clock: Clock) -> None:
        self._database = database
        self._analytics = analytics
        self._clock = clock

    def to_csv(self, context: RouterContext, request: ExportRequest, *, with_byte_order_mark: bool = False) -> Download:
        """As `export_to_csv`. Raises ValidationFailed, DeviceNotFound, too."""
        selection = self._select(context, request)
        return export_to_csv(self._database, context, selection, with_byte_order_mark=with_byte_order_mark)

    def to_json(self, context: RouterContext, request: ExportRequest, *, envelope: bytes) -> Download:
        """As `export_to_json`. Raises ValidationFailed, DeviceNotFound, too."""
        return export_to_json(self._database, context, self._select(context, request), envelope=envelope)

    def report(self, context: RouterContext, period: ReportPeriod, end_date: date | None) -> NamedReport:
        """The report on the period that ends with ``end_date``; today, so far, if it is left out."""
        return generate_usage_report(self._analytics.gather_report(context, period, end_date))

    def _select(self, context: RouterContext, request: ExportRequest) -> UsageSelection:
        with self._database.transaction() as conn:
            zone = zone_of(conn, context)
            today = zone.day_of(self._clock())
            days = chosen_days(request.start_date, request.end_date, today, MOST_DAYS[request.granularity])
            records = devices_by_mac(conn, context)
        if request.mac is not None and request.mac not in records and request.mac != ZERO_MAC:
            raise DeviceNotFound
        spans = [bucket.span for bucket in buckets_between(days.first, days.last, Granularity.DAY, zone)]
        is_hourly = request.granularity is Granularity.HOUR
        return UsageSelection(
            days=days,
            granularity=request.granularity,
            rows=ExportedRange(
                rollup=HOURLY if is_hourly else DAILY,
                start=spans[0].start if is_hourly else days.first,
                end=spans[-1].end if is_hourly else days.last + timedelta(days=1),
                mac=request.mac,
                day_starts=[span.start for span in spans],
                day_ends=[span.end for span in spans],
                first_day=days.first,
            ),
            names={mac: display_name(mac, records.get(mac)) for mac in (*records, ZERO_MAC)},
        )


def _open_rows(
    database: Database,
    context: RouterContext,
    selection: UsageSelection,
    names: Mapping[str, str],
    row_format: RowFormat,
) -> CopyStream:
    copy = partial(
        copy_usage,
        session_id=context.session_id,
        router_id=context.router_id,
        exported=selection.rows,
        names=names,
        row_format=row_format,
    )
    return CopyStream(database, lambda conn, sink: copy(conn, sink=sink), EXPORT_TIMEOUT_S)


def _spreadsheet_safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _separated(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of JSON, in chunks, with commas between them instead of their ends."""
    waiting = b""
    for chunk in lines:
        text = waiting + chunk
        waiting = b"\n" if text.endswith(b"\n") else b""
        yield text.removesuffix(b"\n").replace(b"\n", b",\n")
