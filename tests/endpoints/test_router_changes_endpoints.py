"""Routers that are listed, changed, moved and deleted, and whose they are."""

from datetime import timedelta
from typing import Any

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.router_bodies import ROUTER
from tests.homes import ALICE, BOB, PHONE, Api, ask, dump, register
from utils.time import iso


def test_routers_are_listed_by_name_and_paged(
    api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, bob: str
) -> None:
    assert api.data("/api/routers") == {"routers": []}
    for name in ("b", "a", "c"):
        register(runtime, ssh.add(empty_router(clock)), name=name)
    register(runtime, ssh.add(empty_router(clock)), session_id=BOB, name="Bob's")
    body = api.body("/api/routers", query_string={"pageSize": 2})
    assert [router["name"] for router in body["data"]["routers"]] == ["a", "b"]
    assert set(body["data"]["routers"][0]) == ROUTER
    assert body["metadata"]["pagination"] == {"page": 1, "pageSize": 2, "totalItems": 3, "totalPages": 2}


def test_a_router_can_be_renamed_and_collected_at_another_interval(
    api: Api, context: RouterContext, hosted: HostedRouter
) -> None:
    path = f"/api/routers/{context.router_id}"
    changed = api.data(path, "PUT", json={"name": "客厅", "collectIntervalMinutes": 60, "timezone": "America/New York"})
    assert (changed["name"], changed["collectIntervalMinutes"], changed["timezone"]) == (
        *("客厅", 60, "America/New_York"),
    )
    assert changed["hostKeyFingerprint"] == hosted.fingerprint
    assert api.data(path) == changed
    assert api.data(path, "PUT", json={}) == changed


@pytest.mark.parametrize("field", ["host", "port", "username"])
def test_where_credentials_are_sent_changes_only_together_with_them(
    api: Api, context: RouterContext, database: Database, field: str
) -> None:
    before = ask(database, "SELECT host, port, username FROM routers")
    value = {"host": "127.0.0.2", "port": 1, "username": "admin"}[field]
    status, code, details = api.error(f"/api/routers/{context.router_id}", "PUT", json={field: value})
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])
    assert ask(database, "SELECT host, port, username FROM routers") == before


def test_a_router_that_moved_has_its_new_host_key_pinned(
    api: Api, context: RouterContext, hosted: HostedRouter, ssh: SshServer, router: SimulatedRouter
) -> None:
    moved = ssh.add(router)
    path = f"/api/routers/{context.router_id}"
    changed = api.data(path, "PUT", json={"port": moved.port, "password": moved.password})
    assert changed["hostKeyFingerprint"] is None
    api.data("/api/device-usage/refresh", "POST")
    assert api.data(path)["hostKeyFingerprint"] == moved.fingerprint


def test_a_new_password_is_used_at_once(api: Api, context: RouterContext, hosted: HostedRouter) -> None:
    hosted.password = "changed"
    hosted.drop_connections()
    assert api.error("/api/device-usage/refresh", "POST")[1] == "ROUTER_AUTH_FAILED"
    api.data(f"/api/routers/{context.router_id}", "PUT", json={"password": "changed"})
    api.data("/api/device-usage/refresh", "POST")
    status = api.data("/api/device-usage/status")["router"]
    assert (status["reachable"], status["consecutiveFailures"]) == (True, 0)


def test_a_changed_host_key_is_shown_and_accepted_by_its_fingerprint(
    api: Api, context: RouterContext, hosted: HostedRouter, clock: ManualClock
) -> None:
    path = f"/api/routers/{context.router_id}"
    api.data("/api/device-usage/refresh", "POST")
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()
    clock.advance(timedelta(minutes=5))
    assert api.error("/api/device-usage/refresh", "POST")[:2] == (502, "HOST_KEY_CHANGED")
    router = api.data(path)
    shown = router["presentedHostKeyFingerprint"]
    assert (router["hostKeyFingerprint"], shown) == (hosted.fingerprint, hosted.shown_key().fingerprint)
    other = f"SHA256:{'x' * 43}"
    assert api.error(f"{path}/host-key", "POST", json={"fingerprint": other}) == (
        *(409, "CONFLICT", {"fingerprint": [other], "presentedHostKeyFingerprint": [shown]}),
    )
    assert api.data(path) == router
    accepted = api.data(f"{path}/host-key", "POST", json={"fingerprint": shown})
    assert (accepted["hostKeyFingerprint"], accepted["presentedHostKeyFingerprint"]) == (shown, None)
    assert api.data(path) == accepted
    status = api.data("/api/device-usage/status")
    assert (status["router"]["consecutiveFailures"], status["router"]["lastSuccessAt"]) == (0, None)
    (warning,) = status["warnings"]
    assert warning["code"] == "NO_READING_YET"
    assert warning["message"].startswith("No reading to start from is stored.")
    (gap,) = api.data("/api/device-usage/events", query_string={"type": "gap"})["events"]
    assert (gap["quality"], gap["until"]) == ("unknown", iso(clock.now()))
    assert gap["message"].startswith("Another host key was accepted")
    api.data("/api/device-usage/refresh", "POST")


def test_an_accepted_key_takes_nothing_away_from_the_period_that_was_running(
    api: Api, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock
) -> None:
    for used in (1_000, 4_000):
        router.traffic(PHONE, rx=used)
        api.data("/api/device-usage/refresh", "POST")
        clock.advance(timedelta(minutes=5))
    (november, *_) = api.data("/api/device-usage/periods")["periods"]
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()
    api.error("/api/device-usage/refresh", "POST")
    shown = {"fingerprint": hosted.shown_key().fingerprint}
    api.data(f"/api/routers/{context.router_id}/host-key", "POST", json=shown)
    (kept, *_) = api.data("/api/device-usage/periods")["periods"]
    assert november["bytesDown"] >= 5_000
    assert kept == {**november, "isCurrent": False}


def test_a_key_that_was_never_shown_can_not_be_accepted(
    api: Api, context: RouterContext, hosted: HostedRouter, database: Database
) -> None:
    before = dump(database)
    path = f"/api/routers/{context.router_id}/host-key"
    for fingerprint in (hosted.fingerprint, f"SHA256:{'x' * 43}"):
        assert api.error(path, "POST", json={"fingerprint": fingerprint})[:2] == (409, "CONFLICT")
    for rubbish in (None, "", "x", "SHA256:", f"MD5:{'x' * 43}", f"SHA256:{'x' * 44}", f"SHA256:{'%' * 43}", 5, []):
        status, code, details = api.error(path, "POST", json={"fingerprint": rubbish})
        assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["fingerprint"]), rubbish
    assert api.error(path, "POST", json={})[:2] == (400, "VALIDATION_ERROR")
    assert dump(database) == before


def test_a_deleted_router_takes_everything_of_it_along(
    api: Api, context: RouterContext, runtime: Runtime, router: SimulatedRouter, clock: ManualClock, database: Database
) -> None:
    router.traffic(PHONE, rx=1, tx=1)
    api.data("/api/device-usage/refresh", "POST")
    assert api.data(f"/api/routers/{context.router_id}", "DELETE") == {"deleted": context.router_id}
    assert api.error(f"/api/routers/{context.router_id}")[:2] == (404, "ROUTER_NOT_FOUND")
    assert api.error(f"/api/routers/{context.router_id}", "DELETE")[:2] == (404, "ROUTER_NOT_FOUND")
    # Who deleted it stays written down.
    left = {table for table, rows in dump(database).items() if rows}
    assert left == {"users", "audit_log"}


@pytest.mark.parametrize(
    ("method", "suffix", "json"),
    [
        ("GET", "", None),
        ("PUT", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/host-key", {"fingerprint": f"SHA256:{'x' * 43}"}),
    ],
)
def test_another_accounts_router_answers_as_one_that_does_not_exist(
    client: Any,
    runtime: Runtime,
    hosted: HostedRouter,
    database: Database,
    bob: str,
    method: str,
    suffix: str,
    json: Any,
) -> None:
    theirs = register(runtime, hosted, session_id=BOB)
    before, asked = dump(database), hosted.stats.commands

    def answer(router_id: str) -> tuple[int, str]:
        response = client.open(f"/api/routers/{router_id}{suffix}", method=method, json=json)
        return response.status_code, response.text.replace(response.headers["X-Request-Id"], "")

    mine_not_there = [answer(name) for name in ("0123456789abcdef", "x", "%00", "../x", "' OR 1=1 --")]
    assert answer(theirs.router_id) == mine_not_there[0]
    assert {status for status, _ in mine_not_there} == {404}
    assert dump(database) == before
    assert hosted.stats.commands == asked


def test_two_accounts_may_watch_the_same_router(
    runtime: Runtime, api: Api, hosted: HostedRouter, router: SimulatedRouter, clock: ManualClock, bob: str
) -> None:
    contexts = [register(runtime, hosted, session_id=name) for name in (ALICE, BOB)]
    for context in contexts:
        runtime.collector.collect(context)
    assert len(api.data("/api/routers")["routers"]) == 1
