"""What happens to a router again and again: few events that say so, and no hour that is worse trusted for it."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

import pytest

from db_operations import events_db
from db_operations.database import Database
from server import Runtime, create_app
from services.accounting import notes
from services.accounting.notes import Note, Quality
from services.buckets import Span
from services.context import RouterContext
from services.readings.reading_store import _store_note
from services.usage_quality import Doubt, judge
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from simulator.ssh_server import SshServer
from tests.archived_homes import lived_home
from tests.homes import PHONE, SOAK, START, Api, ask, covered, register

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def restart(
    router: SimulatedRouter, context: RouterContext, runtime: Runtime, clock: ManualClock
) -> Callable[[timedelta], None]:
    """After that time, a reading; a minute before it nlbwmon restarted."""
    router.traffic(PHONE, rx=10)
    runtime.collector.collect(context)

    def pass_by(after: timedelta) -> None:
        clock.advance(after - MINUTE)
        router.stop()
        router.start()
        clock.advance(MINUTE)
        router.traffic(PHONE, rx=10)
        runtime.collector.collect(context)

    return pass_by


def stored(database: Database) -> list[tuple[str, datetime, datetime, int]]:
    return [tuple(row) for row in ask(database, "SELECT type, start_at, end_at, times FROM events ORDER BY id")]  # type: ignore[misc]


def test_a_router_that_restarts_at_each_reading_has_few_events(
    restart: Callable[[timedelta], None],
    runtime: Runtime,
    context: RouterContext,
    clock: ManualClock,
    database: Database,
) -> None:
    """NETPILOT_SOAK=n: for n times as long."""
    readings = 60 * SOAK
    for _ in range(readings):
        restart(5 * MINUTE)
    rows = stored(database)
    assert max(Counter(kind for kind, *_ in rows).values()) == 3
    for kind in ("daemon_restarted", "gap"):
        spans = [(start, end, times) for name, start, end, times in rows if name == kind]
        assert sum(times for *_, times in spans) == readings, "none is forgotten"
        assert [times for *_, times in spans] == [1, 1, readings - 2]
        assert spans[-1][1] == clock.now() - MINUTE
    assert len(covered(database, context)) == readings, "what was seen is told to the second, as before"
    api = Api(create_app(runtime).test_client())
    latest, *_ = api.data("/api/device-usage/events", query_string={"type": "daemon_restarted"})["events"]
    assert (latest["at"], latest["until"]) == ("2031-11-11T09:14:00Z", "2031-11-11T13:59:00Z") or SOAK > 1
    assert latest["times"] == readings - 2
    assert latest["message"] == f"nlbwmon restarted on the router. ({readings - 2} times, one soon after another.)"


def test_a_few_restarts_keep_their_own_moments(restart: Callable[[timedelta], None], database: Database) -> None:
    for minutes in (5, 5, 10, 61, 5, 5):
        restart(minutes * MINUTE)
    assert [row for row in stored(database) if row[0] == "daemon_restarted"] == [
        ("daemon_restarted", at, at, 1) for at in (START + minutes * MINUTE for minutes in (4, 9, 19, 80, 85, 90))
    ]


def test_a_series_that_ended_does_not_begin_again(restart: Callable[[timedelta], None], database: Database) -> None:
    for _ in range(5):
        restart(5 * MINUTE)
    restart(2 * HOUR)
    restart(5 * MINUTE)
    assert [row[3] for row in stored(database) if row[0] == "daemon_restarted"] == [1, 1, 3, 1, 1]


def trusts(database: Database, context: RouterContext, hours: list[Span]) -> list[object]:
    with database.transaction() as conn:
        found = events_db.list_qualities(
            conn, context.session_id, context.router_id, start=hours[0].start, end=hours[-1].end
        )
    doubts = [
        Doubt(span=Span(one.start_at, one.end_at), quality=Quality(one.quality), reason=one.type) for one in found
    ]
    return [(trust.quality, set(trust.reasons)) for trust in judge(hours, [1.0] * len(hours), doubts)]


@pytest.mark.parametrize("seed", range(20 * SOAK))
def test_no_hour_is_worse_trusted_for_it(database: Database, context: RouterContext, seed: int) -> None:
    """Gaps, recovered stretches and lost counters in any order. NETPILOT_SOAK=n: n times as many homes."""
    rng, at = Random(seed), START
    kept: list[Note] = []
    while len(kept) < 120:
        at += timedelta(minutes=rng.choice((0, 0, 0, 1, 3, 7, 20, 59, 60, 61)), seconds=rng.choice((0, 0, 13)))
        span = Span(at, at + timedelta(minutes=rng.choice((1, 5, 5, 10, 45, 60))))
        number = rng.randrange(1, 50)
        kept.append(
            rng.choice(
                (
                    notes.gap_before_restart(span, "nlbwmon"),
                    notes.gap_before_restart(span, "the router"),
                    notes.saved_recovered(span),
                    notes.archive_recovered(span, date(2031, 10, 1) + timedelta(days=number)),
                    notes.went_back(span, number),
                    notes.rows_evicted(span, number),
                )
            )
        )
        at = rng.choice((span.start, span.end, span.end))
    with database.transaction() as conn:
        for note in kept:
            _store_note(conn, (context.session_id, context.router_id), note)
    first = START - HOUR
    hours = [Span(first + number * HOUR, first + (number + 1) * HOUR) for number in range(int((at - first) / HOUR) + 4)]
    doubts = [Doubt(span=note.span, quality=note.quality, reason=note.kind) for note in kept if note.quality]
    alone = [(trust.quality, set(trust.reasons)) for trust in judge(hours, [1.0] * len(hours), doubts)]
    assert trusts(database, context, hours) == alone
    assert len(stored(database)) < len(kept)


def test_days_that_ended_while_nobody_looked_are_one_recovered_stretch(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = lived_home(
        clock, [(date(2031, 11, 9), PHONE, 1, 1)], zone="UTC", database_interval="2031-11-01/1", database_generations=0
    )
    context = register(runtime, ssh.add(router))
    runtime.collector.collect(context)
    for _ in range(10):
        router.traffic(PHONE, rx=100)
        clock.advance(24 * HOUR)
    runtime.collector.collect(context)
    events = stored(database)
    midnight = START.replace(hour=0)
    assert [row for row in events if row[0] == "recovered"] == [("recovered", START, midnight + 240 * HOUR, 1)]
    assert len([row for row in events if row[0] == "rollover"]) == 10, "each is told"
    (message,) = [text for (text,) in ask(database, "SELECT message FROM events WHERE type = 'recovered'")]
    assert "up to the end of the accounting period of 2031-11-20" in message
