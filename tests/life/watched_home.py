"""A home that is watched: a simulated router, the product that reads it, and the oracle that knows every byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from commands_server_operations.nlbw_answers import Connections
from services.accounts.accounts import ensure_local_user
from services.context import RouterContext
from services.device_usage_collector import DeviceUsageCollector
from services.readings.reading_store import ReadingStore, StaleBase
from services.readings.router_readings import ReadingTaker, TakenReading
from services.routers.credentials import Credentials, CredentialVault
from services.routers.routers import RouterRegistration, RouterService
from simulator.clock import ManualClock, to_us
from simulator.nlbwmon import NlbwmonSettings
from simulator.periods import parse_interval
from simulator.router import SimulatedRouter
from simulator.rows import Delta
from tests.homes import ALICE, KEY
from tests.life.interruptions import Cut, Death, DirectConnections, Killed, MortalDatabase, WatchedConnections
from tests.life.oracle import Oracle, View
from tests.life.traced_daemon import TracedDaemon
from utils.errors import NetPilotError

#: A real way to a router, and where it is: host, port, credentials.
Connect = Callable[[SimulatedRouter], tuple[Connections, dict[str, Any]]]


class TracedRouter(SimulatedRouter):
    """A simulated router with a traced daemon."""

    daemon: TracedDaemon

    def __init__(self, clock: ManualClock, *, zone: str, settings: NlbwmonSettings) -> None:
        super().__init__(clock, zone=zone, settings=settings)
        #: Why it can't be known to the byte what any further reading should store.
        self.doubts: set[str] = set()
        self.daemon = TracedDaemon(settings, self.zone)
        self.daemon.start(self._at, self.wall_us)
        self.daemon.taken_up.clear()

    def _tell_daemon(self, deltas: list[Delta]) -> None:
        self.daemon.now_us = self.true_us
        super()._tell_daemon(deltas)
        if not (self.daemon.running and self.counting):
            for key, _conns, down, _rx_packets, up, _tx_packets in deltas:
                self.daemon.uncounted(key, down, up)

    def set_clock(self, ahead: timedelta) -> None:
        """Somebody or NTP sets the router's clock, so far ahead of the truth."""
        self.doubt_clock()
        self.clock_offset = ahead
        self.doubt_clock()

    def doubt_clock(self) -> None:
        """Files of a wrong clock carry wrong names."""
        true_s, wall_s = self.true_us // 1_000_000, self.wall_us // 1_000_000
        interval = self.daemon.interval
        if interval.name(true_s, self.zone) != interval.name(wall_s, self.zone) or self.clock_offset:
            self.doubts.add("wrong clock")

    def change_zone(self, zone: str) -> None:
        """Somebody sets another zone while the daemon runs."""
        with self.lock:
            self.advance()
            self.doubts.add("another zone")
            self.zone = self.daemon.zone = ZoneInfo(zone)
            self.daemon.interval = parse_interval(self.daemon.settings.database_interval, self.zone)
            if self.daemon.running:
                self.daemon.do_due(self._at, self.wall_us)


@dataclass(kw_only=True)
class HomePlan:
    """What a watched home is made of."""

    start: datetime
    zone: str = "Europe/Berlin"
    interval: str = "1"
    limit: int = 10_000
    on_disk: bool = True
    commit_interval: int = 86_400
    generations: int = 10
    rollover_delay: int = 0

    def settings(self) -> NlbwmonSettings:
        return NlbwmonSettings(
            database_interval=self.interval,
            database_limit=self.limit,
            database_directory="/etc/nlbwmon" if self.on_disk else "/var/lib/nlbwmon",
            commit_interval=self.commit_interval,
            database_generations=self.generations,
            rollover_delay=self.rollover_delay,
        )


@dataclass(kw_only=True)
class Tally:
    """What was done so far, over all homes."""

    steps: int = 0
    readings: int = 0
    failed_readings: int = 0
    bytes_compared: int = 0
    losses_shown: int = 0
    bytes_lost: int = 0
    ambiguous_readings: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class WatchedHome:
    """One router from its first reading on."""

    def __init__(
        self,
        database: MortalDatabase,
        plan: HomePlan,
        tally: Tally,
        *,
        connect: Connect | None = None,
    ) -> None:
        """``connect`` None: commands run on the simulated router itself."""
        self.plan = plan
        self.tally = tally
        self.clock = ManualClock(plan.start)
        self.router = TracedRouter(self.clock, zone=plan.zone, settings=plan.settings())
        self.database = database
        way, address = connect(self.router) if connect else (DirectConnections(self.router), {"host": uuid4().hex})
        self.connections = WatchedConnections(way, self._on_answer)
        vault = CredentialVault([KEY])
        self.taker = ReadingTaker(database, self.connections, vault, self.clock.now)
        self.store = ReadingStore(database)
        self.collector = DeviceUsageCollector(
            database, self.taker, self.clock.now, workers=1, claim_for=timedelta(minutes=5)
        )
        ensure_local_user(database)
        routers = RouterService(database, self.connections, vault, default_interval=5, most_routers=1_000_000)  # type: ignore[arg-type]
        address.setdefault("credentials", Credentials(password="secret"))
        registration = RouterRegistration(name="Home", **address)
        self.context = RouterContext(ALICE, routers.register(ALICE, registration).router.id)
        self._routers = routers
        self._view: View | None = None
        self.oracle = Oracle(self.router, database, self.context, tally)
        self.log: list[str] = []
        self.read()

    def close(self) -> None:
        self.collector.stop(0)

    # -- readings ----------------------------------------------------------------------------------------

    def read(self) -> bool:
        """Take and store a reading and hold it against the truth. False where the router could not be read."""
        self._view = None
        self.connections.round_trips = 0
        try:
            self.collector.collect(self.context)
        except NetPilotError:
            self.tally.failed_readings += 1
            return False
        self._settle()
        return True

    def fail_to_read(self, cut: Cut) -> None:
        """A reading whose connection is lost; where it needs fewer round trips, it succeeds."""
        self.connections.cut = cut
        try:
            self.read()
        finally:
            self.connections.cut = None

    def read_with(self, interlude: Callable[[], None]) -> None:
        """A reading with something happening between its first round trip and its second."""
        self.connections.interlude = interlude
        try:
            self.read()
        finally:
            self.connections.interlude = None

    def die_while_reading(self, death: Death) -> None:
        """A reading that the process doesn't survive; the next process reads again. What was committed counts."""
        self._view = None
        self.connections.round_trips = 0
        before = self.oracle.last_read_at()
        self.database.dying(death)
        try:
            self.collector.collect(self.context)
        except (Killed, NetPilotError):
            pass
        finally:
            self.database.death = None
        if self.oracle.last_read_at() != before:
            self._settle()

    def read_twice_at_once(self, between: Callable[[], None], *, is_later_first: bool) -> None:
        """Two collectors take a reading from the same base; both store theirs."""
        record = self._routers.get(self.context)
        both: list[tuple[TakenReading, View]] = []
        for number in range(2):
            if number:
                between()
            self._view = None
            self.connections.round_trips = 0
            try:
                taken = self.taker.take(record)
            except NetPilotError:
                self.tally.failed_readings += 1
                continue
            assert self._view is not None
            both.append((taken, self._view))
        if is_later_first:
            both.reverse()
        stored: list[View] = []
        for taken, view in both:
            try:
                self.store.store(record, taken)
                stored.append(view)
            except StaleBase:
                pass
        assert len(stored) == min(1, len(both)), "both readings of one base were stored"
        for view in stored:
            self._view = view
            self._settle()

    def _on_answer(self, number: int) -> None:
        if number == 1:
            self.router.doubt_clock()
            self._view = View.of(self.router)

    def _settle(self) -> None:
        assert self._view is not None
        self.oracle.settle(self._view)
        self.tally.readings += 1

    # -- time and traffic -----------------------------------------------------------------------------------

    def wait(self, step: timedelta) -> None:
        self.clock.advance(step)
        self.router.advance()

    def reach(self, moment: datetime) -> None:
        if to_us(moment) > to_us(self.clock.now()):
            self.clock.set(moment)
            self.router.advance()
