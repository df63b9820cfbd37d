"""Changed host keys: nothing is sent, until a person accepts the key that was shown."""

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime, create_app
from services.context import RouterContext
from services.routers.credentials import Credentials
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.homes import ALICE, PHONE, START, Api, ask, covered, hourly, per_device, register, run_due
from tests.services.routers.router_contacts.contacts import (
    BASE,
    MINUTE,
    refresh,
    show_another_key,
)
from utils.errors import Conflict, DatabaseUnavailable, HostKeyChanged


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
        ({"public_url": "https://netpilot.example.org/a&b/"}, "https://netpilot.example.org/a&b"),
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


def test_the_gap_lasts_until_the_router_is_read_again(
    runtime: Runtime, read_once: RouterContext, hosted: HostedRouter, clock: ManualClock, database: Database
) -> None:
    read_at = runtime.routers.get(read_once).last_success_at
    show_another_key(hosted)
    refresh(runtime, read_once)
    runtime.routers.accept_host_key(read_once, hosted.shown_key().fingerprint)
    clock.advance(7 * 60 * MINUTE)  # it was switched off meanwhile
    assert refresh(runtime, read_once) is None
    first_at = clock.now()
    clock.advance(5 * MINUTE)
    assert refresh(runtime, read_once) is None
    assert [gap[:3] for gap in gaps(database)] == [(read_at, first_at, "unknown")]
    day = {"startDate": "2031-11-11", "endDate": "2031-11-11", "granularity": "hour"}
    buckets = Api(create_app(runtime).test_client()).data(f"{BASE}/history", query_string=day)["buckets"]
    told = {bucket["start"][11:13]: (bucket["quality"], bucket["reasons"]) for bucket in buckets}
    assert [told[f"{hour:02}"] for hour in range(10, 17)] == [("unknown", ["gap"])] * 7


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
