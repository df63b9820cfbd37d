"""What happened to a router's counters and devices: a row an event, with its span and what it means for usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from db_operations.statements import Connection, Row, execute, fetch_all, fetch_one


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """One event. ``start_at`` = ``end_at`` for what has no length."""

    type: str
    start_at: datetime
    end_at: datetime
    message: str
    #: None: it concerns the router as a whole.
    device_mac: str | None = None
    #: recovered, estimated or unknown: how far usage of that span is to be trusted; None: it says nothing of it.
    quality: str | None = None
    #: How often it happened in that span, where it did so again and again.
    times: int = 1

    @classmethod
    def from_row(cls, row: Row) -> "EventRecord":
        return cls(
            type=row[0],
            start_at=row[1],
            end_at=row[2],
            message=row[3],
            device_mac=row[4],
            quality=row[5],
            times=row[6],
        )


def insert_event(conn: Connection, session_id: str, router_id: str, event: EventRecord) -> None:
    execute(
        conn,
        """
        INSERT INTO events (session_id, router_id, type, start_at, end_at, device_mac, quality, message, times)
        VALUES (%(session_id)s, %(router_id)s, %(type)s, %(start_at)s, %(end_at)s, %(device_mac)s, %(quality)s,
                %(message)s, %(times)s)
        """,
        {"session_id": session_id, "router_id": router_id, **vars(event)},
    )


#: Two messages that differ in their numbers alone: so many rows, the period of that date.
_SAME_WORDS = "regexp_replace(message, '[0-9]+', '', 'g') = regexp_replace(%(message)s, '[0-9]+', '', 'g')"


def extend_event(
    conn: Connection, session_id: str, router_id: str, event: EventRecord, *, in_same_words: bool = False
) -> bool:
    """Let the latest event of this type go on, if it is about the same or the adjoining span; whether it was.

    ``in_same_words``: only where both messages say the same but for their numbers.
    """
    return bool(
        execute(
            conn,
            f"""
            UPDATE events SET end_at = %(end_at)s, message = %(message)s
            WHERE router_id = %(router_id)s AND id = (
                SELECT id FROM events
                WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND type = %(type)s
                  AND device_mac IS NOT DISTINCT FROM %(device_mac)s
                ORDER BY start_at DESC, id DESC LIMIT 1
            ) AND (start_at = %(start_at)s OR end_at = %(start_at)s) AND end_at <= %(end_at)s
              AND quality IS NOT DISTINCT FROM %(quality)s AND (NOT %(in_same_words)s OR {_SAME_WORDS})
            """,
            {"session_id": session_id, "router_id": router_id, "in_same_words": in_same_words, **vars(event)},
        )
    )


def prolong_latest_event(
    conn: Connection, session_id: str, router_id: str, event_type: str, *, until: datetime
) -> None:
    """Let the event of this type that was stored last go on ``until`` then; where there is none, nothing happens."""
    execute(
        conn,
        """
        UPDATE events SET end_at = greatest(end_at, %(until)s)
        WHERE router_id = %(router_id)s AND id = (
            SELECT max(id) FROM events
            WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND type = %(type)s
        )
        """,
        {"session_id": session_id, "router_id": router_id, "type": event_type, "until": until},
    )


def repeat_event(
    conn: Connection, session_id: str, router_id: str, event: EventRecord, *, within: timedelta, own: int
) -> bool:
    """Count ``event`` to the latest that says the same, if that is one more of a series; whether it was.

    Of those that each come ``within`` that time of the one before, the first ``own`` stay by themselves; the last of
    them is the series, and grows. What says the same: type, device, quality, and the words but for their numbers.
    """
    return bool(
        execute(
            conn,
            f"""
            WITH alike AS (
                SELECT id, start_at, times FROM events
                WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND type = %(type)s
                  AND device_mac IS NOT DISTINCT FROM %(device_mac)s AND quality IS NOT DISTINCT FROM %(quality)s
                  AND end_at > %(start_at)s - %(within)s AND start_at <= %(start_at)s AND {_SAME_WORDS}
                ORDER BY start_at DESC, id DESC LIMIT %(own)s
            )
            UPDATE events SET end_at = greatest(end_at, %(end_at)s), message = %(message)s, times = times + 1
            WHERE router_id = %(router_id)s AND id = (SELECT id FROM alike ORDER BY start_at DESC, id DESC LIMIT 1)
              AND (times > 1 OR (SELECT count(*) FROM alike) = %(own)s)
            """,
            {"session_id": session_id, "router_id": router_id, **vars(event), "within": within, "own": own},
        )
    )


def list_events(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    start: datetime,
    end: datetime,
    types: Sequence[str] | None,
    macs: Sequence[str] | None,
    limit: int,
    offset: int,
) -> list[EventRecord]:
    """Events that touch ``start``..``end``, the latest first."""
    rows = fetch_all(
        conn,
        f"""
        SELECT type, start_at, end_at, message, device_mac, quality, times FROM events
        WHERE {_FILTER} ORDER BY start_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
        """,
        {**_filter(session_id, router_id, start, end, types, macs), "limit": limit, "offset": offset},
    )
    return [EventRecord.from_row(row) for row in rows]


def count_events(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    start: datetime,
    end: datetime,
    types: Sequence[str] | None,
    macs: Sequence[str] | None,
) -> int:
    row = fetch_one(
        conn, f"SELECT count(*) FROM events WHERE {_FILTER}", _filter(session_id, router_id, start, end, types, macs)
    )
    assert row is not None
    return int(row[0])


_FILTER = """
    session_id = %(session_id)s AND router_id = %(router_id)s AND start_at <= %(end)s AND end_at >= %(start)s
    AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
    AND (%(macs)s::text[] IS NULL OR device_mac = ANY (%(macs)s::text[]))
"""


def _filter(
    session_id: str,
    router_id: str,
    start: datetime,
    end: datetime,
    types: Sequence[str] | None,
    macs: Sequence[str] | None,
) -> dict[str, object]:
    return {
        "session_id": session_id,
        "router_id": router_id,
        "start": start,
        "end": end,
        "types": None if types is None else list(types),
        "macs": None if macs is None else list(macs),
    }


class QualitySpan(NamedTuple):
    """What an event says of the usage of its span."""

    start_at: datetime
    end_at: datetime
    quality: str
    type: str
    #: How often it happened from start to end.
    times: int


def list_qualities(
    conn: Connection, session_id: str, router_id: str, *, start: datetime, end: datetime
) -> list[QualitySpan]:
    """How far usage between ``start`` and ``end`` is to be trusted, by time. What isn't spoken of was measured."""
    rows = fetch_all(
        conn,
        """
        SELECT start_at, end_at, quality, type, times FROM events
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s
          AND quality IS NOT NULL AND start_at < %(end)s AND end_at > %(start)s
        ORDER BY start_at, id
        """,
        {"session_id": session_id, "router_id": router_id, "start": start, "end": end},
    )
    return [QualitySpan._make(row) for row in rows]
