"""Which routers are due, claimed for one process: over all accounts at once. Called by the collector."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from db_operations.routers_db import ROUTER_COLUMNS, RouterRecord
from db_operations.statements import Connection, fetch_all

_IS_DUE = "(next_collect_at <= %(now)s OR next_collect_at > %(latest)s::timestamptz)"


def claim_due_routers(
    conn: Connection,
    *,
    now: datetime,
    claim_for: timedelta,
    limit: int,
    failing_limit: int | None = None,
    account_limit: int | None = None,
    busy: Sequence[str] = (),
    longest_wait: timedelta | None = None,
) -> list[RouterRecord]:
    """Routers that are due, claimed for this process: nobody else sees them as due before ``claim_for`` is over.

    Those that answered last time come first, and at most ``failing_limit`` of the others with them: failing ones can't
    crowd them out. A process that dies leaves its claim to run out.

    ``busy``: the routers that this process is reading already; they are not claimed. ``account_limit``: so many routers
    of one account at once, busy ones included and at most half of them failing ones, as long as another account has a
    router too. One that would wait for longer than ``longest_wait`` is due as well: its time was set by a wrong clock.
    """
    rows = fetch_all(
        conn,
        f"""
        WITH held AS (
            SELECT session_id, count(*) AS routers, count(*) FILTER (WHERE consecutive_failures > 0) AS failing
            FROM routers WHERE id = ANY(%(busy)s::text[]) GROUP BY session_id
        ), due AS (
            SELECT id, session_id, consecutive_failures > 0 AS is_failing,
                   row_number() OVER (PARTITION BY session_id ORDER BY consecutive_failures > 0, next_collect_at)
                       + coalesce(held.routers, 0) AS place,
                   row_number() OVER (PARTITION BY session_id, consecutive_failures > 0 ORDER BY next_collect_at)
                       + coalesce(held.failing, 0) AS failing_place
            FROM routers LEFT JOIN held USING (session_id)
            WHERE {_IS_DUE} AND id <> ALL(%(busy)s::text[])
        ), allowed AS (
            SELECT id, place FROM due
            WHERE %(account_limit)s::integer IS NULL OR (SELECT min(session_id) = max(session_id) FROM routers)
               OR place <= %(account_limit)s
                  AND (NOT is_failing OR failing_place <= greatest(1, %(account_limit)s / 2))
        ), answering AS (
            SELECT id FROM routers JOIN allowed USING (id) WHERE {_IS_DUE} AND consecutive_failures = 0
            ORDER BY place, next_collect_at LIMIT %(limit)s FOR UPDATE OF routers SKIP LOCKED
        ), failing AS (
            SELECT id FROM routers JOIN allowed USING (id) WHERE {_IS_DUE} AND consecutive_failures > 0
            ORDER BY place, next_collect_at
            LIMIT least(%(limit)s - (SELECT count(*) FROM answering), %(failing_limit)s)
            FOR UPDATE OF routers SKIP LOCKED
        )
        UPDATE routers SET next_collect_at = %(until)s, last_attempt_at = %(now)s
        WHERE id IN (SELECT id FROM answering UNION ALL SELECT id FROM failing)
        RETURNING {ROUTER_COLUMNS}
        """,
        {
            "now": now,
            "until": now + claim_for,
            "latest": now + longest_wait if longest_wait is not None else None,
            "limit": limit,
            "failing_limit": failing_limit,
            "account_limit": account_limit,
            "busy": list(busy),
        },
    )
    return [RouterRecord.from_row(row) for row in rows]
