"""Accounts. Called by services/accounts."""

from dataclasses import dataclass

from db_operations.statements import Connection, execute, fetch_one


@dataclass(frozen=True, kw_only=True)
class UserRecord:
    """One account; ``session_id`` is its durable id."""

    session_id: str
    display_name: str


def insert_user_unless_there(conn: Connection, user: UserRecord) -> None:
    execute(
        conn,
        """
        INSERT INTO users (session_id, display_name) VALUES (%(session_id)s, %(display_name)s)
        ON CONFLICT (session_id) DO NOTHING
        """,
        {"session_id": user.session_id, "display_name": user.display_name},
    )


def get_user(conn: Connection, session_id: str) -> UserRecord | None:
    row = fetch_one(
        conn,
        "SELECT session_id, display_name FROM users WHERE session_id = %(session_id)s",
        {"session_id": session_id},
    )
    return UserRecord(session_id=row[0], display_name=row[1]) if row else None
