"""The table of notes that transactions are tried out on, and one-line questions about it and its sessions."""

from psycopg2.extensions import connection

from db_operations.database import Database


def ask(conn: connection, sql: str) -> object:
    """The first value of the first row, or None."""
    with conn.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def count(database: Database) -> object:
    with database.transaction() as conn:
        return ask(conn, "SELECT count(*) FROM notes")


def backend(database: Database) -> object:
    """The server's process behind the connection that the pool gives."""
    with database.transaction() as conn:
        return ask(conn, "SELECT pg_backend_pid()")
