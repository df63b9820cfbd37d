"""How many raw rows each router has of each day: kept beside the rows, because to count millions of them takes seconds.

Called only in the transactions that store and remove those rows, so that the counts are true after every commit.
"""

from datetime import date, datetime

from db_operations.statements import Connection, execute, fetch_one


def add_to_snapshot_day(conn: Connection, session_id: str, router_id: str, *, at: datetime, rows: int) -> None:
    """Count the ``rows`` of the reading taken at ``at``."""
    execute(
        conn,
        """
        INSERT INTO snapshot_days AS known (router_id, session_id, day, snapshots, oldest, newest)
        VALUES (%(router_id)s, %(session_id)s, (%(at)s AT TIME ZONE 'UTC')::date, %(rows)s, %(at)s, %(at)s)
        ON CONFLICT (router_id, day) DO UPDATE SET
            snapshots = known.snapshots + excluded.snapshots,
            oldest = least(known.oldest, excluded.oldest), newest = greatest(known.newest, excluded.newest)
        """,
        {"session_id": session_id, "router_id": router_id, "at": at, "rows": rows},
    )


def count_snapshots_of_day(conn: Connection, session_id: str, router_id: str, *, at: datetime) -> int:
    """Rows that the router has of the UTC day of ``at``."""
    row = fetch_one(
        conn,
        """
        SELECT snapshots FROM snapshot_days
        WHERE session_id = %(session_id)s AND router_id = %(router_id)s AND day = (%(at)s AT TIME ZONE 'UTC')::date
        """,
        {"session_id": session_id, "router_id": router_id, "at": at},
    )
    return int(row[0]) if row else 0


def delete_snapshot_days_before(conn: Connection, day: date) -> None:
    """Forget the counts of every UTC day before ``day``, of every account."""
    execute(conn, "DELETE FROM snapshot_days WHERE day < %(day)s", {"day": day})
