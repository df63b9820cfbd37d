"""Who did what in an account, when and from where. Called by services/audit."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.errors import ForeignKeyViolation

from db_operations.statements import Connection, execute, fetch_all, fetch_one
from utils.errors import AccountGone


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """One thing that was done."""

    session_id: str
    at: datetime
    action: str
    subject: str
    actor: str
    address: str


_COLUMNS = "session_id, at, action, subject, actor, address"


def insert_audit(conn: Connection, record: AuditRecord) -> None:
    """Raises AccountGone."""
    try:
        execute(
            conn,
            f"""
            INSERT INTO audit_log ({_COLUMNS})
            VALUES (%(session_id)s, %(at)s, %(action)s, %(subject)s, %(actor)s, %(address)s)
            """,
            vars(record),
        )
    except ForeignKeyViolation:
        raise AccountGone from None


def count_audit(conn: Connection, session_id: str) -> int:
    row = fetch_one(
        conn, "SELECT count(*) FROM audit_log WHERE session_id = %(session_id)s", {"session_id": session_id}
    )
    assert row is not None
    return int(row[0])


def list_audit(conn: Connection, session_id: str, *, limit: int, offset: int) -> list[AuditRecord]:
    """The latest first."""
    rows = fetch_all(
        conn,
        f"""
        SELECT {_COLUMNS} FROM audit_log WHERE session_id = %(session_id)s
        ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
        """,
        {"session_id": session_id, "limit": limit, "offset": offset},
    )
    names = ("session_id", "at", "action", "subject", "actor", "address")
    return [AuditRecord(**dict(zip(names, row, strict=True))) for row in rows]


def delete_audit_beyond(conn: Connection, session_id: str, action: str, *, newest: int) -> int:
    """Those of an account and action but for the ``newest``; how many there were."""
    return execute(
        conn,
        """
        DELETE FROM audit_log WHERE session_id = %(session_id)s AND action = %(action)s AND id <= (
            SELECT id FROM audit_log WHERE session_id = %(session_id)s AND action = %(action)s
            ORDER BY id DESC OFFSET %(newest)s LIMIT 1
        )
        """,
        {"session_id": session_id, "action": action, "newest": newest},
    )


def delete_old_audit(conn: Connection, *, before: datetime) -> int:
    return execute(conn, "DELETE FROM audit_log WHERE at < %(before)s", {"before": before})
