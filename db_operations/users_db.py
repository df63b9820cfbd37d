"""Accounts. Called by services/accounts."""

from dataclasses import dataclass
from datetime import datetime

from db_operations.statements import Connection, execute, fetch_all, fetch_one
from utils.errors import AccountGone


@dataclass(frozen=True, kw_only=True)
class UserRecord:
    """One account; ``session_id`` is its durable id."""

    session_id: str
    display_name: str
    #: Who vouches for this person, and by which name; None for the built-in user of the local mode.
    issuer: str | None = None
    subject: str | None = None
    email: str | None = None


_COLUMNS = "session_id, display_name, issuer, subject, email"


def insert_user_unless_there(conn: Connection, user: UserRecord) -> None:
    execute(
        conn,
        """
        INSERT INTO users (session_id, display_name) VALUES (%(session_id)s, %(display_name)s)
        ON CONFLICT (session_id) DO NOTHING
        """,
        {"session_id": user.session_id, "display_name": user.display_name},
    )


def lock_user(conn: Connection, session_id: str) -> None:
    """Nobody else who asks for this holds the account before the transaction ends. Raises AccountGone."""
    row = fetch_one(
        conn,
        "SELECT 1 FROM users WHERE session_id = %(session_id)s FOR NO KEY UPDATE",
        {"session_id": session_id},
    )
    if row is None:
        raise AccountGone


def upsert_signed_in_user(conn: Connection, user: UserRecord, *, at: datetime) -> UserRecord:
    """The account of this issuer and subject with the name and e-mail that it has now; ``user``'s id if it is new."""
    row = fetch_one(
        conn,
        f"""
        INSERT INTO users ({_COLUMNS}, created_at, last_sign_in_at)
        VALUES (%(session_id)s, %(display_name)s, %(issuer)s, %(subject)s, %(email)s, %(at)s, %(at)s)
        ON CONFLICT (issuer, subject) DO UPDATE
            SET display_name = excluded.display_name, email = excluded.email, last_sign_in_at = excluded.last_sign_in_at
        RETURNING {_COLUMNS}
        """,
        {
            "session_id": user.session_id,
            "display_name": user.display_name,
            "issuer": user.issuer,
            "subject": user.subject,
            "email": user.email,
            "at": at,
        },
    )
    assert row is not None
    return _user(row)


def get_user(conn: Connection, session_id: str) -> UserRecord | None:
    row = fetch_one(
        conn,
        f"SELECT {_COLUMNS} FROM users WHERE session_id = %(session_id)s",
        {"session_id": session_id},
    )
    return _user(row) if row else None


def lock_accounts(conn: Connection, *, email: str | None) -> list[str]:
    """`lock_user` of the accounts with that e-mail address (in lower case), None: of all; their ids."""
    rows = fetch_all(
        conn,
        """
        SELECT session_id FROM users WHERE %(email)s::text IS NULL OR email = %(email)s
        ORDER BY session_id FOR NO KEY UPDATE
        """,
        {"email": email},
    )
    return [session_id for (session_id,) in rows]


def delete_user(conn: Connection, session_id: str) -> bool:
    """With what hangs on it by foreign keys: browsers signed in, tokens, the audit log. Routers go before it."""
    return bool(execute(conn, "DELETE FROM users WHERE session_id = %(session_id)s", {"session_id": session_id}))


def _user(row: tuple[str, str, str | None, str | None, str | None]) -> UserRecord:
    session_id, display_name, issuer, subject, email = row
    return UserRecord(session_id=session_id, display_name=display_name, issuer=issuer, subject=subject, email=email)
