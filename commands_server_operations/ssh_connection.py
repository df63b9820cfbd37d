"""One SSH connection to one router: set up within a deadline, the host key checked before any credential.

RouterConnectionManager owns these objects and sees to it that one thread at a time uses one. paramiko's
exceptions end here: callers see RouterError and nothing else.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address, ip_address

import paramiko

from commands_server_operations.deadline_watch import DeadlineWatch
from commands_server_operations.router_address import IPAddress, address_not_allowed
from commands_server_operations.router_socket import RouterSocket
from commands_server_operations.router_target import CommandResult, RouterTarget
from commands_server_operations.ssh_command import Answer, execute, exit_status_of
from commands_server_operations.ssh_keys import (
    describe_host_key,
    fingerprint,
    load_private_key,
    same_host_key,
    signature_algorithms,
)
from utils.errors import (
    HostKeyChanged,
    OutputTooLarge,
    RouterAuthFailed,
    RouterError,
    RouterTimeout,
    RouterUnreachable,
)
from utils.pasteable import DEFAULT_BASE_URL, accept_host_key

logger = logging.getLogger(__name__)

# Every failure is reported by the error raised here; paramiko would log it once more, with a traceback.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

#: Ways to agree on a key that are not taken: a thread that works in numbers so long, up to 8,192 bits of the router's
#: choice, stops every other one for a second and more. Routers have others: dropbear Curve25519 since 2013.
_SLOW_KEX = {"diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512"}

#: Stores the key presented at first contact and returns the one that is pinned from then on.
PinHostKey = Callable[[RouterTarget, str], str]

_KEEPALIVE_S = 30
_THREAD_WAKES_S = 1.0
#: How long a transport's thread may take to end once its socket is shut down; it needs microseconds.
_THREAD_END_S = 1.0


class BrokenBeforeOutput(RouterUnreachable):
    """The connection to the router broke off before it answered."""


class SshConnection:
    """Used by one thread at a time; only abort() and close() may come from others."""

    def __init__(self, target: RouterTarget, watch: DeadlineWatch, *, base_url: str = DEFAULT_BASE_URL) -> None:
        """``base_url``: where people reach this server, for what an error tells them to do."""
        self.target = target
        self._base_url = base_url
        #: The key the router proved to hold, ``ssh-ed25519 AAAA…``; empty before open().
        self.host_key = ""
        self._watch = watch
        self._sock: RouterSocket | None = None
        self._transport: paramiko.Transport | None = None
        self._channel: paramiko.Channel | None = None
        self._aborted = False

    # --- setting up --------------------------------------------------------------------------------------

    def open(
        self, addresses: Sequence[IPAddress], *, deadline: float, timeout_s: float, pin_host_key: PinHostKey
    ) -> None:
        """Connect to the first of ``addresses`` that answers, check the host key, sign in.

        All of it ends before ``deadline`` (time.monotonic); ``timeout_s`` is only for the message. Raises
        RouterUnreachable, RouterTimeout, RouterAddressNotAllowed, HostKeyChanged, RouterAuthFailed, and what
        ``pin_host_key`` raises. After any of them the connection is closed.
        """
        try:
            private_key = self._private_key()
            sock = self._connect_tcp(addresses, deadline)
            with self._deadline(deadline, timeout_s, "the SSH handshake"):
                transport = self._exchange_keys(sock)
            self._check_host_key(transport, pin_host_key)
            with self._deadline(deadline, timeout_s, "signing in"):
                self._sign_in(transport, private_key)
            transport.set_keepalive(_KEEPALIVE_S)
            # How often its thread wakes for nothing; paramiko's default is ten times a second a connection.
            transport.sock.settimeout(_THREAD_WAKES_S)
        except BaseException:
            self.close()
            raise
        logger.info("connected to router %s", self.target.where)

    def _private_key(self) -> paramiko.PKey | None:
        """Read before connecting: a broken key needs no network to be found out."""
        if self.target.private_key is None:
            return None
        try:
            return load_private_key(self.target.private_key)
        except ValueError as error:
            raise RouterAuthFailed(f"{error} It was meant for the router {self.target.where}.") from None

    def _connect_tcp(self, addresses: Sequence[IPAddress], deadline: float) -> RouterSocket:
        """A connection to the first address that answers; each gets a fair share of the time that is left."""
        problem: OSError | None = None
        for tried, address in enumerate(addresses):
            share = (deadline - time.monotonic()) / (len(addresses) - tried)
            if share <= 0:
                break
            try:
                return self._connect_to(address, share)
            except OSError as error:
                self._close_socket()
                problem = error
            if self._aborted:
                raise RouterUnreachable(f"The connection to the router {self.target.where} was closed.")
        reason = (problem.strerror if problem is not None else None) or "no answer in time"
        raise RouterUnreachable(
            f"The router does not answer at {self.target.where} ({reason}). "
            "Is it on, and is its SSH port open to this server?"
        ) from problem

    def _connect_to(self, address: IPAddress, timeout_s: float) -> RouterSocket:
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        sock = self._sock = RouterSocket(family)
        sock.settimeout(timeout_s)
        sock.connect((str(address), self.target.port))
        peer = str(sock.getpeername()[0])
        if ip_address(peer) != address:
            raise address_not_allowed(self.target, peer)
        # Without it a command of 6 ms takes 41: its small packets wait for acknowledgements.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", _KEEPALIVE_S), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        if self._aborted:
            raise ConnectionAbortedError("closed while it was being set up")
        return sock

    def _exchange_keys(self, sock: socket.socket) -> paramiko.Transport:
        transport = self._transport = paramiko.Transport(sock)
        # paramiko's own limits count single steps; the guard around this counts the whole.
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = 3600
        options = transport.get_security_options()
        options.kex = tuple(name for name in options.kex if name not in _SLOW_KEX)
        if self.target.host_key is not None:
            known = tuple(options.key_types)
            wanted = tuple(name for name in signature_algorithms(self.target.host_key) if name in known)
            # A router with several host keys then shows the pinned one.
            options.key_types = wanted + tuple(name for name in known if name not in wanted)
        transport.start_client()
        return transport

    def _check_host_key(self, transport: paramiko.Transport, pin_host_key: PinHostKey) -> None:
        key = transport.get_remote_server_key()
        presented = f"{key.get_name()} {key.get_base64()}"
        pinned = self.target.host_key
        if pinned is None:
            pinned = pin_host_key(self.target, presented)
            if same_host_key(pinned, presented):
                logger.info("pinned host key %s of router %s", fingerprint(presented), self.target.where)
        if not same_host_key(pinned, presented):
            accept = accept_host_key(self._base_url, self.target.router_id, fingerprint(presented))
            raise HostKeyChanged(
                f"The router at {self.target.where} shows the host key {describe_host_key(presented)}, but "
                f"{describe_host_key(pinned)} is pinned. No credentials were sent. If you know why it changed (the "
                f"router was reinstalled or replaced), accept the new key: {accept}",
                presented=presented,
                accept_with=accept,
            )
        self.host_key = presented

    def _sign_in(self, transport: paramiko.Transport, private_key: paramiko.PKey | None) -> None:
        target = self.target
        try:
            if private_key is not None:
                what = "key"
                more = transport.auth_publickey(target.username, private_key)
            elif target.password is not None:
                what = "password"
                # Falls back to keyboard-interactive where the router offers only that.
                more = transport.auth_password(target.username, target.password)
            else:
                what = "sign-in without a password"
                more = transport.auth_none(target.username)
        except paramiko.AuthenticationException as error:
            if not transport.is_active():
                # Not an answer: the connection ended while one was awaited.
                raise EOFError from error
            raise RouterAuthFailed(
                f"The router {target.where} refused the {what} of the user {target.username}."
            ) from error
        if more:
            raise RouterAuthFailed(
                f"The router {target.where} wants a second step of sign-in after the {what}; that is not supported."
            )

    # --- running a command -------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether it looks alive: signed in, and no end of the connection seen yet."""
        transport = self._transport
        return not self._aborted and transport is not None and transport.is_authenticated()

    def run(
        self, command: str, *, deadline: float, timeout_s: float, open_timeout_s: float, max_output_bytes: int
    ) -> CommandResult:
        """Run one command, from opening its channel to its exit status before ``deadline`` (time.monotonic).

        ``open_timeout_s`` bounds the wait for the channel. Raises BrokenBeforeOutput, RouterUnreachable,
        RouterTimeout, OutputTooLarge; after any of them the connection is closed.
        """
        transport, sock = self._transport, self._sock
        if transport is None or sock is None:
            raise BrokenBeforeOutput(f"There is no connection to the router {self.target.where}.")
        started = time.monotonic()
        answer = Answer(self.target, max_output_bytes)
        sock.begin_command(max_output_bytes)
        try:
            with self._deadline(deadline, timeout_s, "the command", answer):
                channel = self._channel = transport.open_session(timeout=open_timeout_s)
                execute(channel, command)
                answer.read_to_end(channel, deadline)
                exit_status = exit_status_of(channel, transport, deadline)
                # Sends a close and doesn't wait for the router's.
                channel.close()
                self._channel = None
        except BaseException:
            self.close()
            raise
        duration_s = time.monotonic() - started
        logger.debug("router %s: command took %.3f s, %d bytes", self.target.where, duration_s, len(answer.stdout))
        return CommandResult(
            stdout=bytes(answer.stdout),
            stderr=bytes(answer.stderr),
            exit_status=exit_status,
            duration_s=duration_s,
        )

    @contextmanager
    def _deadline(self, deadline: float, timeout_s: float, step: str, answer: Answer | None = None) -> Iterator[None]:
        """Abort past the deadline; what paramiko and the socket raise becomes a RouterError."""
        where = self.target.where
        with self._watch.guard(deadline, self.abort) as guard:
            try:
                yield
            except RouterError:
                raise
            except Exception as error:
                # Not only SSHException, EOFError and OSError: paramiko hands on whatever a broken or hostile
                # peer made it trip over, an InvalidTag or a struct.error among them.
                if guard.expired or time.monotonic() >= deadline:
                    raise RouterTimeout(f"The router {where} did not finish {step} within {timeout_s:g} s.") from error
                if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
                    raise RouterUnreachable(
                        f"The SSH server of the router {where} knows only outdated algorithms; update it."
                    ) from error
                if answer is not None and self._sock is not None and self._sock.has_had_enough:
                    raise OutputTooLarge(f"The router {where} sends far more than the answer.") from error
                if answer is not None and answer.is_empty:
                    raise BrokenBeforeOutput(
                        f"The connection to the router {where} broke off, or the router refused the command."
                    ) from error
                raise RouterUnreachable(f"The connection to the router {where} broke off during {step}.") from error

    # --- ending ------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Make whoever uses the connection fail soon. Never blocks; any thread may call it."""
        self._aborted = True
        sock, channel = self._sock, self._channel
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if channel is not None:
            # exec_command waits for this event alone, and may have cleared it just as the connection ended.
            channel.event.set()

    def close(self) -> None:
        """End the connection and its thread; leaves no descriptor open. Any thread may call it, repeatedly."""
        self.abort()
        transport, channel = self._transport, self._channel
        if transport is not None:
            if transport.is_alive() and transport is not threading.current_thread():
                transport.join(_THREAD_END_S)
            # Cancels paramiko's handshake timer, a thread of its own.
            transport.packetizer.complete_handshake()
            transport.close()
        if channel is not None:
            # Only now: its pipe must not be closed while the transport's thread may still write to it.
            channel.close()
            self._channel = None
        self._close_socket()

    def _close_socket(self) -> None:
        if self._sock is not None:
            self._sock.close()
