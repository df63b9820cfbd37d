"""Running one statement: the few lines that every function of this floor would repeat."""

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import connection
from psycopg2.sql import Composable

#: What `Database.transaction` gives; services pass it on and never use it themselves.
Connection = connection
Statement = str | Composable
Row = tuple[Any, ...]


def fetch_all(conn: Connection, statement: Statement, params: Mapping[str, object]) -> list[Row]:
    """Every row of the answer."""
    with conn.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def fetch_one(conn: Connection, statement: Statement, params: Mapping[str, object]) -> Row | None:
    """The first row of the answer, None where there is none."""
    with conn.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone()


def execute(conn: Connection, statement: Statement, params: Mapping[str, object]) -> int:
    """Run it; how many rows it touched."""
    with conn.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def read_one_moment(conn: Connection) -> None:
    """Everything that the transaction reads is of one moment, whoever stores in between. Before its first statement."""
    execute(conn, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
