"""The composition root: builds pools, services and endpoints from the configuration, and is the command line.

python server.py serve [--demo] [--host H] [--port P]    web and collector; migrates first
python server.py collect                                 the collector alone
python server.py migrate                                 migrations alone
python server.py rotate-keys                             encrypts stored router passwords with the newest key
python server.py sign-out --email E | --all              ends browsers' sign-ins and tokens
"""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

from apiflask import APIFlask
from apscheduler.schedulers.background import BackgroundScheduler

from commands_server_operations.router_connection_manager import RouterConnectionManager
from credentials_keys import configured_keys, reread_keys_on_signal
from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from db_operations.migrations import migrate
from demo import demo_config, running_demo
from endpoints.app_services import AppServices
from endpoints.application import make_application
from endpoints.web_server import MAX_PER_ADDRESS, AddressInUse, WebServer, check_address_is_free
from local_account import register_configured_router, welcome
from services.accounts.accounts import LOCAL_SESSION_ID, AccountService, ensure_local_user
from services.accounts.admission import Admission
from services.accounts.api_tokens import TokenService
from services.accounts.sessions import SessionService
from services.accounts.sign_outs import sign_out
from services.anomalies import AnomalyService
from services.audit import AuditLog
from services.comparisons import ComparisonService
from services.device_usage_collector import DeviceUsageCollector
from services.device_usage_export import UsageExportService
from services.device_usage_service import DeviceUsageService
from services.devices.devices import DeviceService
from services.devices.merged_devices import MergedDeviceService
from services.events import EventService
from services.people import PeopleService
from services.periods import PeriodService
from services.protocols import ProtocolService
from services.readiness import Readiness
from services.readings.backfill import ArchiveBackfill
from services.readings.reading_limits import LimitedTaker, ReadingLimits
from services.readings.router_readings import ReadingTaker
from services.reports.reports import UsageReportService
from services.retention import RetentionService
from services.routers.credentials import CredentialVault
from services.routers.key_rotation import rotate_keys
from services.routers.router_contacts import RouterContacts, pin_host_key
from services.routers.routers import RouterService
from services.scheduler import make_scheduler
from services.status import StatusService
from services.trends import TrendService
from services.usage_history import UsageHistoryService
from services.usage_summary import UsageSummaryService
from utils.allocator import give_back_freed_memory, give_back_holes
from utils.config import Config, ConfigurationError, load_config
from utils.errors import DatabaseUnavailable
from utils.interpreter import look_for_garbage_seldom, take_short_turns
from utils.logs import set_up_logging
from utils.time import Clock, utc_now
from wind_down import STOP_GRACE_S, wind_down_on_signal

logger = logging.getLogger("netpilot")

#: Connections of one process. The embedded server takes 60.
MAX_DATABASE_CONNECTIONS = 24


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Everything one process is made of; `build_runtime` makes it, `close` takes it down."""

    config: Config
    database: Database
    connections: RouterConnectionManager
    vault: CredentialVault
    taker: ReadingTaker
    backfill: ArchiveBackfill
    collector: DeviceUsageCollector
    routers: RouterService
    retention: RetentionService
    services: AppServices

    def close(self) -> None:
        self.backfill.stop()
        self.collector.stop(0)
        self.connections.close()
        self.database.close(cut_off=True)


def build_runtime(config: Config, database_url: str, *, clock: Clock = utc_now) -> Runtime:
    """Pools and services over a database that is migrated already. Nothing runs by itself yet."""
    # Transactions take milliseconds: threads and workers take turns, and two processes stay below the server's limit.
    database = Database(database_url, max_connections=MAX_DATABASE_CONNECTIONS)
    vault = CredentialVault(configured_keys(config))
    connections = RouterConnectionManager(
        allowed_networks=config.router_allowed_networks,
        connect_timeout_s=config.router_connect_timeout_s,
        command_timeout_s=config.router_command_timeout_s,
        max_output_bytes=config.router_max_output_bytes,
        pin_host_key=lambda target, presented: pin_host_key(database, target, presented, at=clock()),
        contacts=RouterContacts(database, clock),
        base_url=config.base_url,
    )
    limits = ReadingLimits(max_devices=config.router_max_devices, max_link_gbitps=config.router_max_link_gbitps)
    taker = LimitedTaker(database, connections, vault, clock, limits=limits)
    # A reading is one connection and a command, and after a rollover or a restart a few for older files. After weeks
    # away from a router of daily periods they are more: `DeviceUsageCollector` says what comes of it then.
    usual_collection = timedelta(seconds=config.router_connect_timeout_s + 3 * config.router_command_timeout_s)
    backfill = ArchiveBackfill(database, connections, vault, limits)
    collector = DeviceUsageCollector(
        database,
        taker,
        clock,
        workers=config.collector_workers,
        claim_for=usual_collection + timedelta(seconds=30),
        vanished_after=timedelta(days=config.device_vanished_days),
        most_devices=limits.most_stored_devices,
        most_snapshots_a_day=limits.most_snapshots_a_day,
        after_reading=backfill.start,
    )
    routers_service = RouterService(
        database,
        connections,
        vault,
        default_interval=config.collect_interval_minutes,
        most_routers=config.account_max_routers,
        clock=clock,
    )
    anomalies = AnomalyService(database, clock)
    if not config.has_sign_in:
        ensure_local_user(database)
    admission = Admission(is_local=not config.has_sign_in, allowed_emails=frozenset(config.allowed_emails))
    accounts = AccountService(database, clock, routers_service, admission)
    sessions = SessionService(
        database,
        clock,
        admission,
        idle=timedelta(hours=config.session_idle_hours),
        absolute=timedelta(days=config.session_max_days),
    )
    services = AppServices(
        devices=DeviceService(database, collector, clock),
        merged_devices=MergedDeviceService(database),
        people=PeopleService(database, clock),
        device_usage=DeviceUsageService(database, collector, taker, clock),
        history=UsageHistoryService(database, clock),
        periods=PeriodService(database),
        protocols=ProtocolService(database, clock),
        summary=UsageSummaryService(database, clock),
        trends=TrendService(database, clock),
        anomalies=anomalies,
        comparisons=ComparisonService(database, clock),
        export=UsageExportService(database, clock),
        reports=UsageReportService(database, anomalies, clock),
        events=EventService(database, clock),
        status=StatusService(database, clock, is_collector_running=config.collector_enabled, base_url=config.base_url),
        routers=routers_service,
        accounts=accounts,
        sessions=sessions,
        tokens=TokenService(database, clock, admission),
        audit=AuditLog(database, clock),
        local_session_id=None if config.has_sign_in else LOCAL_SESSION_ID,
        check_ready=Readiness(accounts.check_storage).check,
    )
    return Runtime(
        config=config,
        database=database,
        connections=connections,
        vault=vault,
        taker=taker,
        backfill=backfill,
        collector=collector,
        routers=routers_service,
        retention=RetentionService(
            database,
            clock,
            sessions,
            raw_days=config.raw_retention_days,
            hourly_days=config.hourly_retention_days,
            daily_days=config.daily_retention_days,
            audit_days=config.audit_retention_days,
        ),
        services=services,
    )


def create_app(runtime: Runtime) -> APIFlask:
    """The web application over ``runtime``."""
    return make_application(runtime.services, runtime.config)


# --- commands --------------------------------------------------------------------------------------------


@contextmanager
def open_database(config: Config) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The database's URL, migrated; the embedded server where DATABASE_URL is unset, stopped at the end."""
    if config.database_url is not None:
        url = config.database_url.get_secret_value()
        migrate(url)
        yield url, None
        return
    embedded = EmbeddedPostgres(config.data_dir)
    try:
        url = embedded.start()
        migrate(url)
        yield url, embedded
    finally:
        embedded.stop()


def serve(config: Config, *, demo: bool) -> None:
    """Web and collector, until SIGTERM or Ctrl-C."""
    check_address_is_free(config.host, config.port)  # before anything that takes long
    for doubt in config.doubts:
        logger.warning("%s", doubt)
    with ExitStack() as stack:
        url, embedded = stack.enter_context(open_database(config))
        runtime = build_runtime(config, url)
        stack.callback(runtime.close)
        if demo:
            stack.enter_context(
                running_demo(
                    data_dir=config.data_dir,
                    database=runtime.database,
                    connections=runtime.connections,
                    vault=runtime.vault,
                    routers=runtime.routers,
                    say=_say,
                )
            )
        # Behind a proxy all connections come from the proxy's address.
        most = MAX_PER_ADDRESS if config.has_sign_in and not config.trusted_proxies else None
        web = WebServer(create_app(runtime), host=config.host, port=config.port, most_per_address=most)
        clockwork = _start_clockwork(runtime, embedded)
        stack.callback(clockwork.shutdown, wait=False)
        registering = (config, runtime.routers)
        Thread(target=register_configured_router, args=registering, name="register", daemon=True).start()
        _say(welcome(config, runtime.routers))
        reread_keys_on_signal(config, runtime.vault)
        wind_down_on_signal(web, runtime.backfill, runtime.collector, runtime.connections)
        look_for_garbage_seldom()
        web.run()  # until a signal stops it; then it answers the requests that it has


def collect(config: Config) -> None:
    """The collector alone, until SIGTERM or Ctrl-C."""
    with ExitStack() as stack:
        url, embedded = stack.enter_context(open_database(config))
        runtime = build_runtime(config, url)
        stack.callback(runtime.close)
        clockwork = _start_clockwork(runtime, embedded)
        stack.callback(clockwork.shutdown, wait=False)
        register_configured_router(config, runtime.routers)
        _say("NetPilot collects. Stop it with Ctrl-C.")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        reread_keys_on_signal(config, runtime.vault)
        look_for_garbage_seldom()
        stop.wait()
        runtime.collector.stop(STOP_GRACE_S)


def rotate(config: Config) -> int:
    """Encrypt every stored router password and key with the newest key; the exit status. Servers go on meanwhile."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(open_database(config))
        database = Database(url, max_connections=1)
        stack.callback(database.close)
        rotation = rotate_keys(database, CredentialVault(configured_keys(config)))
    _say(rotation.in_words())
    return 0 if rotation.is_clean else 1


def end_sign_ins(config: Config, email: str | None) -> int:
    """Sign out the browsers and delete the tokens of ``email``, None: of everybody; the exit status."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(open_database(config))
        database = Database(url, max_connections=1)
        stack.callback(database.close)
        ended = sign_out(database, email, at=utc_now())
    _say(ended.in_words())
    return 0 if ended.accounts else 1


def _start_clockwork(runtime: Runtime, embedded: EmbeddedPostgres | None) -> BackgroundScheduler:
    """What runs by itself: collecting, closing idle connections, keeping memory and database in order, cleaning up."""
    jobs: list[Callable[[], object]] = [runtime.connections.close_idle, give_back_holes]
    if embedded is not None:
        jobs.append(embedded.ensure_running)
    scheduler = make_scheduler(
        every_second=runtime.collector.collect_due if runtime.config.collector_enabled else None,
        every_few_seconds=jobs,
        every_day=runtime.retention.clean_up,
        now=utc_now(),
    )
    scheduler.start()
    return scheduler


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="server.py", description="NetPilot device usage")
    commands = parser.add_subparsers(dest="command")
    serving = commands.add_parser("serve", help="web and collector; migrates first")
    serving.add_argument("--demo", action="store_true", help="with a simulated home that has 30 days of history")
    serving.add_argument("--host", help="address to listen on (HOST)")
    serving.add_argument("--port", type=int, help="port to listen on (PORT)")
    commands.add_parser("collect", help="the collector alone")
    commands.add_parser("migrate", help="bring the database up to date and end")
    commands.add_parser("rotate-keys", help="encrypt stored router passwords with the newest key, and end")
    signing_out = commands.add_parser("sign-out", help="end browsers' sign-ins and delete tokens, and end")
    whose = signing_out.add_mutually_exclusive_group(required=True)
    whose.add_argument("--email", help="of the accounts with this e-mail address")
    whose.add_argument("--all", action="store_true", help="of everybody")
    return parser.parse_args(argv or ["serve"])


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit status. 2: the configuration can't be used."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    give_back_freed_memory()
    take_short_turns()
    is_demo = arguments.command == "serve" and arguments.demo
    overrides = {name: value for name in ("host", "port") if (value := getattr(arguments, name, None)) is not None}
    try:
        config = load_config(**overrides)
        if is_demo:
            config = demo_config(config)
        set_up_logging(config.log_level, config.log_format)
        if arguments.command == "migrate":
            with open_database(config):
                _say("The database is up to date.")
        elif arguments.command == "rotate-keys":
            return rotate(config)
        elif arguments.command == "sign-out":
            return end_sign_ins(config, arguments.email)
        elif arguments.command == "collect":
            collect(config.model_copy(update={"collector_enabled": True}))  # a shared .env may say no for the web
        else:
            serve(config, demo=is_demo)
    except ConfigurationError as error:
        sys.stderr.write(f"The configuration can't be used:\n{error}\n")
        return 2
    except (EmbeddedPostgresError, DatabaseUnavailable, AddressInUse, OSError) as error:
        sys.stderr.write(f"NetPilot can't start: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
