"""Homes that have a past: routers that nlbwmon has counted on for a while before anybody reads them."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic, sleep
from typing import Any

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from tests.homes import PHONE, START, Totals, ask

#: Who used how much on the tenth of each month from May to November 2031; nlbwmon keeps all of them.
MONTHS = [(date(2031, month, 10), PHONE, month * 1_000, month) for month in range(5, 12)]
OF_MONTHS = {(f"2031-{month:02d}-01", PHONE): (month * 1_000, month) for month in range(5, 11)}

#: The same for each of the ten days before `START`.
DAYS = [(date(2031, 11, day), PHONE, day * 100, day) for day in range(1, 11)]

#: A day, who, bytes down, bytes up: at noon UTC.
Past = Iterable[tuple[date, str, int, int]]


def lived_home(
    clock: ManualClock, past: Past, *, zone: str = "Europe/Berlin", until: datetime = START, **settings: Any
) -> SimulatedRouter:
    """A router with this past, in order; `settings` are nlbwmon's. The clock stands at ``until`` then."""
    traffic = list(past)
    clock.set(noon(traffic[0][0]))
    router = empty_router(clock, zone=zone, **settings)
    for day, mac, down, up in traffic:
        clock.set(noon(day))
        router.traffic(mac, rx=down, tx=up)
    clock.set(until)
    return router


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def settle(runtime: Runtime) -> None:
    """Wait for the steps of back-fill that are under way."""
    deadline = monotonic() + 30
    while runtime.backfill._running:
        assert monotonic() < deadline
        sleep(0.001)


def collect(runtime: Runtime, context: RouterContext, times: int = 1) -> None:
    """Readings, each with the step that follows it."""
    for _ in range(times):
        runtime.collector.collect(context)
        settle(runtime)


def states(database: Database) -> dict[str, str]:
    """Start of each period before the running one -> its state."""
    return dict(ask(database, "SELECT start_date::text, state FROM accounting_periods ORDER BY 1"))


def archived(database: Database) -> Totals:
    """(start, mac) -> bytes of each period whose archive was read."""
    rows = ask(
        database,
        """
        SELECT used.start_date::text, device_mac, total_download, total_upload
        FROM device_usage_history AS used JOIN accounting_periods AS period USING (router_id, start_date)
        WHERE span = 'period' AND state = 'complete' AND used.end_date = period.end_date
          AND total_usage = total_download + total_upload AND data_points = 1
        """,
    )
    return {(start, mac): (down, up) for start, mac, down, up in rows}


class Ahead:
    """A clock that a second has passed on whenever somebody looks: readings follow each other without a word."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        self._clock.advance(timedelta(seconds=1))
        return self._clock.now()


def asked_for(router: SimulatedRouter, before: Callable[[str], None] = lambda _: None) -> list[str]:
    """Every archive that is asked for from now on, by name; ``before`` sees each command with one in it first."""
    whole, names = router.run, list[str]()

    def run(line: str, **options: bool) -> Any:
        wanted = [part.split()[0].rstrip(";") for part in line.split(" -t ")[1:]]
        names.extend(wanted)
        if wanted:
            before(line)
        return whole(line, **options)

    router.run = run  # type: ignore[method-assign]
    return names
