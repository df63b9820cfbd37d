"""The audit log: who did what, when and from where, as the account's owner reads it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import requests

from db_operations import audit_db
from db_operations.database import Database
from server import Runtime
from services import audit
from services.accounts.api_tokens import TokenScope
from services.audit import AuditAction, Doer
from services.routers.credentials import Credentials
from services.routers.routers import RouterRegistration, host_key_fingerprint
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.accounts.provider import ANNA, BrowserOf
from tests.homes import ALICE, PHONE, ask, dump, register
from utils.errors import DatabaseUnavailable, RouterError


def entries(browser: BrowserOf, **query: Any) -> list[dict[str, Any]]:
    return list(browser.call("GET", "/api/auth/audit", params=query).json()["data"]["entries"])


def test_everything_that_matters_is_written_down_with_who_and_from_where(
    anna: BrowserOf, ben: BrowserOf, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    body = {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password}
    home = anna.call("POST", "/api/routers", json=body | {"username": hosted.username}).json()["data"]["id"]
    usage = "/api/device-usage"
    shown = anna.call("GET", f"/api/routers/{home}").json()["data"]
    token = anna.call("POST", "/api/auth/tokens", json={"name": "script"}).json()["data"]
    anna.call("POST", f"{usage}/refresh")
    anna.call("PUT", f"/api/routers/{home}", json={"name": "Flat", "password": hosted.password, "port": hosted.port})
    anna.call("DELETE", f"{usage}/device/{PHONE}?purge=true")
    header = {"Authorization": f"Bearer {token['token']}"}
    assert requests.get(f"{anna.base_url}{usage}/export/csv", headers=header).status_code == 200
    anna.call("POST", f"{usage}/report/generate", json={"period": "day"})
    anna.call("DELETE", f"/api/auth/tokens/{token['id']}")
    anna.call("DELETE", f"/api/routers/{home}")
    anna.call("POST", "/api/auth/logout")
    anna.sign_in(ANNA)

    told = entries(anna)[::-1]
    assert [one["action"] for one in told] == [
        "signed_in",
        "router_added",
        "host_key_pinned",
        "token_created",
        "router_changed",
        "device_purged",
        "exported",
        "report_made",
        "token_deleted",
        "router_deleted",
        "signed_out",
        "signed_in",
    ]
    assert {one["address"] for one in told if one["action"] != "host_key_pinned"} == {"127.0.0.1"}
    by_action = {one["action"]: one for one in told}
    assert by_action["router_added"]["subject"] == home
    pinned = by_action["host_key_pinned"]
    assert (pinned["actor"], pinned["address"], pinned["subject"]) == ("", "", f"{home} {shown['hostKeyFingerprint']}")
    assert by_action["router_changed"]["subject"] == f"{home} password name", "the port is what it was"
    assert by_action["device_purged"]["subject"] == f"{home} {PHONE}"
    assert by_action["exported"]["actor"] == token["id"]
    assert by_action["token_created"]["subject"] == token["id"]
    assert [one["action"] for one in entries(ben)] == ["signed_in"]


def test_it_is_read_by_pages(anna: BrowserOf) -> None:
    for _ in range(3):
        anna.call("POST", "/api/auth/tokens", json={"name": "x"})
    answer = anna.call("GET", "/api/auth/audit", params={"page": 2, "pageSize": 3}).json()
    assert [one["action"] for one in answer["data"]["entries"]] == ["signed_in"]
    assert answer["metadata"]["pagination"] == {"page": 2, "pageSize": 3, "totalItems": 4, "totalPages": 2}


def test_what_was_refused_is_not_written_down_as_done(anna: BrowserOf) -> None:
    anna.call("DELETE", "/api/auth/tokens/x")
    anna.call("DELETE", "/api/routers/x")
    anna.call("PUT", "/api/routers/x", json={"name": "x"})
    assert [one["action"] for one in entries(anna)] == ["signed_in"]


def test_a_key_is_written_down_whenever_it_is_pinned_and_only_then(
    runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    first, other = ssh.add(empty_router(clock)), ssh.add(empty_router(clock))
    context = register(runtime, first)
    for _ in range(2):
        clock.advance(timedelta(minutes=5))
        runtime.collector.collect(context)
    assert [action for action, _ in written(database)] == ["router_added", "host_key_pinned"]
    credentials = Credentials(password=other.password)
    runtime.routers.update(context, {"host": other.host, "port": other.port}, credentials=credentials)
    runtime.collector.collect(context)
    pinned = host_key_fingerprint(runtime.routers.get(context))
    assert written(database)[2:] == [
        ("router_changed", f"{context.router_id} password port"),
        ("host_key_pinned", f"{context.router_id} {pinned}"),
    ]


def written(database: Database) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in ask(database, "SELECT action, subject FROM audit_log ORDER BY id")]


def test_a_token_that_can_not_be_written_down_is_not_made(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    tokens, lifetime = runtime.services.tokens, timedelta(days=1)
    kept = tokens.create(ALICE, name="x", scope=TokenScope.READ, lifetime=lifetime)
    monkeypatch.setattr(audit_db, "insert_audit", fail)
    with pytest.raises(DatabaseUnavailable):
        tokens.create(ALICE, name="y", scope=TokenScope.READ, lifetime=lifetime)
    with pytest.raises(DatabaseUnavailable):
        tokens.revoke(ALICE, kept.record.id)
    assert [token.id for token in tokens.list_all(ALICE)] == [kept.record.id]


def test_a_change_that_can_not_be_written_down_is_not_made(
    runtime: Runtime,
    hosted: HostedRouter,
    router: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    router.add_host(PHONE, "192.168.1.2", "phone")
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()
    clock.advance(timedelta(minutes=5))
    with suppress(RouterError):
        runtime.collector.collect(context)
    before = dump(database)
    monkeypatch.setattr(audit_db, "insert_audit", fail)
    routers, devices = runtime.routers, runtime.services.devices
    other = RouterRegistration(name="Other", host="127.0.0.99", credentials=Credentials(password="x"))
    for change in (
        lambda: routers.register(ALICE, other),
        lambda: routers.update(context, {"name": "Flat"}),
        lambda: routers.accept_host_key(context, hosted.shown_key().fingerprint),
        lambda: devices.remove(context, PHONE, purge=True),
        lambda: routers.delete(context),
    ):
        with pytest.raises(DatabaseUnavailable):
            change()
        assert dump(database) == before


def test_the_newest_are_kept_of_each_account_and_action(
    runtime: Runtime, bob: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_ENTRIES", 3)
    log = runtime.services.audit
    log.record(bob, AuditAction.EXPORTED, "of Bob", by=Doer())
    log.record(ALICE, AuditAction.HOST_KEY_ACCEPTED, "a key", by=Doer())
    for number in range(5):
        log.record(ALICE, AuditAction.EXPORTED, str(number), by=Doer())
    assert [subject for _, subject in written(database)] == ["of Bob", "a key", "2", "3", "4"]
