"""Tokens with which programs act for an account. Called by services/api_tokens."""

from dataclasses import dataclass
from datetime import datetime

from db_operations.statements import Connection, Row, execute, fetch_all, fetch_one


@dataclass(frozen=True, kw_only=True)
class TokenRecord:
    """One token, without its secret."""

    id: str
    session_id: str
    name: str
    #: "read" or "write".
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


_COLUMNS = "id, session_id, name, scope, created_at, expires_at, last_used_at"


def insert_token(conn: Connection, token: TokenRecord, secret_hash: bytes) -> None:
    execute(
        conn,
        f"""
        INSERT INTO tokens ({_COLUMNS}, secret_hash)
        VALUES (%(id)s, %(session_id)s, %(name)s, %(scope)s, %(created_at)s, %(expires_at)s, %(last_used_at)s,
                %(secret_hash)s)
        """,
        vars(token) | {"secret_hash": secret_hash},
    )


def find_token(conn: Connection, secret_hash: bytes) -> tuple[TokenRecord, str | None] | None:
    """With the e-mail address of its account; also one that has run out."""
    row = fetch_one(
        conn,
        f"""
        SELECT {_COLUMNS}, (SELECT email FROM users WHERE users.session_id = tokens.session_id)
        FROM tokens WHERE secret_hash = %(secret_hash)s
        """,
        {"secret_hash": secret_hash},
    )
    return (_token(row[:-1]), row[-1]) if row else None


def touch_token(conn: Connection, session_id: str, id: str, *, at: datetime) -> None:
    execute(
        conn,
        "UPDATE tokens SET last_used_at = %(at)s WHERE session_id = %(session_id)s AND id = %(id)s",
        {"session_id": session_id, "id": id, "at": at},
    )


def count_tokens(conn: Connection, session_id: str) -> int:
    row = fetch_one(conn, "SELECT count(*) FROM tokens WHERE session_id = %(session_id)s", {"session_id": session_id})
    assert row is not None
    return int(row[0])


def list_tokens(conn: Connection, session_id: str) -> list[TokenRecord]:
    """The newest first; those that have run out too, until they are deleted."""
    rows = fetch_all(
        conn,
        f"SELECT {_COLUMNS} FROM tokens WHERE session_id = %(session_id)s ORDER BY created_at DESC, id",
        {"session_id": session_id},
    )
    return [_token(row) for row in rows]


def delete_token(conn: Connection, session_id: str, id: str) -> bool:
    return bool(
        execute(
            conn,
            "DELETE FROM tokens WHERE session_id = %(session_id)s AND id = %(id)s",
            {"session_id": session_id, "id": id},
        )
    )


def delete_tokens_of(conn: Connection, session_id: str) -> int:
    """All of an account; how many there were."""
    return execute(conn, "DELETE FROM tokens WHERE session_id = %(session_id)s", {"session_id": session_id})


def _token(row: Row) -> TokenRecord:
    id_, session_id, name, scope, created_at, expires_at, last_used_at = row
    return TokenRecord(
        id=id_,
        session_id=session_id,
        name=name,
        scope=scope,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
    )
