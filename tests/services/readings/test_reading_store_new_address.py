"""A router's address is changed: the same router goes on, another one starts from its own counters."""

from datetime import timedelta
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.readings.reading_store import ReadingStore, StaleBase
from services.routers.credentials import Credentials
from services.routers.router_contacts import pin_host_key
from services.routers.routers import target_of
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import Result
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import PHONE
from utils.errors import RouterUnreachable

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


def test_a_reading_that_was_under_way_is_not_stored_as_the_new_addresss(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    """It would be the base of another router's counters."""
    other = ssh.add(empty_router(clock), password="other")
    other.router.traffic(PHONE, rx=10**12)
    whole = hosted.router.run

    def moves(line: str, **options: Any) -> Result:
        hosted.router.run = whole  # type: ignore[method-assign]
        answer = whole(line, **options)
        runtime.routers.update(context, {"port": other.port}, credentials=Credentials(password="other"))
        return answer

    hosted.router.run = moves  # type: ignore[method-assign]
    first = runtime.collector.collect(context)
    other.router.traffic(PHONE, rx=77)
    clock.advance(5 * MINUTE)
    second = runtime.collector.collect(context)

    assert first.taken.totals[PHONE].bytes_down == 10**12
    assert (first.stored.bytes_down, second.stored.bytes_down) == (0, 77)


def test_a_reading_that_waited_while_the_new_address_was_tried_out_is_taken_again(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext, hosted: HostedRouter
) -> None:
    record = runtime.routers.get(context)
    taken = runtime.taker.take(record)
    other = ssh.add(empty_router(clock), password="other")
    runtime.routers.update(context, {"port": other.port}, credentials=Credentials(password="other"))
    runtime.routers.test(context)

    with pytest.raises(StaleBase):
        ReadingStore(runtime.database).store(record, taken)


def test_a_contact_with_the_old_address_pins_no_key_for_the_new_one(
    runtime: Runtime, database: Database, clock: ManualClock, context: RouterContext
) -> None:
    old = target_of(runtime.routers.get(context), runtime.vault)
    runtime.routers.update(context, {"host": "127.0.0.9"}, credentials=Credentials(password="other"))

    with pytest.raises(RouterUnreachable, match="changed while"):
        pin_host_key(database, old, "ssh-ed25519 OLDROUTER", at=clock.now())

    assert runtime.routers.get(context).host_key is None
