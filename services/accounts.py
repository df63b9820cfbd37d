"""Accounts. The local mode knows one: the person at this machine."""

from db_operations import users_db
from db_operations.database import Database
from db_operations.users_db import UserRecord
from utils.errors import NotFound

__all__ = ["LOCAL_SESSION_ID", "UserRecord", "ensure_local_user", "get_user"]

#: The durable id of the one account of AUTH_MODE=local.
LOCAL_SESSION_ID = "local"


def ensure_local_user(database: Database) -> UserRecord:
    """The built-in user of the local mode, made at first start."""
    user = UserRecord(session_id=LOCAL_SESSION_ID, display_name="Local user")
    with database.transaction() as conn:
        users_db.insert_user_unless_there(conn, user)
    return user


def get_user(database: Database, session_id: str) -> UserRecord:
    """Raises NotFound."""
    with database.transaction() as conn:
        user = users_db.get_user(conn, session_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user
