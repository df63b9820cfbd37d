"""All routes of /api/device-usage: which router they answer for, and whose devices they never show."""

from typing import Any

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.ssh_server import SshServer
from tests.endpoints.device_usage_shapes import BASE
from tests.homes import BOB, LAPTOP, PHONE, TV, Api, register

pytestmark = pytest.mark.usefixtures("always_live")

ROUTES = [
    *("devices", "current", "history", "summary", "status", "protocols"),
    *(f"device/{PHONE}/{what}" for what in ("info", "current", "history", "protocols")),
]


def test_with_one_router_it_may_be_left_out_and_with_two_it_must_be_named(
    used: None, api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, context: RouterContext
) -> None:
    second = register(runtime, ssh.add(empty_router(clock)), name="Second")
    for path in ROUTES:
        assert api.error(f"{BASE}/{path}")[:2] == (400, "ROUTER_REQUIRED")
    assert api.error(f"{BASE}/refresh", "POST")[:2] == (400, "ROUTER_REQUIRED")
    for named in ({"query_string": {"routerId": context.router_id}}, {"headers": {"X-Router-Id": context.router_id}}):
        for path in ROUTES:
            assert api.body(f"{BASE}/{path}", **named)["metadata"]["routerId"] == context.router_id
    assert api.data(f"{BASE}/devices", query_string={"routerId": second.router_id})["devices"] == []


def test_without_any_router_the_message_says_how_to_register_one(client: Any, api: Api) -> None:
    response = client.get(f"{BASE}/devices")
    assert (response.status_code, response.json["error"]["code"]) == (400, "ROUTER_REQUIRED")
    assert "POST /api/routers" in response.json["error"]["message"]


def test_another_accounts_router_answers_as_one_that_does_not_exist(
    runtime: Runtime, client: Any, ssh: SshServer, clock: ManualClock, context: RouterContext, bob: str
) -> None:
    theirs = register(runtime, ssh.add(empty_router(clock)), session_id=BOB)
    runtime.collector.collect(theirs)

    def answer(router_id: str, path: str, method: str = "GET") -> tuple[int, str]:
        response = client.open(f"{BASE}/{path}", method=method, headers={"X-Router-Id": router_id})
        return response.status_code, response.text.replace(response.headers["X-Request-Id"], "")

    for path, method in [*((path, "GET") for path in ROUTES), ("refresh", "POST")]:
        assert answer(theirs.router_id, path, method) == answer("0123456789abcdef", path, method)
        assert answer(theirs.router_id, path, method)[0] == 404


def test_another_accounts_devices_are_not_ours(
    used: None, api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, bob: str
) -> None:
    theirs = empty_router(clock)
    theirs.traffic(TV, rx=5_000)
    bobs = register(runtime, ssh.add(theirs), session_id=BOB)
    runtime.collector.collect(bobs)
    for what in ("info", "current", "history", "protocols"):
        assert api.error(f"{BASE}/device/{TV}/{what}")[:2] == (404, "DEVICE_NOT_FOUND")
    assert TV not in api.client.get(f"{BASE}/devices").text


def test_a_device_out_of_monitoring_is_in_no_list(used: None, api: Api, database: Database) -> None:
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s", {"mac": PHONE})
    assert [device["mac"] for device in api.data(f"{BASE}/devices")["devices"]] == [LAPTOP]
    current = api.data(f"{BASE}/current")
    assert [device["mac"] for device in current["devices"]] == [LAPTOP]
    assert current["totalBandwidth"]["total"] == 30
