"""Registering routers, changing them, trying them out. Endpoints and the start of the server call it."""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic.alias_generators import to_camel

from commands_server_operations.device_usage_execute import (
    NlbwmonStatus,
    get_device_list,
    get_router_facts,
    validate_nlbwmon_status,
)
from commands_server_operations.router_connection_manager import RouterConnectionManager
from commands_server_operations.router_target import RouterTarget
from commands_server_operations.ssh_keys import check_private_key, fingerprint
from db_operations import device_usage_db, readings_db, routers_db, users_db
from db_operations.database import Database
from db_operations.routers_db import RouterRecord
from services.audit import THE_SERVER, AuditAction, Doer, write_down
from services.context import RouterContext
from services.given_up_bases import give_up_replaced_base
from services.large_answers import room_for
from services.routers.credentials import Credentials, CredentialsUnreadable, CredentialVault
from services.routers.freshness import Freshness, freshness_of
from services.routers.router_contacts import record_failure
from services.routers.router_doctor import Check, diagnose
from services.routers.router_facts import read_facts, with_standstill
from services.single_flight import SingleFlight
from utils.errors import (
    BadRouterOutput,
    Conflict,
    NlbwmonDown,
    NlbwmonMissing,
    OutputTooLarge,
    RouterAddressNotAllowed,
    RouterError,
    RouterNotFound,
    RouterRequired,
    ValidationFailed,
)
from utils.nlbwmon_parser import parse_nlbw_json
from utils.router_parser import parse_leases, parse_neighbours
from utils.time import Clock, utc_now

logger = logging.getLogger(__name__)

#: What `register` makes. Anything else names no router and is not even looked up.
_ROUTER_ID = re.compile(r"[0-9a-f]{16}")

#: Where credentials are sent to or as whom: changing it needs them again, so that nobody who gets hold of a
#: session can have a stored password sent to a machine of his own.
_ADDRESS_FIELDS = ("host", "port", "username")


@dataclass(frozen=True, kw_only=True)
class RouterRegistration:
    """What a person says of a router."""

    name: str
    host: str
    port: int = 22
    username: str = "root"
    credentials: Credentials = field(default=Credentials(), repr=False)
    #: IANA name; None: the router tells it at its first reading.
    timezone: str | None = None
    #: None: COLLECT_INTERVAL_MINUTES.
    collect_interval_minutes: int | None = None


@dataclass(frozen=True, kw_only=True)
class RegisteredRouter:
    """A stored router, and what was wrong when it was first contacted, if anything was."""

    router: RouterRecord
    warning: RouterError | None = None


def target_of(router: RouterRecord, vault: CredentialVault, *, by_request: bool = False) -> RouterTarget:
    """The router as the connection pool needs it, credentials opened.

    ``by_request``: a person wants to know whether they do, even if they were refused a moment ago.
    """
    credentials = vault.open(router.credentials)
    return RouterTarget(
        session_id=router.session_id,
        router_id=router.id,
        host=router.host,
        port=router.port,
        username=router.username,
        password=credentials.password,
        private_key=credentials.private_key,
        host_key=router.host_key,
        changed_at=router.updated_at,
        by_request=by_request,
    )


def host_key_fingerprint(router: RouterRecord) -> str | None:
    """The pinned key as ssh-keygen prints it; None before first contact."""
    return fingerprint(router.host_key) if router.host_key else None


def presented_host_key_fingerprint(router: RouterRecord) -> str | None:
    """The key that the router showed last in place of the pinned one; None where it shows the pinned one."""
    return fingerprint(router.presented_host_key) if router.presented_host_key else None


class RouterService:
    """The routers of every account, one account a call."""

    def __init__(
        self,
        database: Database,
        connections: RouterConnectionManager,
        vault: CredentialVault,
        *,
        default_interval: int,
        most_routers: int,
        clock: Clock = utc_now,
    ) -> None:
        """``default_interval``: minutes between collections where a registration names none; ``most_routers``: of one
        account."""
        self._database = database
        self._connections = connections
        self._vault = vault
        self._default_interval = default_interval
        self._most_routers = most_routers
        self._clock = clock
        self._tests: SingleFlight[RouterContext, list[Check]] = SingleFlight()

    def register(self, session_id: str, registration: RouterRegistration, *, by: Doer = THE_SERVER) -> RegisteredRouter:
        """Store a router and contact it once, which pins its host key.

        One that can't be reached just now is kept, with a warning: it may be switched off. That is its first failed
        attempt. Raises RouterAddressNotAllowed before anything is stored, and Conflict where the account has a router
        at this host and port, or as many as it may have.
        """
        _check_private_key(registration.credentials)
        new = RouterRecord(
            id=secrets.token_hex(8),
            session_id=session_id,
            name=registration.name,
            host=registration.host,
            port=registration.port,
            username=registration.username,
            credentials=self._vault.seal(registration.credentials),
            timezone=registration.timezone,
            collect_interval_minutes=registration.collect_interval_minutes or self._default_interval,
        )
        try:
            self._connections.check_address(target_of(new, self._vault))
        except RouterAddressNotAllowed as error:
            logger.warning("no router registered at %s port %d: %s", new.host, new.port, error.code)
            raise
        with self._database.transaction() as conn:
            users_db.lock_user(conn, session_id)  # of two registrations at once the second counts the first
            if routers_db.count_routers(conn, session_id) >= self._most_routers:
                raise Conflict(f"An account may have {self._most_routers} routers here (ACCOUNT_MAX_ROUTERS).")
            router = routers_db.insert_router(conn, new)
            write_down(conn, session_id, AuditAction.ROUTER_ADDED, router.id, by=by, at=self._clock())
        warning = self._first_contact(router)
        logger.info("router %s registered: %s port %d", router.id, router.host, router.port)
        context = RouterContext(session_id, router.id)
        if warning is not None:
            record_failure(self._database, context, warning, at=self._clock(), changed_at=router.updated_at)
        return RegisteredRouter(router=self.get(context), warning=warning)

    def ensure_registered(self, session_id: str, registration: RouterRegistration) -> RouterRecord:
        """The router at this host and port with these credentials, registered or brought up to date.

        For the ROUTER_* variables: the router need not answer for the server to start.
        """
        for router in self.list_all(session_id):
            if (router.host, router.port) == (registration.host, registration.port):
                if self._signs_in_with(router, registration):
                    return router
                changes = {"username": registration.username}
                return self.update(RouterContext(session_id, router.id), changes, credentials=registration.credentials)
        return self.register(session_id, registration).router

    def list_page(self, session_id: str, *, page: int, page_size: int) -> tuple[list[RouterRecord], int]:
        """One page of the account's routers by name, and how many there are."""
        with self._database.reading() as conn:
            routers = routers_db.list_routers(conn, session_id, limit=page_size, offset=(page - 1) * page_size)
            return routers, routers_db.count_routers(conn, session_id)

    def list_all(self, session_id: str) -> list[RouterRecord]:
        with self._database.reading() as conn:
            return routers_db.list_routers(conn, session_id, limit=None, offset=0)

    def get(self, context: RouterContext) -> RouterRecord:
        """Raises RouterNotFound, for another account's router as for none."""
        if not _ROUTER_ID.fullmatch(context.router_id):
            raise RouterNotFound
        with self._database.reading() as conn:
            router = routers_db.get_router(conn, context.session_id, context.router_id)
        if router is None:
            raise RouterNotFound
        return router

    def update(
        self,
        context: RouterContext,
        changes: Mapping[str, object],
        *,
        credentials: Credentials | None = None,
        by: Doer = THE_SERVER,
    ) -> RouterRecord:
        """Change what ``changes`` names. Another address is another router: its host key is pinned anew.

        Raises ValidationFailed where address or user change without the credentials being given again, RouterNotFound.
        """
        self.get(context)
        values = dict(changes)
        if credentials is not None:
            _check_private_key(credentials)
            values["credentials"] = self._vault.seal(credentials)
        with self._database.transaction() as conn:
            before = routers_db.lock_router(conn, context.session_id, context.router_id)
            if before is None:  # deleted just now
                raise RouterNotFound
            moved = [name for name in _ADDRESS_FIELDS if name in changes and changes[name] != getattr(before, name)]
            if moved and credentials is None:
                raise ValidationFailed(
                    "To change where or as whom credentials are sent, enter them again.",
                    details={name: ["changing it needs password or privateKey in the same request"] for name in moved},
                )
            if "host" in moved or "port" in moved:
                values["clear_host_key"] = True
            after = routers_db.update_router(conn, context.session_id, context.router_id, values)
            if after is None:  # never: it is held
                raise RouterNotFound
            subject = " ".join([after.id, *_changed_fields(before, changes, credentials)])
            write_down(conn, after.session_id, AuditAction.ROUTER_CHANGED, subject, by=by, at=self._clock())
        self._connections.forget((context.session_id, context.router_id))
        return after

    def accept_host_key(self, context: RouterContext, accepted: str, *, by: Doer = THE_SERVER) -> RouterRecord:
        """Pin the key with the fingerprint ``accepted``, which the router showed last in place of the pinned one.

        The next reading is a first one (`give_up_replaced_base`).
        Raises Conflict where it showed another or none, RouterNotFound.
        """
        router = self.get(context)
        presented = presented_host_key_fingerprint(router)
        if router.presented_host_key is None or presented is None:
            raise Conflict(
                "The router has shown no other host key than the pinned one, so there is none to accept. "
                "Should it have a new one by now, contact it first: POST /api/device-usage/refresh."
            )
        if accepted != presented:
            raise Conflict(
                f"The router showed the host key {presented} last, not {accepted}. Nothing was changed.",
                details={"fingerprint": [accepted], "presentedHostKeyFingerprint": [presented]},
            )
        with self._database.transaction() as conn:
            is_accepted = routers_db.accept_host_key(
                conn, context.session_id, context.router_id, router.presented_host_key
            )
            if is_accepted:
                now, subject = self._clock(), f"{context.router_id} {presented}"
                give_up_replaced_base(conn, context, now)
                write_down(conn, context.session_id, AuditAction.HOST_KEY_ACCEPTED, subject, by=by, at=now)
        if not is_accepted:
            raise Conflict("The router was changed or showed yet another host key just now. Look at it again.")
        self._connections.forget((context.session_id, context.router_id))
        logger.info("router %s: host key %s accepted", context.router_id, presented)
        return self.get(context)

    def delete(self, context: RouterContext, *, by: Doer = THE_SERVER) -> None:
        """Remove the router and everything stored of it. Raises RouterNotFound."""
        self.get(context)
        self._remove(context, by=by)
        logger.info("router %s deleted with its data", context.router_id)

    def choose(self, session_id: str, router_id: str | None) -> RouterRecord:
        """The router a request means: the one it names, or the account's only one.

        Raises RouterRequired where it could be several or there is none, RouterNotFound.
        """
        if router_id is not None:
            return self.get(RouterContext(session_id, router_id))
        with self._database.reading() as conn:
            routers = routers_db.list_routers(conn, session_id, limit=2, offset=0)
        if len(routers) == 1:
            return routers[0]
        if not routers:
            raise RouterRequired("No router is registered yet. Register one with POST /api/routers.")
        raise RouterRequired("You have several routers. Say which one: ?routerId= or the header X-Router-Id.")

    def freshness_of(self, router: RouterRecord) -> Freshness:
        """How far what is stored of it can be taken for the present; asks neither it nor the database."""
        return freshness_of(router, self._clock())

    def test(self, context: RouterContext) -> list[Check]:
        """Try the router out, step by step; stops at the first step that the others need.

        Callers at the same time share one try: a router that never answers is waited for once.
        """
        router = self.get(context)
        return self._tests.run(context, lambda: self._test(router))

    def _test(self, router: RouterRecord) -> list[Check]:
        signed_in = Check(check="ssh", ok=True, message=f"Signed in to {router.host} as {router.username}.")
        try:
            target = target_of(router, self._vault, by_request=True)
            status = validate_nlbwmon_status(self._connections, target)
            with room_for(status.usage_json):
                rows = len(parse_nlbw_json(status.usage_json).rows) if status.running else None
        except (BadRouterOutput, OutputTooLarge) as error:
            return [signed_in, Check(check="nlbwmon", ok=False, message=error.message, fix=error.fix)]
        except RouterError as error:
            return [Check(check="ssh", ok=False, message=error.message, fix=error.fix)]
        fix = None if status.running else _status_error(status).fix
        checks = [signed_in, Check(check="nlbwmon", ok=status.running, message=status.message, fix=fix)]
        try:
            answer = get_device_list(self._connections, target)
            with room_for(answer.leases, answer.neighbours):
                leases, neighbours = parse_leases(answer.leases or ""), parse_neighbours(answer.neighbours or "")
        except RouterError as error:
            checks.append(Check(check="devices", ok=False, message=error.message))
        else:
            message = f"{len(leases)} DHCP lease(s), {len(neighbours)} neighbour(s)."
            checks.append(Check(check="devices", ok=bool(leases or neighbours), message=message))
        return checks + self._diagnose(router, target, rows)

    def _diagnose(self, router: RouterRecord, target: RouterTarget, rows: int | None) -> list[Check]:
        """The doctor's checks, asked live. ``rows``: those of the running accounting period; None: nlbwmon is away, and
        nothing can be said of its counters.
        """
        try:
            answer = get_router_facts(self._connections, target)
        except RouterError as error:
            return [Check(check="settings", ok=False, message=error.message, fix=error.fix)]
        with self._database.reading() as conn:
            standstill = None if rows is None else readings_db.get_standstill(conn, router.session_id, router.id)
        facts = read_facts(answer, read_at=self._clock(), rows=rows, timezone=router.timezone)
        checks = diagnose(with_standstill(facts, standstill))
        if facts.local_networks is None:
            message = "The router doesn't tell nlbwmon's settings (uci -q show nlbwmon): they were not checked."
            checks.insert(0, Check(check="settings", ok=True, message=message))
        return checks

    def _remove(self, context: RouterContext, *, by: Doer) -> None:
        with self._database.transaction(timeout_s=300) as conn:  # years of usage go with it
            if not routers_db.delete_router(conn, context.session_id, context.router_id):
                raise RouterNotFound
            device_usage_db.delete_usage(conn, context.session_id, context.router_id)
            now = self._clock()
            write_down(conn, context.session_id, AuditAction.ROUTER_DELETED, context.router_id, by=by, at=now)
        self._connections.forget((context.session_id, context.router_id))

    def _signs_in_with(self, router: RouterRecord, registration: RouterRegistration) -> bool:
        try:
            stored = self._vault.open(router.credentials)
        except CredentialsUnreadable:
            return False
        return (router.username, stored) == (registration.username, registration.credentials)

    def _first_contact(self, router: RouterRecord) -> RouterError | None:
        try:
            status = validate_nlbwmon_status(self._connections, target_of(router, self._vault))
        except RouterError as error:
            return error
        return None if status.running else _status_error(status)


def _status_error(status: NlbwmonStatus) -> RouterError:
    """The error that says what nlbwmon's status says."""
    return NlbwmonDown(status.message) if status.installed else NlbwmonMissing(status.message)


def _changed_fields(before: RouterRecord, changes: Mapping[str, object], credentials: Credentials | None) -> list[str]:
    """What a change makes another, as the API names it and without values. Given credentials count as others."""
    secrets_given = vars(credentials) if credentials else {}
    return [
        to_camel(name)
        for name, value in {**secrets_given, **changes}.items()
        if value is not None and (name in secrets_given or value != getattr(before, name))
    ]


def _check_private_key(credentials: Credentials) -> None:
    """Raises ValidationFailed for a key that can't be read, before it is stored."""
    if credentials.private_key is not None:
        try:
            check_private_key(credentials.private_key)
        except ValueError as error:
            raise ValidationFailed(str(error), details={"privateKey": [str(error)]}) from None
