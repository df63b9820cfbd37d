"""Routers and readings for the SQL's own tests, written without any service."""

from datetime import UTC, date, datetime

from db_operations import routers_db, users_db
from db_operations.database import Database
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from db_operations.statements import Connection, execute
from db_operations.users_db import UserRecord

AT = datetime(2031, 11, 11, 9, 0, tzinfo=UTC)
ALICE = ("alice", "r-alice")
BOB = ("bob", "r-bob")
MAC = "ac:bc:32:8e:51:72"
OTHER_MAC = "a4:34:d9:6f:0d:33"

#: Names as strangers' devices and people may write them.
NAMES = [
    "tab\there",
    "line\nbreak\r\nand more",
    "back\\slash \\N \\t \\.",
    "quotes \" ' \"\" ''",
    '{curly,"array",NULL}',
    "NULL",
    "",
    " spaces  ",
    "emoji 🏠👩‍👩‍👧",
    "客厅电视",
    "Jürgen's büro",
    "%s %(mac)s $1 ; DROP TABLE devices; --",
    "x" * 255,
]


def router_of(owner: tuple[str, str], **fields: object) -> RouterRecord:
    values: dict[str, object] = {
        "id": owner[1],
        "session_id": owner[0],
        "name": "Home",
        "host": "192.168.1.1",
        "port": 22,
        "username": "root",
        "credentials": b"sealed",
        "collect_interval_minutes": 5,
    }
    return RouterRecord(**(values | fields))  # type: ignore[arg-type]


def add_router(conn: Connection, owner: tuple[str, str], **fields: object) -> RouterRecord:
    users_db.insert_user_unless_there(conn, UserRecord(session_id=owner[0], display_name=owner[0].title()))
    return routers_db.insert_router(conn, router_of(owner, **fields))


def reading_at(at: datetime, **fields: object) -> ReadingRecord:
    values: dict[str, object] = {
        "read_at": at,
        "usage_since": None,
        "covered_since": at,
        "period_start": date(2031, 11, 1),
        "period_end": date(2031, 11, 30),
        "uptime_s": 12.5,
        "boot_id": "5a5a5a5a-0000-0000-0000-000000000000",
        "clock_skew_s": -3.25,
        "database_interval": "1",
        "usage_json": b'{"columns": [], "data": []} \x00\xff',
    }
    return ReadingRecord(**(values | fields))  # type: ignore[arg-type]


def due_at(database: Database, router_id: str, at: datetime, failures: int = 0) -> None:
    with database.transaction() as conn:
        execute(
            conn,
            "UPDATE routers SET next_collect_at = %(at)s, consecutive_failures = %(failures)s WHERE id = %(id)s",
            {"at": at, "failures": failures, "id": router_id},
        )
