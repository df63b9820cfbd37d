"""Who did what in an account, when and from where: what its owner wants to know after something went wrong."""

from dataclasses import dataclass
from enum import StrEnum

from db_operations import audit_db
from db_operations.audit_db import AuditRecord
from db_operations.database import Database
from utils.time import Clock

__all__ = ["AuditAction", "AuditLog", "AuditPage", "AuditRecord"]

_MOST_SUBJECT = 255


class AuditAction(StrEnum):
    """What is written down."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    SESSION_REVOKED = "session_revoked"
    TOKEN_CREATED = "token_created"  # noqa: S105 # nosec B105 # a name, no secret
    TOKEN_DELETED = "token_deleted"  # noqa: S105 # nosec B105 # as above
    ROUTER_ADDED = "router_added"
    ROUTER_CHANGED = "router_changed"
    ROUTER_DELETED = "router_deleted"
    HOST_KEY_ACCEPTED = "host_key_accepted"
    DEVICE_PURGED = "device_purged"
    EXPORTED = "exported"
    REPORT_MADE = "report_made"


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

    def record(self, session_id: str, action: AuditAction, subject: str, *, actor: str, address: str) -> None:
        """``actor``: the id of the browser or the token that did it."""
        record = AuditRecord(
            session_id=session_id,
            at=self._clock(),
            action=action,
            subject=subject[:_MOST_SUBJECT],
            actor=actor,
            address=address,
        )
        with self._database.transaction() as conn:
            audit_db.insert_audit(conn, record)

    def page(self, session_id: str, *, page: int, page_size: int) -> AuditPage:
        with self._database.transaction() as conn:
            return AuditPage(
                records=audit_db.list_audit(conn, session_id, limit=page_size, offset=(page - 1) * page_size),
                count=audit_db.count_audit(conn, session_id),
            )
