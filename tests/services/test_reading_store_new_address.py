"""A router's address is changed: the same router goes on, another one starts from its own counters."""

from datetime import timedelta

from server import Runtime
from services.context import RouterContext
from services.credentials import Credentials
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import PHONE

MINUTE = timedelta(minutes=1)


def test_another_router_at_a_new_address_starts_from_its_own_counters(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    """Its whole period would pass for five minutes of usage."""
    hosted.router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    other = ssh.add(empty_router(clock), password="other")
    other.router.traffic(PHONE, rx=10**12)
    runtime.routers.update(context, {"port": other.port}, credentials=Credentials(password="other"))
    clock.advance(5 * MINUTE)

    first = runtime.collector.collect(context)
    other.router.traffic(PHONE, rx=77)
    clock.advance(5 * MINUTE)
    second = runtime.collector.collect(context)

    assert (first.stored.bytes_down, second.stored.bytes_down) == (0, 77)


def test_the_same_router_at_a_new_address_goes_on(
    runtime: Runtime, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    hosted.router.traffic(PHONE, rx=1_000)
    runtime.collector.collect(context)
    credentials = Credentials(password=hosted.password)
    runtime.routers.update(context, {"host": "localhost"}, credentials=credentials)
    hosted.router.traffic(PHONE, rx=55)
    clock.advance(5 * MINUTE)

    assert runtime.collector.collect(context).stored.bytes_down == 55
