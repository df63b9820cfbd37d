"""The demo: a simulated home behind SSH, watched by the real server, with thirty days of history at first start.

The history is not made up: the home's clock runs ahead through the real reading, parser, accounting and store.
The home lives on from its first start, whenever the demo runs: a second start finds it, and its data, again.
"""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from commands_server_operations.router_connection_manager import RouterConnectionManager
from db_operations import readings_db
from db_operations.database import Database
from services.accounts.accounts import LOCAL_SESSION_ID
from services.context import RouterContext
from services.device_usage_collector import DeviceUsageCollector
from services.readings.router_readings import ReadingTaker
from services.routers.credentials import Credentials, CredentialVault
from services.routers.routers import RouterRegistration, RouterService
from simulator.home import typical_home
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from utils.config import Config, ConfigurationError
from utils.errors import RolloverInProgress
from utils.time import floor_hour, utc_now

HISTORY = timedelta(days=30)

#: Readings of the history are this far apart; from then on they are COLLECT_INTERVAL_MINUTES apart.
STEP = timedelta(minutes=30)

_PASSWORD = "openwrt"  # noqa: S105 # nosec B105 # of a router that exists only in this process, on loopback


class _ReplayClock:
    """Stands where it is put until it is let go; then it is the real one."""

    def __init__(self) -> None:
        self._moment: datetime | None = None

    def now(self) -> datetime:
        return self._moment or utc_now()

    def set(self, moment: datetime) -> None:
        self._moment = moment

    def let_go(self) -> None:
        self._moment = None


def demo_config(config: Config) -> Config:
    """The configuration with a data directory of the demo's own and the simulated router's network allowed.

    Raises ConfigurationError where people sign in: no account is there to be shown it.
    """
    if config.has_sign_in:
        raise ConfigurationError(f"--demo: only for AUTH_MODE=local, not {config.auth_mode}")
    loopback = ip_network("127.0.0.0/8")
    return config.model_copy(
        update={
            "data_dir": config.data_dir / "demo",
            "router_allowed_networks": (*config.router_allowed_networks, loopback),
        }
    )


@contextmanager
def running_demo(
    *,
    data_dir: Path,
    database: Database,
    connections: RouterConnectionManager,
    vault: CredentialVault,
    routers: RouterService,
    say: Callable[[str], None],
) -> Iterator[None]:
    """The simulated home, registered and caught up with, for as long as the block runs."""
    lock = (data_dir / "demo.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError("another demo is running with this DATA_DIR; stop it, or choose another DATA_DIR") from None
    memory = _Memory.load(data_dir / "demo.json")
    clock = _ReplayClock()
    with lock, SshServer() as server:
        clock.set(memory.start)
        home = typical_home(start=memory.start, clock=clock, ledger=False)
        hosted = _host(server, home, memory.port, data_dir / "demo_host_key")
        context = _register(routers, hosted, memory.router_id)
        memory.remember(hosted.port, context.router_id)
        taker = ReadingTaker(database, connections, vault, clock.now)
        collector = DeviceUsageCollector(database, taker, clock.now, workers=1, claim_for=STEP)
        _catch_up(database, collector, context, clock, memory.start, say)
        clock.let_go()
        yield


class _Memory:
    """What has to be the same at the demo's next start: when the home began to live, its port, its router's id."""

    def __init__(self, file: Path, start: datetime, port: int, router_id: str | None) -> None:
        self._file = file
        self.start = start
        self.port = port
        self.router_id = router_id

    @classmethod
    def load(cls, file: Path) -> "_Memory":
        if file.exists():
            stored = json.loads(file.read_text())
            return cls(file, datetime.fromisoformat(stored["start"]), stored["port"], stored["routerId"])
        return cls(file, floor_hour(utc_now() - HISTORY), 0, None)

    def remember(self, port: int, router_id: str) -> None:
        """Written beside and moved into place: a kill in between leaves the old memory or the new one."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"start": self.start.isoformat(), "port": port, "routerId": router_id}))
        new.replace(self._file)


def _host(server: SshServer, home: SimulatedRouter, port: int, key_file: Path) -> HostedRouter:
    """Behind the port of last time, or another where that one is taken now."""
    try:
        return server.add(home, port=port, password=_PASSWORD, host_key_file=key_file)
    except OSError:
        return server.add(home, password=_PASSWORD, host_key_file=key_file)


def _register(routers: RouterService, hosted: HostedRouter, router_id: str | None) -> RouterContext:
    """The demo's router, at the port where it is now, whatever it was renamed to meanwhile."""
    credentials = Credentials(password=_PASSWORD)
    for router in routers.list_all(LOCAL_SESSION_ID):
        if router.id == router_id:
            context = RouterContext(LOCAL_SESSION_ID, router.id)
            address = {"host": hosted.host, "port": hosted.port, "username": hosted.username}
            routers.update(context, address, credentials=credentials)
            return context
    registration = RouterRegistration(
        name="Simulated home", host=hosted.host, port=hosted.port, username=hosted.username, credentials=credentials
    )
    # Also after a kill between registering and remembering: the one at this address is taken as it is.
    return RouterContext(LOCAL_SESSION_ID, routers.ensure_registered(LOCAL_SESSION_ID, registration).id)


def _catch_up(
    database: Database,
    collector: DeviceUsageCollector,
    context: RouterContext,
    clock: _ReplayClock,
    start: datetime,
    say: Callable[[str], None],
) -> None:
    """Live through the history, a reading each `STEP`; goes on where an interrupted first start left off."""
    end = start + HISTORY
    with database.transaction() as conn:
        last = readings_db.get_last_reading(conn, context.session_id, context.router_id)
    moment = start if last is None else last.read_at + STEP
    if moment >= end:
        return
    say("First start: the simulated home lives through 30 days, please wait a moment.")
    told = 0
    while moment < end:
        clock.set(moment)
        with suppress(RolloverInProgress):  # at a month's first moment; the next step brings it
            collector.collect(context)
        moment += STEP
        percent = int(100 * ((moment - start) / HISTORY))
        if percent >= told + 20:
            told = percent
            say(f"  {percent} % of the history is there")
