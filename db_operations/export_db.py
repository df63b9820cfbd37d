"""Usage rows as a stream of text, straight from PostgreSQL's COPY: as long as one likes, in constant memory."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import psycopg2

from db_operations.arrays import text_array
from db_operations.database import Database
from db_operations.rollups_db import HOURLY, Rollup
from db_operations.statements import Connection
from utils.errors import DatabaseUnavailable

_CHUNK_BYTES: Final = 64 * 1024

#: So many chunks may wait for the reader; then the server waits, too.
_MOST_CHUNKS: Final = 4


#: How long a reader that leaves waits for the connection to be back; it comes back after that, too.
_CLOSE_TIMEOUT_S: Final = 5.0


class RowFormat(StrEnum):
    """How a row is written, a line each."""

    #: RFC 4180 with a header line.
    CSV = "csv"
    #: One JSON object a line, camelCase.
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class ExportedRange:
    """Which rows: those of ``start`` <= bucket < ``end`` in the rollup."""

    rollup: Rollup
    start: date | datetime
    end: date | datetime
    #: None: all devices.
    mac: str | None
    #: Where each local day begins, in order, from the first one on, and where it ends.
    day_starts: Sequence[datetime]
    day_ends: Sequence[datetime]
    first_day: date


#: A bucket's own span. Hours are cut by the end of their local day, in zones whose midnight is no full UTC hour.
_HOUR_SPAN = """
    slot_start AS start_at,
    least(date_trunc('hour', slot_start) + interval '1 hour',
          (%(day_ends)s::timestamptz[])[width_bucket(slot_start, %(day_starts)s::timestamptz[])]) AS end_at
"""
_DAY_SPAN = """
    (%(day_starts)s::timestamptz[])[start_date - %(first_day)s::date + 1] AS start_at,
    (%(day_ends)s::timestamptz[])[start_date - %(first_day)s::date + 1] AS end_at
"""

#: Sums of two counters may exceed BIGINT.
_USAGE = """
    SELECT to_char(start_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS start,
           to_char(end_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "end",
           device_mac AS mac, coalesce(name, device_mac) AS name,
           total_download AS {down}, total_upload AS {up}, total_download::numeric + total_upload AS {total}
    FROM (
        SELECT {bucket} AS bucket, {span}, device_mac, total_download, total_upload FROM {source}
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND {bucket} >= %(start)s AND {bucket} < %(end)s AND (%(mac)s::text IS NULL OR device_mac = %(mac)s)
    ) AS used
    LEFT JOIN unnest(%(macs)s::text[], %(names)s::text[]) AS known (mac, name) ON known.mac = device_mac
    ORDER BY bucket, device_mac
"""
_COPY = {
    RowFormat.CSV: "COPY ({usage}) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')",
    # As CSV whose quote and separator never occur in JSON, each row stays as it is: COPY's text format would double
    # every backslash.
    RowFormat.JSON: r"COPY (SELECT row_to_json(usage) FROM ({usage}) AS usage) TO STDOUT "
    r"WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')",
}
_COLUMNS = {
    RowFormat.CSV: {"down": "bytes_down", "up": "bytes_up", "total": "total_bytes"},
    RowFormat.JSON: {"down": '"bytesDown"', "up": '"bytesUp"', "total": '"totalBytes"'},
}


def copy_usage(
    conn: Connection,
    session_id: str,
    router_id: str,
    exported: ExportedRange,
    names: Mapping[str, str],
    row_format: RowFormat,
    sink: "CopyStream",
) -> None:
    """COPY the rows into ``sink``, by time and MAC. ``names``: what devices are called, by MAC."""
    usage = _USAGE.format(
        span=_HOUR_SPAN if exported.rollup is HOURLY else _DAY_SPAN,
        source=exported.rollup.source,
        bucket=exported.rollup.bucket,
        **_COLUMNS[row_format],
    )
    params = {
        "session_id": session_id,
        "router_id": router_id,
        "start": exported.start,
        "end": exported.end,
        "mac": exported.mac,
        "day_starts": text_array(moment.isoformat() for moment in exported.day_starts),
        "day_ends": text_array(moment.isoformat() for moment in exported.day_ends),
        "first_day": exported.first_day,
        "macs": text_array(names.keys()),
        "names": text_array(names.values()),
    }
    with conn.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(_COPY[row_format].format(usage=usage), params).decode(), sink)


class _ReaderHasLeft(Exception):
    """Ends the COPY of a stream that was closed."""


class CopyStream(Iterator[bytes]):
    """What ``copy`` writes into it, as chunks for one reader.

    psycopg2 pushes a COPY; so it runs in a thread of its own, a few chunks ahead of the reader and no further. The
    connection goes back when the rows are through, when the reader closes the stream, or when ``timeout_s`` is over,
    whichever is first.
    """

    def __init__(self, database: Database, copy: Callable[[Connection, "CopyStream"], None], timeout_s: float) -> None:
        """Begins at once, and waits for the first chunk. Raises DatabaseUnavailable where there is none to be had."""
        self._database = database
        self._copy = copy
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._row_buffer = bytearray()
        self._conn: Connection | None = None
        self._is_closed = False
        self._is_over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._is_over)
            if self._error:
                raise self._error

    def __next__(self) -> bytes:
        """Raises DatabaseUnavailable where the rows end before their time."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._is_over)
            if self._chunks:
                self._changed.notify_all()
                return self._chunks.popleft()
            if self._error:
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """Stop the COPY, if it still runs, and give its connection back. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._chunks.clear()
            self._changed.notify_all()
            if self._conn is not None:  # else it has its connection not yet, or it is another's by now
                with contextlib.suppress(psycopg2.Error):
                    self._conn.cancel()
        self._thread.join(_CLOSE_TIMEOUT_S)

    # --- in the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with self._database.transaction(timeout_s=self._timeout_s) as conn:
                self._hold(conn)
                try:
                    self._copy(conn, self)
                finally:
                    self._hold(None)
                self._pass_on()
        except BaseException as raised:  # the reader's to handle, whatever it is
            error = raised
        with self._changed:
            self._error = error
            self._is_over = True
            self._changed.notify_all()

    def _hold(self, conn: Connection | None) -> None:
        with self._changed:
            self._conn = conn
            if conn is not None and self._is_closed:
                raise _ReaderHasLeft

    def write(self, data: bytes) -> int:
        """Called by the COPY with every row."""
        self._row_buffer += data
        if len(self._row_buffer) >= _CHUNK_BYTES:
            self._pass_on()
        return len(data)

    def _pass_on(self) -> None:
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: self._is_closed or len(self._chunks) < _MOST_CHUNKS, self._deadline - time.monotonic()
            )
            if self._is_closed:
                raise _ReaderHasLeft
            if not in_time:
                raise DatabaseUnavailable(f"The export was not fetched within {self._timeout_s:g} s.")
            if self._row_buffer:
                self._chunks.append(bytes(self._row_buffer))
                self._row_buffer.clear()
                self._changed.notify_all()
