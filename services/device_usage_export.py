"""Downloads of stored usage and reports: streams for spreadsheets and programs, the report for people.

Only readings, hours, days, … with usage have a row: of one that is not there, a history's coverage says whether nobody
used anything or nobody looked.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from db_operations.copy_stream import CopyStream, StreamLimits
from db_operations.database import Database
from db_operations.export_db import RowFormat, copy_usage
from services.context import RouterContext
from services.export_selection import ExportRequest, UsageSelection, select
from services.reports.pdf_report import render_pdf
from services.reports.report_page import report_page
from services.reports.reports import PeriodReport
from utils.errors import NetPilotError
from utils.file_names import file_name_part
from utils.spreadsheets import inert_cell
from utils.time import Clock

#: A download that takes longer, or of which nothing is fetched for so long, is cut off, and is seen to be: its chunks,
#: its JSON and its gzip have no end, and the last line of its CSV says so.
LIMITS = StreamLimits(timeout_s=3600, stall_s=60)

#: Downloads at the same time: each holds a connection to the database, and there are other things to do there.
MOST_AT_ONCE = 8

_BYTE_ORDER_MARK = "\ufeff".encode()


class Download:
    """A file to be: its name, and its content once somebody wants it."""

    def __init__(self, file_name: str, open_content: Callable[[Callable[[], bool]], "DownloadContent"]) -> None:
        self.file_name = file_name
        self._open_content = open_content

    def open(self, has_left: Callable[[], bool] = lambda: False) -> "DownloadContent":
        """Begin to read. ``has_left``: whether nobody waits for it any more. Raises DatabaseUnavailable."""
        return self._open_content(has_left)


class DownloadContent(Iterator[bytes]):
    """The bytes of a file. `close` ends the query behind it, also where none of it was read."""

    def __init__(self, rows: CopyStream, parts: Iterable[bytes]) -> None:
        self._rows = rows
        self._parts = iter(parts)

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        self._rows.close()


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file that is small enough to be made at once."""

    file_name: str
    content: bytes


#: Opens the rows of a selection: with these names, in this format, for a reader that may leave.
OpenRows = Callable[[Mapping[str, str], RowFormat, Callable[[], bool]], CopyStream]


def export_to_csv(selection: UsageSelection, open_rows: OpenRows, *, with_byte_order_mark: bool = False) -> Download:
    """The rows as CSV in UTF-8, with a header: start, end, mac, name, bytes_down, bytes_up, total_bytes.

    Readings have timestamp for start and end, and nlbwmon's own totals counter_down, counter_up. It opens safely in
    spreadsheets: a name that looks like a formula gets an apostrophe in front. Excel itself takes UTF-8 for what it is
    only ``with_byte_order_mark``.
    """
    names = {mac: inert_cell(name) for mac, name in selection.names.items()}

    def open_content(has_left: Callable[[], bool]) -> DownloadContent:
        rows = open_rows(names, RowFormat.CSV, has_left)
        return DownloadContent(rows, _lines(rows, _BYTE_ORDER_MARK if with_byte_order_mark else b""))

    return Download(f"{selection.file_stem}.csv", open_content)


def export_to_json(selection: UsageSelection, open_rows: OpenRows, *, envelope: bytes) -> Download:
    """The rows as one JSON document: ``envelope`` with them in its (only) empty list. Names are as they are."""
    head, tail = envelope.split(b"[]", 1)

    def open_content(has_left: Callable[[], bool]) -> DownloadContent:
        rows = open_rows(selection.names, RowFormat.JSON, has_left)
        return DownloadContent(rows, _document(rows, head + b"[", b"]" + tail))

    return Download(f"{selection.file_stem}.json", open_content)


def generate_usage_report(report: PeriodReport) -> Document:
    """The report as PDF, for people: its page in words and charts, under the name of router and days."""
    days = report.days.days
    words = ("netpilot-report", file_name_part(report.router_name), days.first.isoformat(), days.last.isoformat())
    content = render_pdf(report_page(report), report.made_at)
    return Document(file_name="_".join(word for word in words if word) + ".pdf", content=content)


class UsageExportService:
    """Exports of one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._at_once = threading.BoundedSemaphore(MOST_AT_ONCE)

    def to_csv(self, context: RouterContext, request: ExportRequest, *, with_byte_order_mark: bool = False) -> Download:
        """As `export_to_csv`. Raises ValidationFailed, RouterNotFound, DeviceNotFound."""
        selection = self._select(context, request)
        return export_to_csv(selection, self._opener(context, selection), with_byte_order_mark=with_byte_order_mark)

    def to_json(
        self, context: RouterContext, request: ExportRequest, *, envelope: Callable[[UsageSelection], bytes]
    ) -> Download:
        """As `export_to_json`. Raises ValidationFailed, RouterNotFound, DeviceNotFound."""
        selection = self._select(context, request)
        return export_to_json(selection, self._opener(context, selection), envelope=envelope(selection))

    def _select(self, context: RouterContext, request: ExportRequest) -> UsageSelection:
        with self._database.transaction() as conn:
            return select(conn, context, request, self._clock())

    def _opener(self, context: RouterContext, selection: UsageSelection) -> OpenRows:
        owner = (context.session_id, context.router_id)

        def open_rows(names: Mapping[str, str], row_format: RowFormat, has_left: Callable[[], bool]) -> CopyStream:
            return CopyStream(
                self._database,
                lambda conn, sink: copy_usage(conn, *owner, selection.rows, names, row_format, sink),
                LIMITS,
                at_once=self._at_once,
                has_left=has_left,
            )

        return open_rows


def _lines(rows: Iterable[bytes], first: bytes) -> Iterator[bytes]:
    """The CSV; one that breaks off says so in its last line, as old clients and proxies don't see it by its chunks."""
    if first:
        yield first
    try:
        yield from rows
    except Exception as error:
        reason = error.message if isinstance(error, NetPilotError) else "something went wrong"
        yield f'\n"INCOMPLETE: {reason} Rows are missing; download it again."\n'.encode()
        raise


def _document(lines: Iterable[bytes], head: bytes, tail: bytes) -> Iterator[bytes]:
    """Lines of JSON as a list, a line a row, between ``head`` and ``tail``."""
    yield head
    waiting = b""
    for chunk in lines:
        text = waiting + chunk
        waiting = b"\n" if text.endswith(b"\n") else b""
        yield text.removesuffix(b"\n").replace(b"\n", b",\n")
    yield tail
