"""Tokens with which programs act for an account, until they run out or are deleted."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from db_operations import sessions_db, tokens_db, users_db
from db_operations.database import Database
from db_operations.tokens_db import TokenRecord
from services.accounts.admission import Admission
from services.accounts.secrets_at_rest import hash_of, is_id, new_id, new_secret
from services.audit import THE_SERVER, AuditAction, Doer, write_down
from utils.errors import Conflict, CredentialsRefused, NotFound
from utils.time import Clock

__all__ = ["IssuedToken", "TokenRecord", "TokenScope", "TokenService"]

#: So that a token is known for one wherever it is found, also by scanners of published code.
PREFIX = "np_"

#: An account has at most so many.
MOST_TOKENS = 100

_TOUCH_EVERY = timedelta(minutes=1)


class TokenScope(StrEnum):
    """What a program may do: look, or change as well."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A new token; ``secret`` is shown this once."""

    record: TokenRecord
    secret: str = field(repr=False)


class TokenService:
    """Tokens of all accounts; every list and change is bound to one."""

    def __init__(self, database: Database, clock: Clock, admission: Admission) -> None:
        self._database = database
        self._clock = clock
        self._admission = admission

    def create(
        self, session_id: str, *, name: str, scope: TokenScope, lifetime: timedelta, by: Doer = THE_SERVER
    ) -> IssuedToken:
        """Raises Conflict where the account has MOST_TOKENS already, CredentialsRefused where the browser that asks was
        signed out meanwhile, AccountGone.
        """
        now, secret = self._clock(), new_secret(PREFIX)
        record = TokenRecord(
            id=new_id(), session_id=session_id, name=name, scope=scope, created_at=now, expires_at=now + lifetime
        )
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)  # of two at once the second counts the first; so does who signs out
            if by.actor and not sessions_db.has_session(conn, session_id, by.actor):
                raise CredentialsRefused
            if tokens_db.count_tokens(conn, session_id) >= MOST_TOKENS:
                raise Conflict(f"An account may have {MOST_TOKENS} tokens. Delete one that is no longer used.")
            tokens_db.insert_token(conn, record, secret.hash)
            write_down(conn, session_id, AuditAction.TOKEN_CREATED, record.id, by=by, at=now)
        return IssuedToken(record=record, secret=secret.text)

    def find(self, secret: str) -> TokenRecord | None:
        """Whose token this is, while it holds and whose it is may be here."""
        now = self._clock()
        with self._database.reading() as conn:
            found = tokens_db.find_token(conn, hash_of(secret))
        if found is None:
            return None
        token, email = found
        if token.expires_at <= now or not self._admission.lets_in(token.session_id, email):
            return None
        if token.last_used_at is None or now - token.last_used_at >= _TOUCH_EVERY:
            with self._database.transaction() as conn:
                tokens_db.touch_token(conn, token.session_id, token.id, at=now)
        return token

    def list_all(self, session_id: str) -> list[TokenRecord]:
        """The newest first, those that have run out too."""
        with self._database.reading() as conn:
            return tokens_db.list_tokens(conn, session_id)

    def revoke(self, session_id: str, id: str, *, by: Doer = THE_SERVER) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            if not is_id(id) or not tokens_db.delete_token(conn, session_id, id):
                raise NotFound("There is no such token.")
            write_down(conn, session_id, AuditAction.TOKEN_DELETED, id, by=by, at=self._clock())
