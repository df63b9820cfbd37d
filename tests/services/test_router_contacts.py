"""Refused credentials and changed host keys: what is sent to a router once, and what it takes to send it again."""

import json
import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import paramiko
import pytest

from db_operations.database import Database
from server import Runtime, create_app
from services.context import RouterContext
from services.credentials import Credentials
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import ALICE, PHONE, START, Api, ask, covered, hourly, per_device, register, run_due
from utils.errors import Conflict, DatabaseUnavailable, HostKeyChanged, RouterAuthFailed, RouterError, RouterUnreachable
from utils.time import iso

BASE = "/api/device-usage"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def always_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of /current are shared for 5 s of real time; here each shall be one of its own."""
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)


@pytest.fixture
def read_once(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> RouterContext:
    """Alice's router with one reading."""
    router.traffic(PHONE, rx=1_000, tx=100)
    runtime.collector.collect(context)
    clock.advance(MINUTE)
    return context


def change_password(hosted: HostedRouter, password: str = "changed") -> None:
    """At the router itself; who is signed in has to sign in anew."""
    hosted.password = password
    hosted.drop_connections()


def show_another_key(hosted: HostedRouter) -> None:
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()


def refresh(runtime: Runtime, context: RouterContext) -> RouterError | None:
    try:
        runtime.services.device_usage.refresh(context)
    except RouterError as error:
        return error
    return None


def everybody_asks(runtime: Runtime, context: RouterContext) -> None:
    """The collector's clockwork, /refresh and /current."""
    run_due(runtime)
    assert isinstance(refresh(runtime, context), RouterAuthFailed)
    assert isinstance(runtime.services.device_usage.get_current(context).warning, RouterAuthFailed)


# --- refused credentials ---------------------------------------------------------------------------------


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


# --- changed host keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["collector", "refresh", "current", "doctor"])
def test_a_changed_key_is_kept_for_a_person_to_accept_whoever_met_it(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock, contact: str
) -> None:
    show_another_key(hosted)
    before = hosted.stats.auth_attempts
    clock.advance(5 * MINUTE)
    if contact == "collector":
        run_due(runtime)
    elif contact == "refresh":
        assert isinstance(refresh(runtime, read_once), HostKeyChanged)
    elif contact == "current":
        assert isinstance(runtime.services.device_usage.get_current(read_once).warning, HostKeyChanged)
    else:
        assert [check.ok for check in runtime.routers.test(read_once)] == [False]
    record = runtime.routers.get(read_once)
    other = hosted.shown_key()
    assert record.presented_host_key == f"{other.get_name()} {other.get_base64()}"
    assert record.host_key == f"{hosted.host_key.get_name()} {hosted.host_key.get_base64()}"
    assert hosted.stats.auth_attempts == before, "no credentials were sent"


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"port": 8080, "host": "::1"}, "http://[::1]:8080"),
        ({"public_url": "https://netpilot.example.org/a b/"}, "https://netpilot.example.org/a b"),
    ],
    ids=["default", "address", "public"],
)
def test_wherever_a_changed_key_is_told_of_stands_the_command_that_accepts_it(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, clock: ManualClock, config: dict[str, Any], url: str
) -> None:
    runtime = make_runtime(**config)
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    show_another_key(hosted)
    clock.advance(MINUTE)
    error = refresh(runtime, context)
    assert error is not None
    assert hosted.fingerprint in error.message
    api = Api(create_app(runtime).test_client())
    (told,) = [one for one in api.data(f"{BASE}/status")["warnings"] if one["code"] == "HOST_KEY_CHANGED"]
    (check,) = api.data(f"/api/routers/{context.router_id}/test", "POST")["checks"]
    messages = [
        error.message,
        told["message"],
        check["message"],
        api.data(f"{BASE}/current")["warning"]["message"],
        api.body(f"{BASE}/devices")["metadata"]["router"]["warning"]["message"],
    ]
    for text in messages:
        assert "{id}" not in text
        assert "…" not in text
    commands = {told["fix"], check["fix"], error.fix, *("curl " + text.partition(" curl ")[2] for text in messages)}
    (command,) = commands
    curl, address, *options = shlex.split(command)
    path = f"/api/routers/{context.router_id}/host-key"
    assert (curl, address) == ("curl", url + path)
    header, body = options[1], options[3]
    assert options == ["-H", header, "-d", body]
    assert json.loads(body) == {"fingerprint": hosted.shown_key().fingerprint}
    accepted = api.data(path, "POST", data=body, headers=dict([header.split(": ")]))
    assert accepted["hostKeyFingerprint"] == hosted.shown_key().fingerprint
    left = runtime.services.status.get_status(context).warnings
    assert [warning.code for warning in left] == ["NO_READING_YET"]


def test_without_a_key_to_accept_the_fix_has_no_placeholder(
    runtime: Runtime, read_once: RouterContext, database: Database
) -> None:
    failed = "UPDATE routers SET consecutive_failures = 1, last_error_code = 'HOST_KEY_CHANGED' RETURNING 1"
    ask(database, failed)
    (warning,) = runtime.services.status.get_status(read_once).warnings
    assert warning.fix == HostKeyChanged().fix
    assert not set(warning.fix or "{") & set("{}…")


def test_an_accepted_key_is_pinned_and_the_counters_behind_it_begin_anew(
    runtime: Runtime,
    context: RouterContext,
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=500)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    stretch = covered(database, context)
    show_another_key(hosted)
    router.traffic(PHONE, rx=9_999)  # another device's counters, as far as anybody knows
    clock.advance(5 * MINUTE)
    assert isinstance(refresh(runtime, context), HostKeyChanged)
    accepted = runtime.routers.accept_host_key(context, hosted.shown_key().fingerprint)
    assert (accepted.presented_host_key, accepted.consecutive_failures) == (None, 0)
    assert accepted.next_collect_at is not None
    assert accepted.next_collect_at <= clock.now(), "due at once"
    assert covered(database, context) == stretch, "what was observed stays observed"
    run_due(runtime)
    assert per_device(hourly(database, context)) == {PHONE: (500, 0)}
    router.traffic(PHONE, rx=30)
    clock.advance(5 * MINUTE)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == {PHONE: (530, 0)}
    assert covered(database, context) == [*stretch, (clock.now() - 5 * MINUTE, clock.now())]


def gaps(database: Database) -> list[tuple[object, ...]]:
    return ask(database, "SELECT start_at, end_at, quality, message FROM events WHERE type = 'gap'")


def test_an_accepted_key_leaves_a_gap_from_the_last_reading_on(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock, database: Database
) -> None:
    read_at = runtime.routers.get(read_once).last_success_at
    show_another_key(hosted)
    refresh(runtime, read_once)
    clock.advance(7 * MINUTE)
    runtime.routers.accept_host_key(read_once, hosted.shown_key().fingerprint)
    (gap,) = gaps(database)
    assert gap[:3] == (read_at, clock.now(), "unknown")
    assert str(gap[3]).startswith("Another host key was accepted")
    run_due(runtime)
    firsts = ask(database, "SELECT message FROM events WHERE type = 'first_reading' ORDER BY id")
    assert len(firsts) == 2
    assert all("2031-11-01" in message and "monitoring" not in message for (message,) in firsts)


def test_another_key_at_another_address_leaves_a_gap_and_the_same_key_none(
    runtime: Runtime,
    read_once: RouterContext,
    hosted: HostedRouter,
    ssh: SshServer,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    read_at = runtime.routers.get(read_once).last_success_at
    same, other = ssh.add(router), ssh.add(router)
    same.host_key = hosted.host_key
    for moved, expected in ((same, []), (other, [(read_at, START + 6 * MINUTE, "unknown")])):
        runtime.routers.update(read_once, {"port": moved.port}, credentials=Credentials(password=moved.password))
        clock.set(START + 6 * MINUTE)
        assert next(check.ok for check in runtime.routers.test(read_once))
        assert [gap[:3] for gap in gaps(database)] == expected


def test_a_key_accepted_before_any_reading_leaves_no_gap(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, database: Database
) -> None:
    show_another_key(hosted)
    refresh(runtime, context)
    runtime.routers.accept_host_key(context, hosted.shown_key().fingerprint)
    assert gaps(database) == []


def test_only_the_key_that_was_shown_last_can_be_accepted(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    show_another_key(hosted)
    refresh(runtime, read_once)
    first = hosted.shown_key().fingerprint
    hosted._other_key = None
    hosted.drop_connections()
    refresh(runtime, read_once)
    last = hosted.shown_key().fingerprint
    before = runtime.routers.get(read_once)
    for wrong in (first, hosted.fingerprint, f"SHA256:{'x' * 43}"):
        with pytest.raises(Conflict, match=re.escape(last)) as caught:
            runtime.routers.accept_host_key(read_once, wrong)
        assert caught.value.details == {"fingerprint": [wrong], "presentedHostKeyFingerprint": [last]}
    assert runtime.routers.get(read_once) == before
    runtime.routers.accept_host_key(read_once, last)
    with pytest.raises(Conflict, match="no other host key"):
        runtime.routers.accept_host_key(read_once, last)


def test_a_key_that_was_shown_for_a_while_can_not_be_accepted_once_the_pinned_one_is_back(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter
) -> None:
    """Whoever sat at the router's address for a while must not be let in afterwards."""
    show_another_key(hosted)
    refresh(runtime, read_once)
    other = hosted.shown_key().fingerprint
    hosted.faults = Faults()
    hosted.drop_connections()
    assert refresh(runtime, read_once) is None
    assert runtime.routers.get(read_once).presented_host_key is None
    with pytest.raises(Conflict, match="no other host key"):
        runtime.routers.accept_host_key(read_once, other)


def test_a_key_shown_at_an_address_that_the_router_has_left_can_not_be_accepted(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, ssh: SshServer, router: SimulatedRouter
) -> None:
    show_another_key(hosted)
    refresh(runtime, read_once)
    moved = ssh.add(router)
    runtime.routers.update(read_once, {"port": moved.port}, credentials=Credentials(password=moved.password))
    assert runtime.routers.get(read_once).presented_host_key is None


def test_a_reading_begun_before_the_key_was_accepted_is_not_stored_upon_the_new_base(
    runtime: Runtime,
    read_once: RouterContext,
    hosted: HostedRouter,
    router: SimulatedRouter,
    database: Database,
) -> None:
    show_another_key(hosted)
    refresh(runtime, read_once)
    taken = runtime.taker.take
    hosted.faults = Faults()
    router.traffic(PHONE, rx=77)

    def accept_meanwhile(router_record: Any) -> Any:
        reading = taken(router_record)
        runtime.taker.take = taken  # type: ignore[method-assign]
        show_another_key(hosted)
        runtime.routers.accept_host_key(read_once, hosted.shown_key().fingerprint)
        return reading

    runtime.taker.take = accept_meanwhile  # type: ignore[method-assign]
    refresh(runtime, read_once)
    assert hourly(database, read_once) == {}
    assert runtime.routers.get(read_once).consecutive_failures == 0
    run_due(runtime)
    assert runtime.routers.get(read_once).last_success_at is not None


def test_what_can_not_be_kept_for_want_of_a_database_sends_no_credentials_either(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_another_key(hosted)
    before = hosted.stats.auth_attempts

    def no_database(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr("db_operations.routers_db.keep_presented_host_key", no_database)
    with pytest.raises(DatabaseUnavailable):
        runtime.collector.collect(read_once)
    assert hosted.stats.auth_attempts == before
    assert ask(runtime.database, "SELECT session_id, presented_host_key FROM routers") == [(ALICE, None)]
