"""Refused credentials: what is sent to a router once, and what it takes to send it again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import paramiko
import pytest
from cryptography.fernet import Fernet

from db_operations.database import Database
from server import Runtime, create_app
from services.context import RouterContext
from services.routers.credentials import Credentials
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import PHONE, Api, register, run_due
from tests.services.routers.router_contacts.contacts import (
    BASE,
    MINUTE,
    SECOND,
    change_password,
    everybody_asks,
    refresh,
)
from utils.errors import RouterAuthFailed, RouterUnreachable
from utils.time import iso


def test_a_refused_password_is_sent_once_a_window_whoever_asks(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    change_password(hosted)
    before = hosted.stats.auth_attempts
    for window, minutes in enumerate((15, 30, 60, 120, 240, 240), start=1):
        began = clock.now()
        for _ in range(5):
            everybody_asks(runtime, read_once)
            assert hosted.stats.auth_attempts == before + window
            clock.advance(minutes * MINUTE / 5 - SECOND)
        record = runtime.routers.get(read_once)
        assert (record.consecutive_failures, record.next_collect_at) == (window, began + minutes * MINUTE)
        clock.set(began + minutes * MINUTE)


def test_failures_of_another_kind_do_not_lengthen_the_window(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(refuse=True)
    hosted.drop_connections()
    for _ in range(5):
        assert isinstance(refresh(runtime, read_once), RouterUnreachable)
    hosted.faults = Faults()
    change_password(hosted)
    for window, minutes in enumerate((15, 30), start=1):
        began = clock.now()
        everybody_asks(runtime, read_once)
        record = runtime.routers.get(read_once)
        assert (record.consecutive_failures, record.next_collect_at) == (window, began + minutes * MINUTE)
        clock.set(began + minutes * MINUTE)
    hosted.faults = Faults(refuse=True)
    assert isinstance(refresh(runtime, read_once), RouterUnreachable)
    assert runtime.routers.get(read_once).consecutive_failures == 3
    hosted.faults = Faults()
    everybody_asks(runtime, read_once)
    assert runtime.routers.get(read_once).next_collect_at == clock.now() + 15 * MINUTE, "not two in a row"


def test_within_the_window_the_router_is_not_even_connected_to(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    change_password(hosted)
    everybody_asks(runtime, read_once)
    connections = hosted.stats.connections
    for _ in range(5):
        everybody_asks(runtime, read_once)
    assert hosted.stats.connections == connections


def test_refresh_says_when_the_next_try_is_and_current_shows_what_is_stored(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    api = Api(create_app(runtime).test_client())
    change_password(hosted)
    assert api.error(f"{BASE}/refresh", "POST")[:2] == (502, "ROUTER_AUTH_FAILED")
    clock.advance(MINUTE)
    response = api.client.post(f"{BASE}/refresh")
    error = response.get_json()["error"]
    next_try = runtime.routers.get(read_once).next_collect_at
    assert next_try is not None
    assert (response.status_code, error["code"]) == (502, "ROUTER_AUTH_FAILED")
    assert iso(next_try) in error["message"]
    assert "refused the password" in error["message"]
    for path in (f"PUT /api/routers/{read_once.router_id}", f"POST /api/routers/{read_once.router_id}/test"):
        assert path in error["message"]
    current = api.data(f"{BASE}/current")
    assert (current["source"], current["stale"]) == ("stored", True)
    assert current["warning"] == {"code": "ROUTER_AUTH_FAILED", "message": error["message"]}
    assert current["totalBandwidth"]["download"] == 1_000


def test_whoever_is_refused_first_begins_the_window_and_the_collector_keeps_to_it(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    """A dashboard that asks for /current every few seconds would otherwise send the password each time."""
    change_password(hosted)
    before = hosted.stats.auth_attempts
    for _ in range(10):
        assert runtime.services.device_usage.get_current(read_once).warning is not None
        clock.advance(6 * SECOND)
    record = runtime.routers.get(read_once)
    assert (record.last_error_code, record.consecutive_failures) == ("ROUTER_AUTH_FAILED", 1)
    for _ in range(13):
        run_due(runtime)
        clock.advance(MINUTE)
    assert hosted.stats.auth_attempts == before + 1


def test_of_many_who_ask_at_once_one_sends_it(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, clock: ManualClock
) -> None:
    runtime = make_runtime()
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    change_password(hosted)
    before = hosted.stats.auth_attempts
    questions: list[Callable[[], Any]] = [
        lambda: refresh(runtime, context),
        lambda: runtime.services.device_usage.get_current(context),
        runtime.collector.collect_due,
    ]
    clock.advance(5 * MINUTE)
    with ThreadPoolExecutor(12) as threads:
        for asked in [threads.submit(questions[number % 3]) for number in range(36)]:
            asked.result(timeout=30)
    run_due(runtime)
    assert hosted.stats.auth_attempts == before + 1
    assert runtime.routers.get(context).consecutive_failures == 1


def test_two_servers_keep_to_one_window(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, clock: ManualClock
) -> None:
    runtimes = [make_runtime(), make_runtime()]
    context = register(runtimes[0], hosted)
    runtimes[0].collector.collect(context)
    change_password(hosted)
    clock.advance(5 * MINUTE)
    before = hosted.stats.auth_attempts
    for _ in range(3):
        for runtime in runtimes:
            everybody_asks(runtime, context)
        clock.advance(MINUTE)
    assert hosted.stats.auth_attempts == before + 1


def test_a_key_that_is_refused_is_offered_once_a_window_too(
    runtime: Runtime, ssh: SshServer, router: SimulatedRouter, clock: ManualClock
) -> None:
    import io

    key = paramiko.ECDSAKey.generate()
    text = io.StringIO()
    key.write_private_key(text)
    hosted = ssh.add(router, password=None, authorized_keys=["ecdsa-sha2-nistp256 AAAA"])
    context = register(runtime, hosted, password=None)
    runtime.routers.update(context, {}, credentials=Credentials(private_key=text.getvalue()))
    before = hosted.stats.auth_attempts
    for _ in range(5):
        run_due(runtime)
        assert isinstance(refresh(runtime, context), RouterAuthFailed)
        clock.advance(MINUTE)
    assert hosted.stats.auth_attempts == before + 1


def test_a_password_that_is_wrong_from_the_start_was_sent_by_the_registration(
    runtime: Runtime, hosted: HostedRouter, clock: ManualClock
) -> None:
    context = register(runtime, hosted, password="wrong")
    for _ in range(10):
        run_due(runtime)
        assert isinstance(refresh(runtime, context), RouterAuthFailed)
        clock.advance(MINUTE)
    assert hosted.stats.auth_attempts == 1


def test_a_new_password_does_not_wait_for_the_old_ones_window(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    change_password(hosted)
    everybody_asks(runtime, read_once)
    runtime.routers.update(read_once, {}, credentials=Credentials(password="changed"))
    run_due(runtime)
    record = runtime.routers.get(read_once)
    assert (record.consecutive_failures, record.last_attempt_at) == (0, record.last_success_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Attic"},
        {"timezone": "Asia/Tokyo"},
        {"collect_interval_minutes": 5},
        {"collect_interval_minutes": 15},
        {"username": "root"},
        {},
    ],
)
def test_a_change_that_mends_nothing_does_not_send_a_refused_password_again(
    runtime: Runtime,
    read_once: RouterContext,
    hosted: HostedRouter,
    clock: ManualClock,
    database: Database,
    changes: dict[str, object],
) -> None:
    change_password(hosted)
    everybody_asks(runtime, read_once)
    before, sent = runtime.routers.get(read_once), hosted.stats.auth_attempts
    after = runtime.routers.update(read_once, changes)
    assert (after.consecutive_failures, after.next_collect_at) == (1, before.next_collect_at)
    clock.advance(14 * MINUTE)
    everybody_asks(runtime, read_once)
    assert hosted.stats.auth_attempts == sent
    clock.advance(MINUTE)
    everybody_asks(runtime, read_once)
    assert hosted.stats.auth_attempts == sent + 1


def test_a_router_renamed_while_it_refuses_the_password_begins_its_window_all_the_same(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    change_password(hosted)

    def renamed_meanwhile(username: str, password: str) -> bool:
        runtime.routers.update(read_once, {"name": "Attic"})
        return False

    hosted.accepts_password = renamed_meanwhile  # type: ignore[method-assign]
    assert isinstance(refresh(runtime, read_once), RouterAuthFailed)
    assert runtime.routers.get(read_once).consecutive_failures == 1


def test_the_old_passwords_refusal_says_nothing_of_a_new_one_entered_meanwhile(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    change_password(hosted)
    is_asked, is_changed = Event(), Event()
    judge = hosted.accepts_password

    def slowly(username: str, password: str) -> bool:
        is_asked.set()
        is_changed.wait(10)
        return judge(username, password)

    hosted.accepts_password = slowly  # type: ignore[method-assign]
    refused: list[object] = []
    thread = Thread(target=lambda: refused.append(refresh(runtime, read_once)))
    thread.start()
    assert is_asked.wait(10)
    runtime.routers.update(read_once, {}, credentials=Credentials(password="changed"))
    is_changed.set()
    thread.join(10)
    assert isinstance(refused[0], RouterAuthFailed)
    assert runtime.routers.get(read_once).consecutive_failures == 0
    run_due(runtime)
    assert runtime.routers.get(read_once).last_success_at == runtime.routers.get(read_once).last_attempt_at


def test_the_doctor_may_try_within_the_window_and_lengthens_it_not(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    change_password(hosted)
    everybody_asks(runtime, read_once)
    before = hosted.stats.auth_attempts
    waits_until = runtime.routers.get(read_once).next_collect_at
    for number in (1, 2):
        clock.advance(MINUTE)
        (ssh_check,) = runtime.routers.test(read_once)
        assert (ssh_check.ok, hosted.stats.auth_attempts) == (False, before + number)
    record = runtime.routers.get(read_once)
    assert (record.consecutive_failures, record.next_collect_at) == (1, waits_until)
    everybody_asks(runtime, read_once)
    assert hosted.stats.auth_attempts == before + 2


def test_a_doctor_who_gets_in_ends_the_window(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    change_password(hosted)
    everybody_asks(runtime, read_once)
    change_password(hosted, "secret")
    clock.advance(MINUTE)
    everybody_asks(runtime, read_once)
    router.traffic(PHONE, rx=7)
    runtime.routers.test(read_once)
    record = runtime.routers.get(read_once)
    assert (record.consecutive_failures, record.next_collect_at) == (0, clock.now())
    run_due(runtime)
    assert runtime.routers.get(read_once).last_success_at == clock.now()


def test_a_doctor_who_is_the_first_to_be_refused_begins_the_window(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    change_password(hosted)
    before = hosted.stats.auth_attempts
    runtime.routers.test(read_once)
    everybody_asks(runtime, read_once)
    assert hosted.stats.auth_attempts == before + 1


def test_a_doctor_who_gets_in_knows_nothing_of_what_comes_after_the_sign_in(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.missing = {"nlbw"}
    assert refresh(runtime, read_once) is not None
    failing = runtime.routers.get(read_once)
    hosted.drop_connections()
    runtime.routers.test(read_once)
    assert runtime.routers.get(read_once) == failing


def test_who_is_given_the_missing_key_need_not_wait(
    make_runtime: Callable[..., Runtime], runtime: Runtime, read_once: RouterContext, clock: ManualClock
) -> None:
    """A server was started without the key that the password is encrypted with; then it is put back."""
    without = make_runtime(credentials_keys=Fernet.generate_key().decode())
    for _ in range(4):
        error = refresh(without, read_once)
        assert isinstance(error, RouterAuthFailed)
        assert "can't be opened" in error.message
        clock.advance(MINUTE)
        run_due(without)
    assert runtime.routers.get(read_once).last_error_code == "ROUTER_AUTH_FAILED"
    next_try = runtime.routers.get(read_once).next_collect_at
    assert next_try is not None
    assert next_try <= clock.now() + 5 * MINUTE
    assert refresh(runtime, read_once) is None
