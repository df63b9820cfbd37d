"""What is remembered of contacts with routers: failures, refused credentials, host keys that a person may accept.

RouterConnectionManager asks `RouterContacts` before every new connection and tells it how that went, so that no way to
a router leads past it. The collector notes with `record_failure` what goes wrong later.
"""

import logging
from datetime import datetime, timedelta

from commands_server_operations.router_target import RouterTarget
from commands_server_operations.ssh_keys import fingerprint
from db_operations import routers_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.audit import THE_SERVER, AuditAction, write_down
from services.context import RouterContext
from services.given_up_bases import give_up_replaced_base
from services.routers.credentials import CredentialsUnreadable
from services.schedule import next_retry_at
from utils.errors import (
    HostKeyChanged,
    NetPilotError,
    RouterAddressNotAllowed,
    RouterAuthFailed,
    RouterError,
    RouterNotFound,
    RouterUnreachable,
    ServerClock,
)
from utils.time import Clock, iso

logger = logging.getLogger(__name__)

#: What can't be wrong any more once the router took the credentials.
_BEFORE_SIGN_IN = tuple(
    error.code for error in (RouterUnreachable, RouterAddressNotAllowed, HostKeyChanged, RouterAuthFailed)
)


class RouterContacts:
    """The connection pool's memory. It keeps no secret: only whose router it was, and what happened."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def before(self, target: RouterTarget) -> None:
        """A refused password or key is sent once a window: whoever comes first when its time has come.

        Raises RouterAuthFailed before that, without the router being asked. Other credentials have no window yet, and
        who tries the router out by hand does not wait.
        """
        if target.by_request:
            return
        with self._database.reading() as conn:
            router = routers_db.get_router(conn, target.session_id, target.router_id)
        again_at = next_sign_in_at(router) if router else None
        if router is not None and again_at is not None and self._clock() < again_at:
            path = f"/api/routers/{router.id}"
            raise RouterAuthFailed(
                f"{router.last_error_message} The next try is at {iso(_whole_seconds(again_at))}. "
                f"Sooner: enter the right password or key (PUT {path}), or try the router out (POST {path}/test)."
            )

    def failed(self, target: RouterTarget, error: RouterError) -> None:
        """Refused credentials begin their window right here, whoever sent them; another host key waits for a person."""
        if isinstance(error, HostKeyChanged) and error.presented is not None:
            with self._database.transaction() as conn:
                routers_db.keep_presented_host_key(
                    conn, target.session_id, target.router_id, error.presented, host=target.host, port=target.port
                )
        elif isinstance(error, RouterAuthFailed):
            context = RouterContext(target.session_id, target.router_id)
            record_failure(self._database, context, error, at=self._clock(), changed_at=target.changed_at)

    def signed_in(self, target: RouterTarget) -> None:
        """Who tried the router out by hand has mended it: the collector need not wait for its time."""
        if not target.by_request:
            return
        with self._database.transaction() as conn:
            routers_db.forget_failures(
                conn, target.session_id, target.router_id, codes=_BEFORE_SIGN_IN, next_collect_at=self._clock()
            )


def pin_host_key(database: Database, target: RouterTarget, presented: str, *, at: datetime) -> str:
    """Pin a router's host key at first contact; whichever key is pinned then, ours or another process's.

    Another key than before the router's address changed may be another router's: its base is given up.
    Raises RouterNotFound, RouterUnreachable where the router has another address by now than ``target``.
    """
    context = RouterContext(target.session_id, target.router_id)
    with database.transaction() as conn:
        router = routers_db.lock_router(conn, context.session_id, context.router_id)
        if router is None:
            raise RouterNotFound
        pinned = routers_db.pin_host_key(
            conn, context.session_id, context.router_id, presented, host=target.host, port=target.port
        )
        if pinned is None:
            raise RouterUnreachable("The router's address was changed while it was being contacted. Try again.")
        if router.host_key is None:
            subject = f"{context.router_id} {fingerprint(presented)}"
            write_down(conn, context.session_id, AuditAction.HOST_KEY_PINNED, subject, by=THE_SERVER, at=at)
        if router.former_host_key not in (None, pinned):
            give_up_replaced_base(conn, context, at)
    return pinned


def next_sign_in_at(router: RouterRecord) -> datetime | None:
    """When credentials that the router refused are sent again; None where it refused none."""
    if router.consecutive_failures == 0 or router.last_error_code != RouterAuthFailed.code:
        return None
    if router.last_error_message == CredentialsUnreadable().message:  # it was not asked, so it refused nothing
        return None
    if router.last_error_at is None:
        return None
    # As `record_failure` put it into next_collect_at, which is another moment while a collector claims the router.
    return _retry_at(router, router.last_error_at, failures=router.consecutive_failures, permanent=True)


def record_failure(
    database: Database, context: RouterContext, error: NetPilotError, *, at: datetime, changed_at: datetime | None
) -> None:
    """Note why a router could not be read, for /status, and when to try again.

    A router that a person has changed since ``changed_at`` is another matter, and due already. While refused
    credentials wait for their time nothing more is counted: every question in between would make the wait longer.
    """
    with database.transaction() as conn:
        router = routers_db.lock_router(conn, context.session_id, context.router_id)
        if router is None or (changed_at is not None and changed_at != router.updated_at):
            return
        waits_until = next_sign_in_at(router)
        if waits_until is not None and at < waits_until:
            routers_db.put_off(conn, context.session_id, context.router_id, until=waits_until)
            return
        failures = _in_a_row(router, error)
        retry_at = _retry_at(router, at, failures=failures, permanent=error.permanent)
        routers_db.record_failure(
            conn,
            context.session_id,
            context.router_id,
            at=at,
            code=error.code,
            message=error.message,
            failures=failures,
            next_collect_at=retry_at,
        )
    logger.warning("router %s: %s: %s Next try at %s.", router.id, error.code, error.message, retry_at)


def _in_a_row(router: RouterRecord, error: NetPilotError) -> int:
    """How many failures in a row ``error`` makes it.

    What only a person can mend is counted alone: a password that is refused once waits for its first window, however
    often the router could not be reached before. So are tries by a wrong clock: after some the base is given up.
    """
    if (error.permanent or isinstance(error, ServerClock)) and error.code != router.last_error_code:
        return 1
    return router.consecutive_failures + 1


def _retry_at(router: RouterRecord, at: datetime, *, failures: int, permanent: bool) -> datetime:
    return next_retry_at(router.id, router.collect_interval_minutes, at, failures=failures, permanent=permanent)


def _whole_seconds(moment: datetime) -> datetime:
    """Rounded up, so that who comes back then is not too early."""
    return (moment + timedelta(microseconds=999_999)).replace(microsecond=0)
