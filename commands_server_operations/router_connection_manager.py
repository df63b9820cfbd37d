"""The pool of SSH connections to routers: at most one connection and one command a router at a time.

Called by device_usage_execute with fixed commands. It knows nothing of nlbwmon, and never logs a command's
output or a secret.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network

from commands_server_operations.contacts import Contacts
from commands_server_operations.deadline_watch import DeadlineWatch
from commands_server_operations.router_address import NameLookup, Resolver, allowed_addresses, system_resolver
from commands_server_operations.router_target import CommandResult, RouterTarget
from commands_server_operations.ssh_connection import BrokenBeforeOutput, PinHostKey, SshConnection
from commands_server_operations.ssh_keys import fingerprint, same_host_key
from utils.errors import RouterError, RouterTimeout, RouterUnreachable
from utils.pasteable import DEFAULT_BASE_URL

__all__ = ["CommandResult", "RouterConnectionManager", "RouterTarget", "fingerprint"]

logger = logging.getLogger(__name__)


class _Slot:
    """A router's place in the pool. It lives while someone uses it or a connection is open."""

    def __init__(self) -> None:
        #: Held while a command runs, connecting included.
        self.in_use = threading.Lock()
        self.connection: SshConnection | None = None
        # The rest is guarded by the manager's lock.
        #: Threads that hold ``in_use`` or wait for it.
        self.users = 0
        #: The router changed: no command may begin on the connection any more.
        self.stale = False
        self.idle_since = 0.0


class RouterConnectionManager:
    """Thread-safe. Its lock is never held during I/O, so no router can hold up another."""

    def __init__(
        self,
        *,
        allowed_networks: Sequence[IPv4Network | IPv6Network],
        connect_timeout_s: float = 10,
        command_timeout_s: float = 30,
        max_output_bytes: int = 16 * 2**20,
        pin_host_key: PinHostKey,
        contacts: Contacts | None = None,
        idle_close_s: float = 90,
        base_url: str = DEFAULT_BASE_URL,
        resolve: Resolver = system_resolver,
    ) -> None:
        """Times are seconds and whole deadlines, not per read.

        ``connect_timeout_s`` covers everything from the name lookup to being signed in, ``command_timeout_s``
        waiting for the router's earlier commands and the command itself. ``pin_host_key`` is called at first
        contact with the target and the key presented, and returns the key that is pinned now. ``contacts`` is asked
        before every new connection and told how it went. ``base_url``: where people reach this server, for what an
        error tells them to do.
        """
        self._allowed_networks = tuple(allowed_networks)
        self._connect_timeout_s = connect_timeout_s
        self._command_timeout_s = command_timeout_s
        self._max_output_bytes = max_output_bytes
        self._pin_host_key = pin_host_key
        self._contacts = contacts
        self._idle_close_s = idle_close_s
        self._base_url = base_url
        self._lookup = NameLookup(resolve)
        self._watch = DeadlineWatch()
        self._lock = threading.Lock()
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._closed = False

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        """Run ``command``, which must be safe to run twice, on the router's pooled or a new connection.

        A pooled connection that breaks before the first byte of an answer is replaced once. Raises
        RouterUnreachable, RouterTimeout, RouterAddressNotAllowed, HostKeyChanged, RouterAuthFailed,
        OutputTooLarge, and what ``pin_host_key`` and ``contacts`` raise; after any of them nothing is left open.
        """
        slot = self._enter(target.key)
        try:
            asked = time.monotonic()
            if not slot.in_use.acquire(timeout=self._command_timeout_s):
                raise self._busy(target)
            try:
                left_s = self._command_timeout_s - (time.monotonic() - asked)
                if left_s <= 0:
                    raise self._busy(target)
                return self._run_in(slot, target, command, left_s)
            finally:
                slot.in_use.release()
        finally:
            self._leave(target.key, slot)

    def check_address(self, target: RouterTarget) -> None:
        """Look up where the router is; nothing is sent. Raises RouterAddressNotAllowed where it may not be.

        A name that can't be looked up just now is no answer: `run` looks it up again, and judges it then.
        """
        with suppress(RouterUnreachable, RouterTimeout):
            allowed_addresses(target, self._allowed_networks, self._lookup, time.monotonic() + self._connect_timeout_s)

    def close_idle(self) -> None:
        """Close the connections that nobody used for ``idle_close_s``, and those that routers ended."""
        now = time.monotonic()
        closing = []
        with self._lock:
            for key, slot in list(self._slots.items()):
                connection = slot.connection
                if slot.users or connection is None:
                    continue
                if not connection.usable or now - slot.idle_since >= self._idle_close_s:
                    closing.append(connection)
                    del self._slots[key]
        for connection in closing:
            connection.close()

    def forget(self, target_or_ids: RouterTarget | tuple[str, str]) -> None:
        """Close the connection of a router that was changed or deleted: a target or (session_id, router_id).

        A command that runs on it ends normally; none begins on it any more.
        """
        key = target_or_ids.key if isinstance(target_or_ids, RouterTarget) else target_or_ids
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                return
            if slot.users:
                slot.stale = True
                return
            del self._slots[key]
        if slot.connection is not None:
            slot.connection.close()

    def close(self) -> None:
        """End all connections; commands that run fail with RouterUnreachable, as does run() from now on."""
        with self._lock:
            self._closed = True
            connections = [slot.connection for slot in self._slots.values() if slot.connection is not None]
            # Those in use leave the pool with the last who uses them.
            self._slots = {key: slot for key, slot in self._slots.items() if slot.users}
        # All sockets first, so that no thread's end has to wait for another's.
        for connection in connections:
            connection.abort()
        for connection in connections:
            connection.close()
        self._watch.close()

    # --- the slot of a router ----------------------------------------------------------------------------

    def _enter(self, key: tuple[str, str]) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            slot.users += 1
            return slot

    def _leave(self, key: tuple[str, str], slot: _Slot) -> None:
        closing = None
        with self._lock:
            slot.users -= 1
            slot.idle_since = time.monotonic()
            if slot.users == 0 and (slot.stale or slot.connection is None or self._closed):
                closing = slot.connection
                del self._slots[key]
        if closing is not None:
            closing.close()

    # --- with the slot's lock held -----------------------------------------------------------------------

    def _run_in(self, slot: _Slot, target: RouterTarget, command: str, left_s: float) -> CommandResult:
        connection = self._reusable(slot, target)
        if connection is not None:
            begun = time.monotonic()
            try:
                # A router that was switched off leaves a connection that swallows everything. Find out early
                # enough to connect anew.
                patience_s = min(self._connect_timeout_s, left_s / 2)
                return self._run_on(slot, connection, command, left_s, patience_s)
            except BrokenBeforeOutput:
                logger.info("connection to router %s was dead, connecting anew", target.where)
                left_s -= time.monotonic() - begun
        connection = self._connect(slot, target)
        return self._run_on(slot, connection, command, left_s, left_s)

    def _run_on(
        self, slot: _Slot, connection: SshConnection, command: str, left_s: float, open_timeout_s: float
    ) -> CommandResult:
        try:
            return connection.run(
                command,
                deadline=time.monotonic() + left_s,
                timeout_s=self._command_timeout_s,
                open_timeout_s=open_timeout_s,
                max_output_bytes=self._max_output_bytes,
            )
        except BaseException:
            slot.connection = None
            raise

    def _reusable(self, slot: _Slot, target: RouterTarget) -> SshConnection | None:
        """The slot's connection if it is alive and leads where ``target`` says; else it is closed."""
        with self._lock:
            stale, slot.stale = slot.stale, False
        connection = slot.connection
        if connection is None:
            return None
        if not stale and connection.usable and self._leads_to(connection, target):
            return connection
        slot.connection = None
        connection.close()
        return None

    def _leads_to(self, connection: SshConnection, target: RouterTarget) -> bool:
        old = connection.target
        if (old.host, old.port, old.username) != (target.host, target.port, target.username):
            return False
        if (old.password, old.private_key) != (target.password, target.private_key):
            return False
        pinned = target.host_key
        if pinned is None:
            # Read before first contact, or the pin was taken back since: ask what is pinned now.
            pinned = self._pin_host_key(target, connection.host_key)
        return same_host_key(pinned, connection.host_key)

    def _connect(self, slot: _Slot, target: RouterTarget) -> SshConnection:
        """The only way to a new connection, and so to sending credentials."""
        if self._contacts is not None:
            self._contacts.before(target)
        deadline = time.monotonic() + self._connect_timeout_s
        addresses = allowed_addresses(target, self._allowed_networks, self._lookup, deadline)
        connection = SshConnection(target, self._watch, base_url=self._base_url)
        with self._lock:
            if self._closed:
                raise RouterUnreachable("The server is shutting down.")
            # Known to close() from here on, so that it can end a connection that is being set up.
            slot.connection = connection
        try:
            connection.open(
                addresses,
                deadline=deadline,
                timeout_s=self._connect_timeout_s,
                pin_host_key=self._pin_host_key,
            )
        except BaseException as error:
            slot.connection = None
            if isinstance(error, RouterError) and self._contacts is not None:
                self._contacts.failed(target, error)
            raise
        if self._contacts is not None:
            self._contacts.signed_in(target)
        return connection

    def _busy(self, target: RouterTarget) -> RouterTimeout:
        return RouterTimeout(
            f"The router {target.where} is busy: its earlier commands took all of {self._command_timeout_s:g} s."
        )
