"""Lives of homes, one after another, each drawn from a seed of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from random import Random

from tests.life.interruptions import MortalDatabase, without_waiting
from tests.life.operations import CLOCKS, OPERATIONS, Operation, do, draw_plan
from tests.life.watched_home import Connect, HomePlan, Tally, WatchedHome

#: Steps of one home; then another one moves in, so that a difference is found again soon.
STEPS_A_LIFE = 200


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A difference, and what led to it."""

    seed: int
    life: int
    error: BaseException
    log: list[str]

    def __str__(self) -> str:
        told = "\n".join(f"    {line}" for line in self.log[-25:])
        return (
            f"DIFFERENCE in life {self.life} of seed {self.seed} "
            f"(again: python -m tests.life --seed {self.seed} --life {self.life}):\n  {self.error}\n"
            f"  What happened last:\n{told}"
        )


@dataclass(frozen=True, kw_only=True)
class Script:
    """What happens in a life: the home, and each operation with a seed of its own, so that any can be left out."""

    plan: HomePlan
    steps: list[tuple[Operation, str]]

    @classmethod
    def drawn(
        cls, seed: int, life: int, *, steps: int, interval: str | None = None, without: Collection[str] = ()
    ) -> Script:
        """In lives of even number the router's clock is right and its zone stays."""
        without = {*without, *(CLOCKS if life % 2 == 0 else ())}
        rng = Random(f"{seed}/{life}")
        plan = draw_plan(rng, interval)
        weights = {one: often for one, often in OPERATIONS.items() if one.__name__ not in without}
        drawn = rng.choices(list(weights), list(weights.values()), k=steps)
        return cls(plan=plan, steps=[(one, f"{seed}/{life}/{number}") for number, one in enumerate(drawn)])


def live(
    database: MortalDatabase, script: Script, tally: Tally, *, connect: Connect | None = None
) -> tuple[AssertionError, list[str]] | None:
    """One life of a home, ended by a reading. A difference, and what led to it; None: there is none."""
    with without_waiting():
        home = WatchedHome(database, script.plan, tally, connect=connect)
        home.log.append(str(script.plan))
        try:
            for operation, seed in script.steps:
                do(home, operation, Random(seed))
            home.read()
        except AssertionError as error:
            return error, home.log
        finally:
            home.close()
    return None


def shortened(database: MortalDatabase, script: Script, *, message: str) -> Script:
    """The same difference with as few steps as leaving some out brings."""

    def still_fails(steps: list[tuple[Operation, str]]) -> bool:
        try:
            found = live(database, replace(script, steps=steps), Tally())
        except Exception:
            return False
        return found is not None and str(found[0]).splitlines()[0] == message

    steps, size = list(script.steps), max(1, len(script.steps) // 2)
    while True:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if still_fails(fewer):
                steps = fewer
            else:
                at += size
        if size == 1:
            return replace(script, steps=steps)
        size //= 2


def soak(
    database: MortalDatabase,
    seed: int,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: print(text, flush=True),  # noqa: T201
    say_every_s: float = 10.0,
    keep_on: bool = False,
    without: Collection[str] = (),
) -> tuple[Tally, list[Failure]]:
    """Lives until ``steps`` operations were done or ``minutes`` are over, whichever comes first; for ever where neither
    is named. Ends at the first difference unless ``keep_on``.
    """
    tally, failures = Tally(), []
    started = said = time.monotonic()
    life = 0
    while (steps is None or tally.steps < steps) and (minutes is None or time.monotonic() - started < 60 * minutes):
        script = Script.drawn(seed, life, steps=STEPS_A_LIFE, without=without)
        found = live(database, script, tally)
        if found:
            failure = Failure(seed=seed, life=life, error=found[0], log=found[1])
            failures.append(failure)
            say(str(failure))
            if not keep_on:
                break
        life += 1
        if time.monotonic() - said > say_every_s:
            said = time.monotonic()
            say(told(tally, len(failures), said - started))
    say(told(tally, len(failures), time.monotonic() - started))
    return tally, failures


def told(tally: Tally, differences: int, seconds: float) -> str:
    return (
        f"{seconds:6.0f} s  {tally.steps:,} steps, "
        f"{tally.readings:,} readings ({tally.failed_readings:,} more failed), "
        f"{tally.bytes_compared:,} bytes compared, {tally.losses_shown:,} losses shown ({tally.bytes_lost:,} bytes), "
        f"{tally.ambiguous_readings:,} ambiguous {dict(sorted(tally.reasons.items()))}, {differences} differences"
    )
