"""The way to PostgreSQL: a bounded pool of connections and one transaction at a time on each.

Services open a transaction and pass its connection to the functions of `db_operations`. Whatever happens inside, the
connection comes back, and nobody waits longer than a deadline: not for a connection, not for a server that has been
stopped in the middle of a query. psycopg2's own pool raises at once when exhausted and hands out connections that
died with the server, hence this one.
"""

import contextlib
import logging
import math
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR, connection, make_dsn, parse_dsn

from utils.errors import DatabaseUnavailable

_log = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S: Final = 5.0
#: libpq takes whole seconds, and fewer than two as two.
_LEAST_CONNECT_TIMEOUT_S: Final = 2

#: All pools of this process, for `_forget_after_fork`.
_pools: "weakref.WeakSet[Database]" = weakref.WeakSet()


class _Pooled:
    """A connection of the pool; while checked out, also the deadline of its transaction."""

    __slots__ = ("_poll", "conn", "cut", "deadline")

    def __init__(self, conn: connection) -> None:
        self.conn = conn
        self.deadline = math.inf
        self.cut = False  # the watchdog has shut the socket down
        self._poll = select.poll()
        self._poll.register(conn.fileno(), select.POLLIN)

    def is_fresh(self) -> bool:
        """False if the server has hung up. Costs a look at the socket, no round trip.

        A server says nothing unasked to an idle session, save a goodbye or a change of its settings: a new
        connection is right after both.
        """
        return not self._poll.poll(0)

    def cut_off(self) -> None:
        """Wake the thread that waits on this connection: its socket reads as closed from now on."""
        self.cut = True
        with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.conn.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(psycopg2.Error):
            self.conn.close()


class Database:
    """A pool of at most `max_connections` connections to the server of `url`.

    Args:
        url: libpq URL or key=value string.
        max_connections: more than that at once wait for one to come back.
        checkout_timeout_s: how long they wait.
        transaction_timeout_s: how long a whole transaction may take, the wait for its connection included.

    Raises:
        ValueError: libpq can't read the URL.
    """

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 20,
        checkout_timeout_s: float = 5.0,
        transaction_timeout_s: float = 15.0,
    ) -> None:
        self._dsn = _dsn(url, transaction_timeout_s)
        self._max_connections = max_connections
        self._checkout_timeout_s = checkout_timeout_s
        self._transaction_timeout_s = transaction_timeout_s
        self._closed = False
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        """An empty pool. Locks too: in a fork, a thread that isn't there may hold them."""
        self._lock = threading.Lock()
        self._returned = threading.Condition(self._lock)
        self._new_deadline = threading.Condition(self._lock)
        self._idle: list[_Pooled] = []  # the last one back goes out first, so that few stay in use
        self._out: set[_Pooled] = set()
        self._open = 0  # idle, out and being made
        self._watchdog: threading.Thread | None = None
        self._watchdog_wakes_at = math.inf

    def transaction(self, *, timeout_s: float | None = None) -> contextlib.AbstractContextManager[connection]:
        """A connection with a transaction: committed at the end of the block, rolled back if it raises.

        `timeout_s` replaces the usual limit for this one (a long export, a clean-up). A block inside a block of the
        same thread takes a second connection.

        Raises:
            DatabaseUnavailable: no connection in time, the connection was lost (also while committing: then it is
                unknown whether the commit happened), the deadline passed, or the server asks for another try.
        """
        return self._checked_out(reads_only=False, timeout_s=timeout_s)

    def reading(self) -> contextlib.AbstractContextManager[connection]:
        """A connection that only reads; the server refuses what would write.

        Each statement sees what is committed when it begins, just as in a transaction, but saves its two round trips:
        most of what a page asks for is one statement or a few. In all else, and in what it raises, as `transaction`.
        """
        return self._checked_out(reads_only=True, timeout_s=None)

    @contextlib.contextmanager
    def _checked_out(self, *, reads_only: bool, timeout_s: float | None) -> Iterator[connection]:
        limit_s = self._transaction_timeout_s if timeout_s is None else timeout_s
        pid = os.getpid()
        pooled = self._check_out(limit_s, reads_only=reads_only)
        conn = pooled.conn
        try:
            conn.autocommit = reads_only  # a round trip, where it comes from the others
            if timeout_s is not None:
                _limit_on_server(conn, timeout_s)
            yield conn
            if os.getpid() != pid:
                raise DatabaseUnavailable("The transaction belongs to the process this one was forked from.")
            if conn.get_transaction_status() == TRANSACTION_STATUS_INERROR:
                # PostgreSQL would answer this COMMIT with a rollback, and without an error.
                raise psycopg2.InternalError("a statement failed and the block went on; nothing was stored")
            conn.commit()  # nothing, where each statement was by itself
        except BaseException as error:
            # Not in a fork: the session is the parent's, who may still commit it.
            if os.getpid() == pid:
                with contextlib.suppress(psycopg2.Error):
                    conn.rollback()
            if isinstance(error, psycopg2.Error) and (reason := _unavailable(error, pooled, limit_s)):
                raise reason from error
            raise
        finally:
            if os.getpid() == pid:
                self._give_back(pooled)

    def close(self, *, cut_off: bool = False) -> None:
        """Close the idle connections now, the others when they come back. Nothing can be begun afterwards.

        ``cut_off`` ends those that are out as well: their transactions roll back, and nobody waits for them.
        """
        with self._lock:
            if cut_off:
                for pooled in self._out:
                    pooled.cut_off()
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            self._returned.notify_all()
            self._new_deadline.notify()
        for pooled in idle:
            pooled.close()

    # --- the pool ------------------------------------------------------------------------------------------

    def _check_out(self, limit_s: float, *, reads_only: bool) -> _Pooled:
        now = time.monotonic()
        deadline = now + limit_s
        give_up = now + min(self._checkout_timeout_s, limit_s)
        while pooled := self._take_idle(give_up, reads_only=reads_only):
            if pooled.is_fresh():
                self._watch(pooled, deadline)
                return pooled
            self._discard(pooled)
        try:
            pooled = _Pooled(self._connect(deadline))
        except BaseException:
            self._discard(None)
            raise
        self._watch(pooled, deadline)
        return pooled

    def _take_idle(self, give_up: float, *, reads_only: bool) -> _Pooled | None:
        """An idle connection, not yet looked at, if possible one that was used alike; None = a place in the pool to
        make one.
        """
        with self._lock:
            while True:
                if self._closed:
                    raise DatabaseUnavailable("The server is shutting down.")
                if self._idle:
                    alike = [index for index, pooled in enumerate(self._idle) if pooled.conn.autocommit == reads_only]
                    return self._idle.pop(alike[-1] if alike else -1)
                if self._open < self._max_connections:
                    self._open += 1
                    return None
                remaining = give_up - time.monotonic()
                if remaining <= 0:
                    raise DatabaseUnavailable("All connections to the database are in use. Try again shortly.")
                self._returned.wait(remaining)

    def _connect(self, deadline: float) -> connection:
        remaining = min(_CONNECT_TIMEOUT_S, deadline - time.monotonic())
        timeout = max(_LEAST_CONNECT_TIMEOUT_S, math.ceil(remaining))
        try:
            conn = psycopg2.connect(self._dsn, connect_timeout=timeout)
        except psycopg2.Error as error:
            raise DatabaseUnavailable() from error
        conn.readonly = False  # its transactions; what is outside of one keeps to the session's default
        return conn

    def _give_back(self, pooled: _Pooled) -> None:
        # Not idle: the block left a COPY or a rollback failed. Nobody else should meet that.
        reusable = pooled.conn.get_transaction_status() == TRANSACTION_STATUS_IDLE
        with self._lock:
            self._out.discard(pooled)
            if reusable and not pooled.cut and not self._closed:
                self._idle.append(pooled)
                self._returned.notify()
                return
        self._discard(pooled)

    def _discard(self, pooled: _Pooled | None) -> None:
        """Free a place in the pool."""
        if pooled:
            pooled.close()
        with self._lock:
            self._open -= 1
            self._returned.notify()

    # --- deadlines -----------------------------------------------------------------------------------------

    def _watch(self, pooled: _Pooled, deadline: float) -> None:
        pooled.deadline = deadline
        with self._lock:
            self._out.add(pooled)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._cut_overdue, name="database-watchdog", daemon=True)
                self._watchdog.start()
            elif deadline < self._watchdog_wakes_at:
                self._new_deadline.notify()

    def _cut_overdue(self) -> None:
        """Cut off the transactions past their deadline. Runs in a thread of its own.

        It never sleeps longer than the usual limit, so a transaction with the usual limit needs no call to wake it.
        """
        with self._lock:
            while self._out or not self._closed:
                now = time.monotonic()
                for pooled in self._out:
                    if pooled.deadline <= now and not pooled.cut:
                        pooled.cut_off()
                deadlines = (pooled.deadline for pooled in self._out if not pooled.cut)
                self._watchdog_wakes_at = min(deadlines, default=math.inf)
                self._watchdog_wakes_at = min(self._watchdog_wakes_at, now + self._transaction_timeout_s)
                self._new_deadline.wait(self._watchdog_wakes_at - now)
            self._watchdog = None


def _dsn(url: str, transaction_timeout_s: float) -> str:
    """What libpq connects with: the URL's parts and the settings of every session of ours."""
    try:
        given = parse_dsn(url)
    except psycopg2.ProgrammingError:
        raise ValueError("not a libpq URL such as postgresql://user:password@host:5432/database") from None
    settings = {
        "timezone": "UTC",
        "datestyle": "ISO",  # otherwise psycopg2 asks for it in a round trip of its own
        "default_transaction_read_only": "on",  # what is read outside of a transaction must not write either
        # The watchdog wakes us; these let the server end what nobody waits for any more.
        "statement_timeout": _milliseconds(transaction_timeout_s),
        "idle_in_transaction_session_timeout": _milliseconds(transaction_timeout_s),
    }
    options = " ".join([given.pop("options", ""), *(f"-c {name}={value}" for name, value in settings.items())])
    # Without keepalives, a connection that a firewall has forgotten looks alive.
    keepalives = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
    defaults = {"application_name": "netpilot", **keepalives}
    dsn: str = make_dsn(**{**defaults, **given, "options": options.strip()})
    return dsn


def _limit_on_server(conn: connection, timeout_s: float) -> None:
    with conn.cursor() as cursor:
        cursor.execute(
            "SET LOCAL statement_timeout = %(ms)s; SET LOCAL idle_in_transaction_session_timeout = %(ms)s",
            {"ms": _milliseconds(timeout_s)},
        )


def _milliseconds(seconds: float) -> str:
    return str(max(1, math.ceil(seconds * 1000)))  # 0 would mean no limit


def _unavailable(error: psycopg2.Error, pooled: _Pooled, limit_s: float) -> DatabaseUnavailable | None:
    """What to tell the user if trying again may help; None for a mistake of ours."""
    if pooled.cut or isinstance(error, psycopg2.extensions.QueryCanceledError):
        return DatabaseUnavailable(f"The database did not finish within {limit_s:g} s. Try again shortly.")
    # An InterfaceError on a live connection is a bug, such as the use of a closed cursor. A bare DatabaseError
    # without a code is how psycopg2 reports some ends of a connection.
    lost = pooled.conn.closed or (type(error) is psycopg2.DatabaseError and error.pgcode is None)
    if lost or isinstance(error, psycopg2.OperationalError):
        return DatabaseUnavailable()
    return None


def _forget_after_fork() -> None:
    """A fork starts with empty pools: the connections it inherits are its parent's.

    They are dropped without a goodbye, which would end the parent's session: psycopg2 leaves a connection alone that
    another process has made.
    """
    for pool in _pools:
        pool._reset()


os.register_at_fork(after_in_child=_forget_after_fork)
