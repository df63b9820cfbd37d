"""Ending what an account is used with, from outside of it. `server.py sign-out` calls it, while servers run."""

from dataclasses import dataclass
from datetime import datetime

from db_operations import sessions_db, tokens_db, users_db
from db_operations.database import Database
from services.audit import THE_SERVER, AuditAction, write_down


@dataclass(frozen=True, kw_only=True)
class SignOut:
    """What a sign-out ended."""

    #: How many accounts it was for.
    accounts: int
    browsers: int
    tokens: int

    def in_words(self) -> str:
        """What was done, in a line."""
        return (
            f"{self.browsers} browsers were signed out and {self.tokens} tokens deleted, of {self.accounts} accounts."
            if self.accounts
            else "There is no such account. Nothing was changed."
        )


def sign_out(database: Database, email: str | None, *, at: datetime) -> SignOut:
    """Sign out every browser and delete every token of the accounts with ``email``; None: of all accounts.

    Two accounts have the same address where two people had it one after the other. Raises DatabaseUnavailable.
    """
    address = email.strip().lower() if email is not None else None
    browsers = tokens = 0
    with database.transaction(timeout_s=60) as conn:
        accounts = users_db.lock_accounts(conn, email=address)
        for session_id in accounts:
            ended = sessions_db.delete_sessions_of(conn, session_id), tokens_db.delete_tokens_of(conn, session_id)
            if any(ended):
                write_down(conn, session_id, AuditAction.SIGNED_OUT_BY_OPERATOR, email or "", by=THE_SERVER, at=at)
            browsers, tokens = browsers + ended[0], tokens + ended[1]
    return SignOut(accounts=len(accounts), browsers=browsers, tokens=tokens)
