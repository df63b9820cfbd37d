"""Partitions of device_usage_monitoring: one a UTC day, made before a row needs it, dropped when all of it is old."""

import re
from datetime import date, timedelta

from psycopg2 import sql

from db_operations.statements import Connection, execute, fetch_all

#: Only one process at a time adds or drops partitions; the others wait for it and find the work done.
_PARTITION_LOCK = 0x7061_7274

_NAME = re.compile(r"device_usage_monitoring_(\d{8})")


def ensure_partition(conn: Connection, day: date) -> None:
    """Make the partition of ``day`` unless it is there. In a transaction of its own: it locks the table."""
    execute(conn, "SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _PARTITION_LOCK})
    execute(
        conn,
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {name} PARTITION OF device_usage_monitoring "
            "FOR VALUES FROM ({start}) TO ({end})"
        ).format(
            name=sql.Identifier(f"device_usage_monitoring_{day:%Y%m%d}"),
            start=sql.Literal(f"{day.isoformat()} 00:00:00+00"),
            end=sql.Literal(f"{(day + timedelta(days=1)).isoformat()} 00:00:00+00"),
        ),
        {},
    )


def list_partition_days(conn: Connection) -> list[date]:
    """The days that have a partition, oldest first."""
    rows = fetch_all(
        conn,
        """
        SELECT child.relname FROM pg_inherits
        JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'device_usage_monitoring'::regclass
        """,
        {},
    )
    matches = (_NAME.fullmatch(row[0]) for row in rows)
    return sorted(date.fromisoformat(match[1]) for match in matches if match)


def drop_partitions_before(conn: Connection, day: date) -> int:
    """Drop the partitions of every day before ``day``; how many there were."""
    execute(conn, "SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _PARTITION_LOCK})
    old = [partition for partition in list_partition_days(conn) if partition < day]
    for partition in old:
        execute(
            conn,
            sql.SQL("DROP TABLE {name}").format(name=sql.Identifier(f"device_usage_monitoring_{partition:%Y%m%d}")),
            {},
        )
    return len(old)
