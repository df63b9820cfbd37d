"""The routers' encrypted credentials, of all accounts at once: what services/key_rotation goes through."""

from db_operations.statements import Connection, execute, fetch_all


def list_credentials(conn: Connection, *, after: str, limit: int) -> list[tuple[str, bytes]]:
    """Router ids with what is stored, in the order of the ids, from the first one behind ``after`` on."""
    rows = fetch_all(
        conn,
        "SELECT id, credentials FROM routers WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )
    return [(router_id, bytes(sealed)) for router_id, sealed in rows]


def replace_credentials(conn: Connection, router_id: str, before: bytes, after: bytes) -> bool:
    """Put the same secret in another envelope, if ``before`` is still what is stored; whether that was done.

    Not where somebody is changing the router: nobody is waited for with a batch of routers held. `updated_at` stays,
    as to the router nothing has changed, and a password that it refused is no better for it.
    """
    return bool(
        execute(
            conn,
            """
            UPDATE routers SET credentials = %(after)s WHERE credentials = %(before)s AND id IN
                (SELECT id FROM routers WHERE id = %(id)s FOR UPDATE SKIP LOCKED)
            """,
            {"id": router_id, "before": before, "after": after},
        )
    )
