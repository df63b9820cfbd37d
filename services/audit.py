"""Who did what in an account, when and from where: what its owner wants to know after something went wrong."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from db_operations import audit_db
from db_operations.audit_db import AuditRecord
from db_operations.database import Database
from db_operations.statements import Connection
from utils.time import Clock

__all__ = ["MOST_ENTRIES", "THE_SERVER", "AuditAction", "AuditLog", "AuditPage", "AuditRecord", "Doer", "write_down"]

#: So many of each action are kept of an account, the newest: a program gone wild fills no disk with what it does, and
#: nobody can export on and on until it is forgotten who accepted a host key.
MOST_ENTRIES = 10_000

_MOST_SUBJECT = 255


class AuditAction(StrEnum):
    """What is written down."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    SIGNED_OUT_BY_OPERATOR = "signed_out_by_operator"
    SESSION_REVOKED = "session_revoked"
    TOKEN_CREATED = "token_created"  # noqa: S105 # nosec B105 # a name, no secret
    TOKEN_DELETED = "token_deleted"  # noqa: S105 # nosec B105 # as above
    ROUTER_ADDED = "router_added"
    ROUTER_CHANGED = "router_changed"
    ROUTER_DELETED = "router_deleted"
    HOST_KEY_PINNED = "host_key_pinned"
    HOST_KEY_ACCEPTED = "host_key_accepted"
    DEVICE_PURGED = "device_purged"
    EXPORTED = "exported"
    REPORT_MADE = "report_made"


@dataclass(frozen=True, kw_only=True)
class Doer:
    """Who does something, and from where."""

    #: The id of the browser or the token; empty in the local mode, and where the server does it by itself.
    actor: str = ""
    address: str = ""


#: Who does what nobody asked for just then.
THE_SERVER = Doer()


def write_down(conn: Connection, session_id: str, action: AuditAction, subject: str, *, by: Doer, at: datetime) -> None:
    """In the transaction that does it: neither is there without the other. Raises AccountGone."""
    record = AuditRecord(
        session_id=session_id, at=at, action=action, subject=subject[:_MOST_SUBJECT], actor=by.actor, address=by.address
    )
    audit_db.insert_audit(conn, record)
    audit_db.delete_audit_beyond(conn, session_id, action, newest=MOST_ENTRIES)


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """One page of what was done, the latest first, and how much there is on all."""

    records: list[AuditRecord]
    count: int


class AuditLog:
    """The log of all accounts; it is read one account at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(self, session_id: str, action: AuditAction, subject: str, *, by: Doer) -> None:
        """What changes nothing in the database, and has no transaction to be in. Raises AccountGone."""
        with self._database.transaction() as conn:
            write_down(conn, session_id, action, subject, by=by, at=self._clock())

    def page(self, session_id: str, *, page: int, page_size: int) -> AuditPage:
        with self._database.reading() as conn:
            return AuditPage(
                records=audit_db.list_audit(conn, session_id, limit=page_size, offset=(page - 1) * page_size),
                count=audit_db.count_audit(conn, session_id),
            )
