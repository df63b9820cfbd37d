"""`metadata.router`: with every answer about a router, how far what is stored of it can be taken for the present."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from db_operations import routers_db
from server import Runtime, create_app
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import PHONE, Api

BASE = "/api/device-usage"
MINUTE = timedelta(minutes=1)

#: Everything about a router that is answered from what is stored.
STORED: list[tuple[str, str, dict[str, Any]]] = [
    *[(name, "GET", {}) for name in ("devices", "history", "summary", "status", "events", "periods", "protocols")],
    *[(name, "GET", {}) for name in ("devices/merge-suggestions", "people")],
    *[(f"device/{PHONE}/{name}", "GET", {}) for name in ("info", "history", "protocols")],
    (f"device/{PHONE}", "PUT", {"json": {"name": "Anna's"}}),
    (f"device/{PHONE}/merge", "DELETE", {}),
    *[(f"analytics/{name}", "GET", {}) for name in ("trends", "anomalies", "compare")],
    ("report/generate", "POST", {"json": {"period": "day"}}),
]
LIVE = ["current", f"device/{PHONE}/current"]


@pytest.fixture(autouse=True)
def always_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)


@pytest.fixture
def used(api: Api, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Two readings, at 09:00 and at 09:05."""
    router.add_host(PHONE, "192.168.1.2", "phone")
    api.data(f"{BASE}/refresh", "POST")
    router.traffic(PHONE, rx=1_000, tx=100)
    clock.advance(5 * MINUTE)
    api.data(f"{BASE}/refresh", "POST")


def told(api: Api, path: str, method: str = "GET", **options: Any) -> Any:
    return api.body(f"{BASE}/{path}", method, **options)["metadata"]["router"]


FRESH = {"lastReadingAt": "2031-11-11T09:05:00Z", "stale": False, "warning": None}


def test_every_route_about_a_router_is_tried_here(app: Any) -> None:
    exempt = {f"{BASE}/export/csv", f"{BASE}/export/json"}  # streams, whose envelope is sent before they are read
    tried = {f"{BASE}/{path.replace(PHONE, '<mac>')}" for path in [*(path for path, _, _ in STORED), *LIVE, "refresh"]}
    assert {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(BASE)} - exempt == tried


def test_every_answer_about_a_router_says_when_it_was_read(used: None, api: Api) -> None:
    for path, method, options in STORED:
        assert told(api, path, method, **options) == FRESH, path
    for path in LIVE:
        assert told(api, path) == FRESH, path


def test_after_two_intervals_without_a_reading_every_answer_is_stale(used: None, api: Api, clock: ManualClock) -> None:
    clock.advance(10 * MINUTE)
    assert told(api, "devices") == FRESH
    clock.advance(MINUTE)
    old = {"code": "READING_OLD", "message": "The last good reading is 11 minutes old."}
    for path, method, options in STORED:
        assert told(api, path, method, **options) == {**FRESH, "stale": True, "warning": old}, path


def test_after_a_failure_every_answer_is_stale_and_says_why(
    used: None, api: Api, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(refuse=True)
    clock.advance(MINUTE)
    error = api.client.post(f"{BASE}/refresh").get_json()["error"]
    stale = {**FRESH, "stale": True, "warning": error}
    assert error["code"] == "ROUTER_UNREACHABLE"
    for path, method, options in STORED:
        assert told(api, path, method, **options) == stale, path
    for path in LIVE:
        body = api.body(f"{BASE}/{path}")
        assert body["metadata"]["router"] == stale
        assert (body["data"]["stale"], body["data"]["warning"]) == (True, stale["warning"]), "and in its own words"


def test_a_live_question_that_fails_is_the_last_attempt(
    used: None, api: Api, hosted: HostedRouter, clock: ManualClock
) -> None:
    hosted.faults = Faults(refuse=True)
    clock.advance(MINUTE)
    for path in LIVE:
        body = api.body(f"{BASE}/{path}")
        router = body["metadata"]["router"]
        assert router == {**FRESH, "stale": True, "warning": body["data"]["warning"]}
        assert router["warning"]["code"] == "ROUTER_UNREACHABLE"


@pytest.mark.parametrize("path", LIVE)
def test_a_live_reading_is_not_shared_any_more_once_the_router_failed(
    used: None,
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 60.0)
    api = Api(create_app(make_runtime()).test_client())
    assert api.data(f"{BASE}/{path}")["source"] == "live"
    hosted.faults = Faults(refuse=True)
    clock.advance(timedelta(seconds=1))
    assert api.error(f"{BASE}/refresh", "POST")[0] == 502
    asked = hosted.stats.connections
    for _ in range(3):
        body = api.body(f"{BASE}/{path}")
        assert (body["data"]["source"], body["data"]["warning"]["code"]) == ("stored", "ROUTER_UNREACHABLE")
        assert body["metadata"]["router"] == {**FRESH, "stale": True, "warning": body["data"]["warning"]}
    assert hosted.stats.connections <= asked + 1, "and the failure is shared"


def fail_and_come_back(api: Api, hosted: HostedRouter, clock: ManualClock) -> None:
    hosted.faults = Faults(refuse=True)
    clock.advance(30 * MINUTE)
    assert api.error(f"{BASE}/refresh", "POST")[0] == 502
    hosted.faults = Faults()
    clock.advance(MINUTE)


def test_a_live_reading_that_succeeds_is_the_last_attempt(
    used: None, api: Api, hosted: HostedRouter, clock: ManualClock
) -> None:
    fail_and_come_back(api, hosted, clock)
    for path in LIVE:
        body = api.body(f"{BASE}/{path}")
        now = body["data"]
        assert (now["source"], now["stale"], now["warning"]) == ("live", False, None)
        assert body["metadata"]["router"] == {"lastReadingAt": now["timestamp"], "stale": False, "warning": None}
    assert told(api, "devices")["warning"]["code"] == "ROUTER_UNREACHABLE", "what is stored is as old as before"


def test_a_refresh_is_what_is_stored_from_then_on(
    used: None, api: Api, hosted: HostedRouter, clock: ManualClock
) -> None:
    fail_and_come_back(api, hosted, clock)
    now = {"lastReadingAt": "2031-11-11T09:36:00Z", "stale": False, "warning": None}
    assert told(api, "refresh", "POST") == now
    assert told(api, "history") == now


def test_before_the_first_reading_there_is_none_to_be_stale(api: Api, context: RouterContext) -> None:
    assert told(api, "devices") == {"lastReadingAt": None, "stale": False, "warning": None}


def test_answers_that_are_not_about_one_routers_usage_say_nothing_of_it(
    used: None, api: Api, context: RouterContext
) -> None:
    for path in ("/api/routers", f"/api/routers/{context.router_id}", "/api/auth/me", "/health/ready"):
        assert "router" not in api.body(path)["metadata"], path
    assert "router" not in api.body(f"{BASE}/export/json")["metadata"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the statements about routers, as they are run."""
    names: list[str] = []

    def watched(name: str) -> Any:
        statement = getattr(routers_db, name)

        def run(*arguments: Any, **options: Any) -> Any:
            names.append(name)
            return statement(*arguments, **options)

        return run

    for name in ("get_router", "list_routers", "lock_router"):
        monkeypatch.setattr(routers_db, name, watched(name))
    return names


def test_it_costs_no_query(used: None, api: Api, context: RouterContext, asked: list[str], runtime: Runtime) -> None:
    told(api, "devices")
    told(api, "devices", query_string={"routerId": context.router_id})
    assert asked == ["list_routers", "get_router"], "what choosing the router takes anyway"


def test_where_counters_stand_still_every_answer_says_so_until_they_move(
    api: Api, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=1_000)
    for _ in range(9):
        api.data(f"{BASE}/refresh", "POST")
        clock.advance(11 * MINUTE)
    api.data(f"{BASE}/refresh", "POST")
    for path in ("/current", "/history", "/devices", "/status"):
        told = api.body(f"{BASE}{path}")["metadata"]["router"]
        assert (path, told["stale"], told["warning"]["code"]) == (path, True, "ROWS_FROZEN")
    router.traffic(PHONE, rx=1_000)
    clock.advance(MINUTE)
    refreshed = api.body(f"{BASE}/refresh", "POST")["metadata"]["router"]
    assert (refreshed["stale"], refreshed["warning"]) == (False, None)
    assert api.body(f"{BASE}/history")["metadata"]["router"]["stale"] is False
