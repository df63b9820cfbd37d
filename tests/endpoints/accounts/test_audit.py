"""The audit log: who did what, when and from where, as the account's owner reads it."""

from typing import Any

import requests

from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.provider import ANNA, BrowserOf
from tests.homes import PHONE


def entries(browser: BrowserOf, **query: Any) -> list[dict[str, Any]]:
    return list(browser.call("GET", "/api/auth/audit", params=query).json()["data"]["entries"])


def test_everything_that_matters_is_written_down_with_who_and_from_where(
    anna: BrowserOf, ben: BrowserOf, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.add_host(PHONE, "192.168.1.2", "phone")
    body = {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password}
    home = anna.call("POST", "/api/routers", json=body | {"username": hosted.username}).json()["data"]["id"]
    usage = "/api/device-usage"
    token = anna.call("POST", "/api/auth/tokens", json={"name": "script"}).json()["data"]
    anna.call("POST", f"{usage}/refresh")
    anna.call("PUT", f"/api/routers/{home}", json={"name": "Flat"})
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
    assert {one["address"] for one in told} == {"127.0.0.1"}
    by_action = {one["action"]: one for one in told}
    assert by_action["router_added"]["subject"] == home
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
