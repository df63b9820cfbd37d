"""Usage rows as text, straight from PostgreSQL's COPY, a line a row: what downloads are made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import IO

from db_operations.arrays import text_array
from db_operations.rollups_db import Rollup
from db_operations.shown_devices_db import ShownDevices
from db_operations.statements import Connection, fetch_one


class RowFormat(StrEnum):
    """How a row is written."""

    #: RFC 4180 with a header line.
    CSV = "csv"
    #: One JSON object a line, camelCase.
    JSON = "json"


class RowKind(StrEnum):
    """What a row is."""

    #: A device in a reading.
    READING = "reading"
    #: A device in an hour, in a day, in several days together.
    HOUR = "hour"
    DAY = "day"
    DAYS = "days"


@dataclass(frozen=True, kw_only=True)
class ExportedRows:
    """Which rows: those from ``start`` up to, not including, ``end``, by time and MAC."""

    kind: RowKind
    #: Days for DAY and DAYS, else moments.
    start: date | datetime
    end: date | datetime
    #: None: all.
    macs: Sequence[str] | None
    #: Merged devices are one, but in readings; those out of monitoring have no row.
    shown: ShownDevices
    #: The local days, weeks, months that cover them, in order: the first day of each, where it begins and ends. For
    #: hours: the days.
    first_days: Sequence[date]
    starts: Sequence[datetime]
    ends: Sequence[datetime]


def _iso(column: str) -> str:
    """ISO 8601 of a moment. Every session here speaks UTC and ISO (`database.py`); to_char takes ten times as long."""
    return f"replace(replace({column}::text, ' ', 'T'), '+00', 'Z')"


#: A lookup in jsonb keeps the order of the key, where a join would have PostgreSQL sort before it sends a row.
_WHO = "device_mac AS mac, coalesce(%(names)s::jsonb ->> device_mac, device_mac) AS name"

#: Sums of two counters may exceed BIGINT.
_BYTES = "used_down AS {down}, used_up AS {up}, used_down::numeric + used_up AS {total}"

_OWN = """
    session_id = %(session_id)s AND router_id = %(router_id)s
    AND (%(macs)s::text[] IS NULL OR device_mac = ANY (%(macs)s::text[]))
    AND (%(hidden)s::text[] IS NULL OR device_mac <> ALL (%(hidden)s::text[]))
"""

_READINGS = f"""
    SELECT {_iso("timestamp")} AS timestamp, {_WHO}, {_BYTES},
           bytes_downloaded AS {{counter_down}}, bytes_uploaded AS {{counter_up}}
    FROM (
        SELECT timestamp, device_mac, usage_down AS used_down, usage_up AS used_up, bytes_downloaded, bytes_uploaded
        FROM device_usage_monitoring
        WHERE {_OWN} AND timestamp >= %(start)s AND timestamp < %(end)s
    ) AS used
    ORDER BY used.timestamp, device_mac
"""

_BUCKETS = f"""
    SELECT {_iso("start_at")} AS start, {_iso("end_at")} AS "end", {_WHO}, {_BYTES}
    FROM ({{used}}) AS used
    ORDER BY {{order}}, device_mac
"""

#: Hours are cut by the end of their local day, in zones whose midnight is no full UTC hour.
_HOURS = f"""
    SELECT slot_start, slot_start AS start_at,
           least(date_trunc('hour', slot_start) + interval '1 hour',
                 (%(ends)s::timestamptz[])[width_bucket(slot_start, %(starts)s::timestamptz[])]) AS end_at,
           device_mac, total_download AS used_down, total_upload AS used_up
    FROM device_usage_hourly
    WHERE {_OWN} AND slot_start >= %(start)s AND slot_start < %(end)s
"""

_SPAN_OF_DAY = """
    (%(starts)s::timestamptz[])[width_bucket(start_date, %(first_days)s::date[])] AS start_at,
    (%(ends)s::timestamptz[])[width_bucket(start_date, %(first_days)s::date[])] AS end_at
"""

_DAYS_OF = f"""
    FROM device_usage_history
    WHERE {_OWN} AND span = 'day' AND start_date >= %(start)s AND start_date < %(end)s
"""

_DAY = f"""
    SELECT start_date, {_SPAN_OF_DAY}, device_mac, total_download AS used_down, total_upload AS used_up {_DAYS_OF}
"""

_SEVERAL_DAYS = f"""
    SELECT {_SPAN_OF_DAY}, device_mac, sum(total_download) AS used_down, sum(total_upload) AS used_up {_DAYS_OF}
    GROUP BY start_at, end_at, device_mac
"""

#: What all MACs of a device used together.
_MERGED = """
    SELECT {order} AS bucket, min(start_at) AS start_at, min(end_at) AS end_at,
           coalesce(%(merged)s::jsonb ->> device_mac, device_mac) AS device_mac,
           sum(used_down) AS used_down, sum(used_up) AS used_up
    FROM ({used}) AS own
    GROUP BY {order}, coalesce(%(merged)s::jsonb ->> device_mac, device_mac)
"""

#: The usage of each kind, and the column that its buckets are in the order of.
_USED = {
    RowKind.HOUR: (_HOURS, "slot_start"),
    RowKind.DAY: (_DAY, "start_date"),
    RowKind.DAYS: (_SEVERAL_DAYS, "start_at"),
}

_COPY = {
    RowFormat.CSV: "COPY ({rows}) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')",
    # As CSV whose quote and separator never occur in JSON, each row stays as it is: COPY's text format would double
    # every backslash.
    RowFormat.JSON: r"COPY (SELECT row_to_json(usage) FROM ({rows}) AS usage) TO STDOUT "
    r"WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')",
}

_COLUMNS = {
    RowFormat.CSV: {
        "down": "bytes_down",
        "up": "bytes_up",
        "total": "total_bytes",
        "counter_down": "counter_down",
        "counter_up": "counter_up",
    },
    RowFormat.JSON: {
        "down": '"bytesDown"',
        "up": '"bytesUp"',
        "total": '"totalBytes"',
        "counter_down": '"counterDown"',
        "counter_up": '"counterUp"',
    },
}


def copy_usage(
    conn: Connection,
    session_id: str,
    router_id: str,
    wanted: ExportedRows,
    names: Mapping[str, str],
    row_format: RowFormat,
    sink: IO[bytes],
) -> None:
    """COPY the rows into ``sink``. ``names``: what devices are called, by MAC."""
    with conn.cursor() as cursor:
        cursor.copy_expert(copy_statement(conn, session_id, router_id, wanted, names, row_format), sink)


def copy_statement(
    conn: Connection,
    session_id: str,
    router_id: str,
    wanted: ExportedRows,
    names: Mapping[str, str],
    row_format: RowFormat,
) -> str:
    """The COPY of `copy_usage` as it is sent: COPY itself takes no parameters, so they are quoted here."""
    rows = _rows_of(wanted).format(**_COLUMNS[row_format])
    statement = _COPY[row_format].format(rows=rows)
    params = {
        "session_id": session_id,
        "router_id": router_id,
        "start": wanted.start,
        "end": wanted.end,
        "macs": None if wanted.macs is None else text_array(wanted.macs),
        "hidden": text_array(wanted.shown.hidden) if wanted.shown.hidden else None,
        "merged": json.dumps(dict(wanted.shown.merged)),
        "first_days": text_array(day.isoformat() for day in wanted.first_days),
        "starts": text_array(moment.isoformat() for moment in wanted.starts),
        "ends": text_array(moment.isoformat() for moment in wanted.ends),
        "names": json.dumps(dict(names)),
    }
    with conn.cursor() as cursor:
        return cursor.mogrify(statement, params).decode()


def _rows_of(wanted: ExportedRows) -> str:
    """Their SELECT, with the names of the format's columns still to be put in."""
    if wanted.kind is RowKind.READING:
        return _READINGS
    used, order = _USED[wanted.kind]
    if wanted.shown.merged:
        used, order = _MERGED.replace("{used}", used).replace("{order}", order), "bucket"
    return _BUCKETS.replace("{used}", used).replace("{order}", order)


def get_stored_buckets(
    conn: Connection, session_id: str, router_id: str, rollup: Rollup
) -> tuple[date | datetime, date | datetime] | None:
    """The first and the last bucket that has usage; None where none has."""
    row = fetch_one(
        conn,
        f"""
        SELECT min({rollup.bucket}), max({rollup.bucket}) FROM {rollup.source}
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
        """,
        {"session_id": session_id, "router_id": router_id},
    )
    assert row is not None
    return None if row[0] is None else (row[0], row[1])
