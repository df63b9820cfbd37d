"""The proof, for as long as one likes: python -m tests.life --steps N --seed S [--minutes M]."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from db_operations.migrations import migrate
from tests.life.interruptions import MortalDatabase
from tests.life.operations import OPERATIONS
from tests.life.processes import kill_again_and_again, restart_again_and_again
from tests.life.soak import STEPS_A_LIFE, Script, live, shortened, soak
from tests.life.watched_home import Tally
from tests.postgres import start_embedded

#: Of a soak that nobody said a length for.
STEPS = 10_000


def again(database: MortalDatabase, seed: int, life: int, without: list[str]) -> int:
    """A difference seen before, with as few steps as it takes."""
    script = Script.drawn(seed, life, steps=STEPS_A_LIFE, without=without)
    found = live(database, script, Tally())
    if found is None:
        sys.stdout.write("no difference\n")
        return 0
    found = live(database, shortened(database, script, message=str(found[0]).splitlines()[0]), Tally()) or found
    sys.stdout.write("\n    ".join([str(found[0]), *found[1]]) + "\n")
    return 1


def interrupt(kills: int, restarts: int, seed: int) -> int:
    """The two modes with real processes."""

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    is_exact = True
    for count, what, run in ((kills, "kills", kill_again_and_again), (restarts, "restarts", restart_again_and_again)):
        if count:
            started = time.monotonic()
            outcome = run(count, seed, say)
            say(f"{count} {what} in {time.monotonic() - started:.0f} s: {outcome}")
            is_exact = is_exact and outcome.is_exact
    return 0 if is_exact else 1


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """``steps`` is None where the minutes alone say when to end."""
    parser = argparse.ArgumentParser(prog="python -m tests.life", description=__doc__)
    parser.add_argument("--steps", type=int, help=f"end after so many; {STEPS:,} where no --minutes are named either")
    parser.add_argument("--minutes", type=float, help="end after so long")
    parser.add_argument("--seed", type=int, default=1, help="the same one gives the same lives; 1 unless named")
    parser.add_argument("--life", type=int, help="one life of the seed alone: a difference seen before")
    parser.add_argument("--keep-on", action="store_true", help="go on after a difference")
    names = [operation.__name__ for operation in OPERATIONS]
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=names,
        metavar="OPERATION",
        help=f"leave one out; may be given again. One of {', '.join(names)}",
    )
    parser.add_argument("--kills", type=int, help="kill a collecting process so many times instead")
    parser.add_argument("--restarts", type=int, help="restart PostgreSQL under collection so many times instead")
    arguments = parser.parse_args(argv)
    if arguments.steps is None and arguments.minutes is None:
        arguments.steps = STEPS
    return arguments


def main() -> int:
    arguments = parsed(sys.argv[1:])
    if arguments.kills or arguments.restarts:
        return interrupt(arguments.kills or 0, arguments.restarts or 0, arguments.seed)
    logging.disable(logging.ERROR)  # routers that can't be read are what this is about
    url, stop = start_embedded()
    try:
        migrate(url)
        database = MortalDatabase(url)
        if arguments.life is not None:
            return again(database, arguments.seed, arguments.life, arguments.without)
        _, failures = soak(
            database,
            arguments.seed,
            steps=arguments.steps,
            minutes=arguments.minutes,
            keep_on=arguments.keep_on,
            without=arguments.without,
        )
        database.close()
        return 1 if failures else 0
    finally:
        stop()


if __name__ == "__main__":
    sys.exit(main())
