"""Accounts: in the local mode the one person at this machine, elsewhere whoever a provider vouches for."""

from contextlib import suppress
from dataclasses import dataclass

from db_operations import routers_db, sessions_db, tokens_db, users_db
from db_operations.database import Database
from db_operations.users_db import UserRecord
from services.accounts.admission import LOCAL_SESSION_ID, Admission
from services.accounts.secrets_at_rest import new_id
from services.context import RouterContext
from services.routers.routers import RouterService
from utils.errors import NotFound, RouterNotFound, SignInRefused
from utils.time import Clock

__all__ = ["LOCAL_SESSION_ID", "AccountService", "Identity", "UserRecord", "ensure_local_user"]

_MOST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a provider says of somebody who signed in there."""

    issuer: str
    subject: str
    #: In lower case.
    email: str
    is_email_verified: bool
    name: str


def ensure_local_user(database: Database) -> UserRecord:
    """The built-in user of the local mode, made at first start."""
    user = UserRecord(session_id=LOCAL_SESSION_ID, display_name="Local user")
    with database.transaction() as conn:
        users_db.insert_user_unless_there(conn, user)
    return user


class AccountService:
    """Accounts, by their durable id."""

    def __init__(self, database: Database, clock: Clock, routers: RouterService, admission: Admission) -> None:
        self._database = database
        self._clock = clock
        self._routers = routers
        self._admission = admission

    def check_storage(self) -> None:
        """Raises DatabaseUnavailable unless accounts can be read: the database answers and is migrated."""
        with self._database.reading() as conn:
            users_db.get_user(conn, LOCAL_SESSION_ID)

    def get(self, session_id: str) -> UserRecord:
        """Raises NotFound."""
        with self._database.reading() as conn:
            user = users_db.get_user(conn, session_id)
        if user is None:
            raise NotFound("There is no such account.")
        return user

    def sign_in(self, identity: Identity) -> UserRecord:
        """The account of who signs in, made at the first time. It follows the provider's subject, not the e-mail.

        Raises SignInRefused where the e-mail is not verified or not on the list.
        """
        email = identity.email
        if not email or not identity.is_email_verified:
            raise SignInRefused(
                "Your provider has not verified your e-mail address. Verify it there and sign in again."
            )
        if not self._admission.may_sign_in(email):
            raise SignInRefused(f"{email} may not sign in here. Ask whoever runs this server (ALLOWED_EMAILS).")
        user = UserRecord(
            session_id=new_id() + new_id(),
            display_name=(identity.name.replace("\0", "").strip() or email)[:_MOST_NAME],
            issuer=identity.issuer,
            subject=identity.subject,
            email=email,
        )
        with self._database.transaction() as conn:
            return users_db.upsert_signed_in_user(conn, user, at=self._clock())

    def delete(self, session_id: str) -> None:
        """Delete an account and everything that is its own. Raises NotFound, AccountGone.

        Browsers and tokens go first, so that nothing more is begun with them, then one router after the other, of which
        each may have years of usage. The account goes once it has none: what was begun before may have registered
        another meanwhile, whose usage would be left.
        """
        self._end_sign_ins(session_id)
        while not self._delete_without_routers(session_id):
            for router in self._routers.list_all(session_id):
                with suppress(RouterNotFound):  # somebody deletes it just now
                    self._routers.delete(RouterContext(session_id, router.id))

    def _end_sign_ins(self, session_id: str) -> None:
        with self._database.transaction() as conn:
            if users_db.get_user(conn, session_id) is None:
                raise NotFound("There is no such account.")
            users_db.lock_user(conn, session_id)  # who is making a token is let finish it, or finds himself signed out
            sessions_db.delete_sessions_of(conn, session_id)
            tokens_db.delete_tokens_of(conn, session_id)

    def _delete_without_routers(self, session_id: str) -> bool:
        """Whether it had none and is gone. Who registers one holds the same lock, and finds no account after it."""
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)
            return not routers_db.count_routers(conn, session_id) and users_db.delete_user(conn, session_id)
