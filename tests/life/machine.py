"""The same life under hypothesis, which draws what happens, and where it finds a difference, the shortest way there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.life import operations
from tests.life.interruptions import MortalDatabase
from tests.life.operations import Operation, do, draw_plan
from tests.life.watched_home import HomePlan, Tally, WatchedHome

#: Details of one operation: amounts, waits, what is cut where.
DETAILS = st.integers(0, 2**32 - 1)


class LifeMachine(RuleBasedStateMachine):
    """One home. A subclass says which database, and how its router cuts its accounting periods."""

    database: MortalDatabase
    interval = "1"
    tally = Tally()
    home: WatchedHome | None = None

    @initialize(details=DETAILS)
    def move_in(self, details: int) -> None:
        plan: HomePlan = draw_plan(Random(details), self.interval)
        self.home = WatchedHome(self.database, plan, self.tally)

    def _do(self, operation: Operation, details: int) -> None:
        assert self.home is not None
        do(self.home, operation, Random(details))

    @precondition(lambda self: self.home is not None)
    @rule(details=DETAILS)
    def read(self, details: int) -> None:
        self._do(operations.read, details)

    @precondition(lambda self: self.home is not None)
    @rule(details=DETAILS)
    def read_again(self, details: int) -> None:
        """Readings are as frequent as all else together, as in a home."""
        self._do(operations.read, details)

    def teardown(self) -> None:
        if self.home is not None:
            self.home.read()
            self.home.close()


def _rule_of(operation: Operation) -> Callable[..., None]:
    def happen(self: LifeMachine, details: int) -> None:
        self._do(operation, details)

    happen.__name__ = operation.__name__
    return precondition(lambda self: self.home is not None)(rule(details=DETAILS)(happen))


class ClockMachine(LifeMachine):
    """One whose clock and zone are set, right and wrong, besides."""


for _operation in operations.OPERATIONS:
    if _operation is not operations.read:
        _machine = ClockMachine if _operation.__name__ in operations.CLOCKS else LifeMachine
        setattr(_machine, _operation.__name__, _rule_of(_operation))
