"""Routers: registration and the collector's schedule. Called by services/routers and the collector.

Every statement is bound to the account; the claim, which serves all accounts at once, is in due_routers_db.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg2.errors import UniqueViolation

from db_operations.statements import Connection, execute, fetch_all, fetch_one
from utils.errors import Conflict

#: As `RouterRecord.from_row` takes them.
ROUTER_COLUMNS = """
    id, session_id, name, host, port, username, credentials, host_key, former_host_key, presented_host_key,
    timezone, collect_interval_minutes, next_collect_at, last_attempt_at, last_success_at, is_frozen,
    consecutive_failures, last_error_at, last_error_code, last_error_message, created_at, updated_at
"""


@dataclass(frozen=True, kw_only=True)
class RouterRecord:
    """One registered router."""

    id: str
    session_id: str
    name: str
    host: str
    port: int
    username: str
    #: Encrypted; services/credentials opens it.
    credentials: bytes = field(repr=False)
    #: Pinned at first contact, None before.
    host_key: str | None = None
    #: The one pinned before the address changed; None where one is pinned.
    former_host_key: str | None = None
    #: The key it showed last in place of the pinned one, until a person accepts it; None where it showed no other.
    presented_host_key: str | None = None
    #: None until a person says it or the router told it.
    timezone: str | None = None
    collect_interval_minutes: int
    next_collect_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    #: As of then no counter had moved for so long that nobody counts.
    is_frozen: bool = False
    consecutive_failures: int = 0
    last_error_at: datetime | None = None
    last_error_code: str | None = None
    last_error_message: str | None = None
    created_at: datetime | None = None
    #: When a person last changed how it is reached.
    updated_at: datetime | None = None

    @classmethod
    def from_row(cls, row: tuple[object, ...]) -> "RouterRecord":
        values = dict(zip((name.strip() for name in ROUTER_COLUMNS.split(",")), row, strict=True))
        values["credentials"] = bytes(values["credentials"])  # type: ignore[call-overload]
        return cls(**values)  # type: ignore[arg-type]


def insert_router(conn: Connection, router: RouterRecord) -> RouterRecord:
    """Store a new router. Raises Conflict where the account has one at this host and port."""
    params = {
        "id": router.id,
        "session_id": router.session_id,
        "name": router.name,
        "host": router.host,
        "port": router.port,
        "username": router.username,
        "credentials": router.credentials,
        "timezone": router.timezone,
        "interval": router.collect_interval_minutes,
    }
    try:
        row = fetch_one(
            conn,
            f"""
            INSERT INTO routers (id, session_id, name, host, port, username, credentials, timezone,
                                 collect_interval_minutes)
            VALUES (%(id)s, %(session_id)s, %(name)s, %(host)s, %(port)s, %(username)s, %(credentials)s,
                    %(timezone)s, %(interval)s)
            RETURNING {ROUTER_COLUMNS}
            """,
            params,
        )
    except UniqueViolation:
        raise Conflict(
            f"There is a router at {router.host} port {router.port} already; PUT /api/routers/{{id}} changes it."
        ) from None
    assert row is not None  # RETURNING answers with the row it inserted
    return RouterRecord.from_row(row)


def get_router(conn: Connection, session_id: str, router_id: str) -> RouterRecord | None:
    row = fetch_one(
        conn,
        f"SELECT {ROUTER_COLUMNS} FROM routers WHERE session_id = %(session_id)s AND id = %(id)s",
        {"session_id": session_id, "id": router_id},
    )
    return RouterRecord.from_row(row) if row else None


def lock_router(conn: Connection, session_id: str, router_id: str) -> RouterRecord | None:
    """`get_router`, and nobody else changes it before the transaction ends."""
    row = fetch_one(
        conn,
        f"SELECT {ROUTER_COLUMNS} FROM routers WHERE session_id = %(session_id)s AND id = %(id)s FOR UPDATE",
        {"session_id": session_id, "id": router_id},
    )
    return RouterRecord.from_row(row) if row else None


def list_routers(conn: Connection, session_id: str, *, limit: int | None, offset: int) -> list[RouterRecord]:
    """The account's routers by name; ``limit`` None: all of them."""
    rows = fetch_all(
        conn,
        f"""
        SELECT {ROUTER_COLUMNS} FROM routers WHERE session_id = %(session_id)s
        ORDER BY name, id LIMIT %(limit)s OFFSET %(offset)s
        """,
        {"session_id": session_id, "limit": limit, "offset": offset},
    )
    return [RouterRecord.from_row(row) for row in rows]


def count_routers(conn: Connection, session_id: str) -> int:
    row = fetch_one(conn, "SELECT count(*) FROM routers WHERE session_id = %(session_id)s", {"session_id": session_id})
    return int(row[0]) if row else 0


def update_router(
    conn: Connection, session_id: str, router_id: str, changes: Mapping[str, object]
) -> RouterRecord | None:
    """Set what ``changes`` names (name, host, port, username, credentials, timezone, collect_interval_minutes).

    ``clear_host_key`` unpins the key, to be pinned anew at the next contact: another address may be another router.

    Another address, user or secret may mend what was wrong: failures are forgotten, and the router is due at once.
    Nothing else shortens the wait of a router that fails; one that is well takes up a new interval at once.

    Raises Conflict as `insert_router` does.
    """
    params = {"session_id": session_id, "id": router_id, "clear_host_key": False, **_NO_CHANGE, **changes}
    try:
        row = fetch_one(
            conn,
            f"""
            UPDATE routers SET
                name = coalesce(%(name)s, name), host = coalesce(%(host)s, host), port = coalesce(%(port)s, port),
                username = coalesce(%(username)s, username),
                credentials = coalesce(%(credentials)s, credentials),
                former_host_key = CASE WHEN %(clear_host_key)s THEN coalesce(host_key, former_host_key)
                                       ELSE former_host_key END,
                host_key = CASE WHEN %(clear_host_key)s THEN NULL ELSE host_key END,
                presented_host_key = CASE WHEN %(clear_host_key)s THEN NULL ELSE presented_host_key END,
                timezone = coalesce(%(timezone)s, timezone),
                collect_interval_minutes = coalesce(%(collect_interval_minutes)s, collect_interval_minutes),
                next_collect_at = CASE WHEN {_IS_REACHED_ANEW} OR consecutive_failures = 0 AND {_HAS_NEW_INTERVAL}
                                       THEN now() ELSE next_collect_at END,
                consecutive_failures = CASE WHEN {_IS_REACHED_ANEW} THEN 0 ELSE consecutive_failures END,
                updated_at = CASE WHEN {_IS_REACHED_ANEW} THEN now() ELSE updated_at END
            WHERE session_id = %(session_id)s AND id = %(id)s
            RETURNING {ROUTER_COLUMNS}
            """,
            params,
        )
    except UniqueViolation:
        raise Conflict("Another of your routers has this host and port already.") from None
    return RouterRecord.from_row(row) if row else None


_IS_REACHED_ANEW = """
    (coalesce(%(host)s, host) <> host OR coalesce(%(port)s, port) <> port
     OR coalesce(%(username)s, username) <> username OR %(credentials)s::bytea IS NOT NULL)
"""
_HAS_NEW_INTERVAL = "coalesce(%(collect_interval_minutes)s, collect_interval_minutes) <> collect_interval_minutes"

_NO_CHANGE: dict[str, object] = dict.fromkeys(
    ("name", "host", "port", "username", "credentials", "timezone", "collect_interval_minutes")
)


def pin_host_key(
    conn: Connection, session_id: str, router_id: str, presented: str, *, host: str, port: int
) -> str | None:
    """Pin the key that the router at ``host`` and ``port`` showed, unless one is pinned already; the key that is
    pinned now, None without such a router at that address.
    """
    row = fetch_one(
        conn,
        """
        UPDATE routers SET host_key = coalesce(host_key, %(key)s), former_host_key = NULL
        WHERE session_id = %(session_id)s AND id = %(id)s AND host = %(host)s AND port = %(port)s
        RETURNING host_key
        """,
        {"session_id": session_id, "id": router_id, "key": presented, "host": host, "port": port},
    )
    return str(row[0]) if row else None


def keep_presented_host_key(
    conn: Connection, session_id: str, router_id: str, presented: str, *, host: str, port: int
) -> None:
    """Keep the key that the router at ``host`` and ``port`` showed in place of the pinned one."""
    execute(
        conn,
        """
        UPDATE routers SET presented_host_key = %(key)s
        WHERE session_id = %(session_id)s AND id = %(id)s AND host = %(host)s AND port = %(port)s
          AND host_key <> %(key)s
        """,
        {"session_id": session_id, "id": router_id, "key": presented, "host": host, "port": port},
    )


def accept_host_key(conn: Connection, session_id: str, router_id: str, presented: str) -> bool:
    """Pin ``presented`` if it is still the key that the router showed last; whether it was. Then it is due at once."""
    return bool(
        execute(
            conn,
            """
            UPDATE routers SET host_key = %(key)s, presented_host_key = NULL, former_host_key = NULL,
                               next_collect_at = now(), consecutive_failures = 0, updated_at = now()
            WHERE session_id = %(session_id)s AND id = %(id)s AND presented_host_key = %(key)s
            """,
            {"session_id": session_id, "id": router_id, "key": presented},
        )
    )


def forget_last_success(conn: Connection, session_id: str, router_id: str) -> None:
    """The next reading is a first one (`readings_db.delete_last_reading` takes its base away)."""
    execute(
        conn,
        """
        UPDATE routers SET last_success_at = NULL, is_frozen = false
        WHERE session_id = %(session_id)s AND id = %(id)s
        """,
        {"session_id": session_id, "id": router_id},
    )


def delete_router(conn: Connection, session_id: str, router_id: str) -> bool:
    """Remove the router and what hangs on it by foreign keys; its usage rows are `delete_usage`'s."""
    return bool(
        execute(
            conn,
            "DELETE FROM routers WHERE session_id = %(session_id)s AND id = %(id)s",
            {"session_id": session_id, "id": router_id},
        )
    )


# --- the schedule ----------------------------------------------------------------------------------------


def record_success(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    at: datetime,
    timezone: str,
    next_collect_at: datetime,
    is_frozen: bool = False,
) -> None:
    """Note that the router, which the caller holds locked, was read at ``at``.

    The zone the router told is kept unless a person said one.
    """
    execute(
        conn,
        """
        UPDATE routers SET last_success_at = %(at)s, last_attempt_at = %(at)s, consecutive_failures = 0,
                           presented_host_key = NULL, is_frozen = %(is_frozen)s,
                           timezone = coalesce(timezone, %(timezone)s), next_collect_at = %(next)s
        WHERE session_id = %(session_id)s AND id = %(id)s
        """,
        {
            "session_id": session_id,
            "id": router_id,
            "at": at,
            "timezone": timezone,
            "next": next_collect_at,
            "is_frozen": is_frozen,
        },
    )


def record_failure(
    conn: Connection,
    session_id: str,
    router_id: str,
    *,
    at: datetime,
    code: str,
    message: str,
    failures: int,
    next_collect_at: datetime,
) -> None:
    """``failures``: how many in a row there are with this one."""
    execute(
        conn,
        """
        UPDATE routers SET consecutive_failures = %(failures)s, last_attempt_at = %(at)s,
                           last_error_at = %(at)s, last_error_code = %(code)s, last_error_message = %(message)s,
                           next_collect_at = %(next)s
        WHERE session_id = %(session_id)s AND id = %(id)s
        """,
        {
            "session_id": session_id,
            "id": router_id,
            "at": at,
            "code": code,
            "message": message,
            "failures": failures,
            "next": next_collect_at,
        },
    )


def forget_failures(
    conn: Connection, session_id: str, router_id: str, *, codes: Sequence[str], next_collect_at: datetime
) -> bool:
    """Where the router fails with one of the error ``codes``: it is well as far as is known. Whether that was so."""
    return bool(
        execute(
            conn,
            """
            UPDATE routers SET consecutive_failures = 0, presented_host_key = NULL, next_collect_at = %(next)s
            WHERE session_id = %(session_id)s AND id = %(id)s
              AND consecutive_failures > 0 AND last_error_code = ANY(%(codes)s)
            """,
            {"session_id": session_id, "id": router_id, "codes": list(codes), "next": next_collect_at},
        )
    )


def put_off(conn: Connection, session_id: str, router_id: str, *, until: datetime) -> None:
    """Collect the router next at ``until``, for a reason that is no failure."""
    execute(
        conn,
        "UPDATE routers SET next_collect_at = %(until)s WHERE session_id = %(session_id)s AND id = %(id)s",
        {"session_id": session_id, "id": router_id, "until": until},
    )
