"""Browsers that are signed in, for services/sessions. ``session_id`` is the account, ``id`` one of its browsers."""

from dataclasses import dataclass
from datetime import datetime

from db_operations.statements import Connection, Row, execute, fetch_all, fetch_one


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """One signed-in browser, without its secret."""

    id: str
    session_id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


_COLUMNS = "id, session_id, created_at, last_seen_at, expires_at, address, user_agent"


def insert_session(conn: Connection, session: SessionRecord, secret_hash: bytes) -> None:
    execute(
        conn,
        f"""
        INSERT INTO sessions ({_COLUMNS}, secret_hash)
        VALUES (%(id)s, %(session_id)s, %(created_at)s, %(last_seen_at)s, %(expires_at)s, %(address)s, %(user_agent)s,
                %(secret_hash)s)
        """,
        vars(session) | {"secret_hash": secret_hash},
    )


def find_session(conn: Connection, secret_hash: bytes) -> tuple[SessionRecord, str | None] | None:
    """With the e-mail address of its account; also one that has run out."""
    row = fetch_one(
        conn,
        f"""
        SELECT {_COLUMNS}, (SELECT email FROM users WHERE users.session_id = sessions.session_id)
        FROM sessions WHERE secret_hash = %(secret_hash)s
        """,
        {"secret_hash": secret_hash},
    )
    return (_session(row[:-1]), row[-1]) if row else None


def touch_session(conn: Connection, session_id: str, id: str, *, at: datetime) -> None:
    execute(
        conn,
        "UPDATE sessions SET last_seen_at = %(at)s WHERE session_id = %(session_id)s AND id = %(id)s",
        {"session_id": session_id, "id": id, "at": at},
    )


def list_sessions(
    conn: Connection, session_id: str, *, alive_at: datetime, seen_since: datetime
) -> list[SessionRecord]:
    """Those that still hold, the one seen last first."""
    rows = fetch_all(
        conn,
        f"""
        SELECT {_COLUMNS} FROM sessions
        WHERE session_id = %(session_id)s AND expires_at > %(alive_at)s AND last_seen_at > %(seen_since)s
        ORDER BY last_seen_at DESC, id
        """,
        {"session_id": session_id, "alive_at": alive_at, "seen_since": seen_since},
    )
    return [_session(row) for row in rows]


def has_session(conn: Connection, session_id: str, id: str) -> bool:
    """Whether it was not ended; also one that has run out."""
    row = fetch_one(
        conn,
        "SELECT 1 FROM sessions WHERE session_id = %(session_id)s AND id = %(id)s",
        {"session_id": session_id, "id": id},
    )
    return row is not None


def delete_session(conn: Connection, session_id: str, id: str) -> bool:
    return bool(
        execute(
            conn,
            "DELETE FROM sessions WHERE session_id = %(session_id)s AND id = %(id)s",
            {"session_id": session_id, "id": id},
        )
    )


def delete_sessions_of(conn: Connection, session_id: str) -> int:
    """All of an account; how many there were."""
    return execute(conn, "DELETE FROM sessions WHERE session_id = %(session_id)s", {"session_id": session_id})


def delete_sessions_beyond(conn: Connection, session_id: str, *, newest: int) -> int:
    """Those of an account but for the ``newest`` that were seen last; how many there were."""
    return execute(
        conn,
        """
        DELETE FROM sessions WHERE session_id = %(session_id)s AND id IN (
            SELECT id FROM sessions WHERE session_id = %(session_id)s
            ORDER BY last_seen_at DESC, created_at DESC, id OFFSET %(newest)s
        )
        """,
        {"session_id": session_id, "newest": newest},
    )


def delete_ended_sessions(conn: Connection, *, now: datetime, seen_since: datetime) -> int:
    """Of all accounts, those that run no longer."""
    return execute(
        conn,
        "DELETE FROM sessions WHERE expires_at <= %(now)s OR last_seen_at <= %(seen_since)s",
        {"now": now, "seen_since": seen_since},
    )


def _session(row: Row) -> SessionRecord:
    id_, session_id, created_at, last_seen_at, expires_at, address, user_agent = row
    return SessionRecord(
        id=id_,
        session_id=session_id,
        created_at=created_at,
        last_seen_at=last_seen_at,
        expires_at=expires_at,
        address=address,
        user_agent=user_agent,
    )
