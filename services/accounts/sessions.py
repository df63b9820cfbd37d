"""Browsers that are signed in. They stay so while they are used, for a limited time whatever is done, or until signed
out from anywhere.
"""

from dataclasses import dataclass
from datetime import timedelta

from db_operations import sessions_db, users_db
from db_operations.database import Database
from db_operations.sessions_db import SessionRecord
from services.accounts.admission import Admission
from services.accounts.secrets_at_rest import hash_of, is_id, new_id, new_secret
from services.audit import THE_SERVER, AuditAction, Doer, write_down
from utils.errors import NotFound
from utils.time import Clock

__all__ = ["Browser", "SessionRecord", "SessionService"]

#: An account has at most so many; of more, those that were not used for longest go.
MOST_SESSIONS = 100

#: So long after it, a sign-in tells that it is still the person himself who asks.
_JUST_NOW = timedelta(hours=1)

#: A browser's last use is written down this often at most: not every request should write.
_TOUCH_EVERY = timedelta(minutes=1)

_MOST_AGENT = 255


@dataclass(frozen=True, kw_only=True)
class Browser:
    """From where somebody signs in, as he is shown it later."""

    address: str
    user_agent: str


class SessionService:
    """Sign-ins of all accounts; every list and change is bound to one."""

    def __init__(
        self, database: Database, clock: Clock, admission: Admission, *, idle: timedelta, absolute: timedelta
    ) -> None:
        """``idle``: how long one lives without being used; ``absolute``: how long whatever is done."""
        self._database = database
        self._clock = clock
        self._admission = admission
        self._idle = idle
        self._absolute = absolute
        self._touch_every = min(_TOUCH_EVERY, idle / 10)  # who is there all the time is never taken for gone

    def open(self, session_id: str, browser: Browser, *, email: str = "") -> str:
        """Sign a browser in to an account. Returns the secret for its cookie, which is nowhere else.

        ``email``: who signed in, for the audit log. Raises AccountGone.
        """
        now, secret = self._clock(), new_secret()
        record = SessionRecord(
            id=new_id(),
            session_id=session_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._absolute,
            address=browser.address,
            user_agent=browser.user_agent.replace("\0", "")[:_MOST_AGENT],
        )
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)
            sessions_db.delete_sessions_beyond(conn, session_id, newest=MOST_SESSIONS - 1)
            sessions_db.insert_session(conn, record, secret.hash)
            by = Doer(actor=record.id, address=record.address)
            write_down(conn, session_id, AuditAction.SIGNED_IN, email, by=by, at=now)
        return secret.text

    def find(self, secret: str) -> SessionRecord | None:
        """Whose cookie this is, while it holds and whose it is may be here."""
        now = self._clock()
        with self._database.reading() as conn:
            found = sessions_db.find_session(conn, hash_of(secret))
        if found is None:
            return None
        session, email = found
        if not self._admission.lets_in(session.session_id, email):
            return None
        if session.expires_at <= now or session.last_seen_at + self._idle <= now:
            return None
        if now - session.last_seen_at >= self._touch_every:
            with self._database.transaction() as conn:
                sessions_db.touch_session(conn, session.session_id, session.id, at=now)
        return session

    def has_just_signed_in(self, session: SessionRecord) -> bool:
        """Whether it may do what outlasts it or can't be undone: nobody who comes upon an old cookie should."""
        return self._clock() - session.created_at <= _JUST_NOW

    def list_all(self, session_id: str) -> list[SessionRecord]:
        now = self._clock()
        with self._database.reading() as conn:
            return sessions_db.list_sessions(conn, session_id, alive_at=now, seen_since=now - self._idle)

    def revoke(self, session_id: str, id: str, *, by: Doer = THE_SERVER) -> None:
        """Sign one browser out: ``by`` itself or another. Raises NotFound, AccountGone."""
        action = AuditAction.SIGNED_OUT if by.actor == id else AuditAction.SESSION_REVOKED
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)  # a token that it is just making is made before, or not at all
            if not is_id(id) or not sessions_db.delete_session(conn, session_id, id):
                raise NotFound("No such browser is signed in.")
            write_down(conn, session_id, action, id, by=by, at=self._clock())

    def revoke_all(self, session_id: str, *, by: Doer = THE_SERVER) -> int:
        """Sign out everywhere; how many browsers that were. Raises AccountGone."""
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)  # as above
            count = sessions_db.delete_sessions_of(conn, session_id)
            write_down(conn, session_id, AuditAction.SIGNED_OUT_EVERYWHERE, str(count), by=by, at=self._clock())
        return count

    def clean_up(self) -> int:
        """Remove those that hold no longer; how many there were."""
        now = self._clock()
        with self._database.transaction() as conn:
            return sessions_db.delete_ended_sessions(conn, now=now, seen_since=now - self._idle)
