"""What breaks a reading off: a connection that is cut at a round trip, a process that dies at a statement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from psycopg2.extensions import connection, cursor

from commands_server_operations.nlbw_answers import Connections
from commands_server_operations.router_target import CommandResult, RouterTarget
from db_operations.database import Database
from simulator.router import SimulatedRouter
from utils.errors import DatabaseUnavailable, RouterUnreachable


class Killed(BaseException):
    """The process dies here: no handler may tidy up after it."""


class DirectConnections:
    """Runs commands on the simulated router itself: what SSH would carry, without the time it takes."""

    def __init__(self, router: SimulatedRouter) -> None:
        self._router = router

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        result = self._router.run(command)
        return CommandResult(stdout=result.stdout, stderr=result.stderr, exit_status=result.status, duration_s=0.0)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The connection is lost at a round trip (1 = the first), before the router did anything or after it did all."""

    at: int
    after: bool


class WatchedConnections:
    """Connections that tell of each round trip, and can be cut or held up between two."""

    def __init__(self, connections: Connections, on_answer: Callable[[int], None]) -> None:
        self._connections = connections
        self._on_answer = on_answer
        self.cut: Cut | None = None
        #: What happens on the router between the first round trip and the second.
        self.interlude: Callable[[], None] | None = None
        self.round_trips = 0

    def check_address(self, target: RouterTarget) -> None:
        """Any will do."""

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        self.round_trips += 1
        number, cut = self.round_trips, self.cut
        is_cut = cut is not None and cut.at == number
        if number == 2 and self.interlude:
            self.interlude()
        if cut and is_cut and not cut.after:
            raise RouterUnreachable
        result = self._connections.run(target, command)
        if is_cut:
            raise RouterUnreachable
        self._on_answer(number)
        return result


@dataclass(frozen=True, kw_only=True)
class Death:
    """The process dies at a statement (1 = the first), before the database did it or after; or the database's word
    that it has committed gets lost on its way (``at`` = a transaction then)."""

    at: int
    after: bool = False
    is_of_acknowledgement: bool = False


class MortalDatabase(Database):
    """A pool whose next transactions can be made to die. One thread alone may use it then."""

    death: Death | None = None
    has_died = False

    def dying(self, death: Death) -> None:
        self.death, self.has_died = death, False
        self._count = 0

    @contextmanager
    def transaction(self, *, timeout_s: float | None = None) -> Iterator[connection]:
        death = self.death
        if death is None:
            with super().transaction(timeout_s=timeout_s) as conn:
                yield conn
            return
        if death.is_of_acknowledgement:
            with super().transaction(timeout_s=timeout_s) as conn:
                yield conn
            self._count += 1
            if self._count == death.at:
                self.death, self.has_died = None, True
                raise DatabaseUnavailable
            return
        with super().transaction(timeout_s=timeout_s) as conn:
            conn.cursor_factory = self._mortal_cursor(death)
            try:
                yield conn
            finally:
                conn.cursor_factory = None

    def _mortal_cursor(self, death: Death) -> type[cursor]:
        database = self

        class MortalCursor(cursor):
            def execute(self, query: Any, vars: Any = None) -> None:
                database._count += 1
                is_last = database._count == death.at and database.death is not None
                if is_last:
                    database.death, database.has_died = None, True
                if is_last and not death.after:
                    raise Killed
                super().execute(query, vars)
                if is_last:
                    raise Killed

        return MortalCursor


@contextmanager
def without_waiting() -> Iterator[None]:
    """Second tries come at once: nothing on a simulated router changes while one waits."""
    with patch("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None)):
        yield
