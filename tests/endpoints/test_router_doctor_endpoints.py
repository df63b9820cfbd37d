"""POST /api/routers/{id}/test as a client meets it: what is wrong, and what mends it."""

from datetime import timedelta

import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.routers.credentials import Credentials
from services.routers.router_fixes import set_sysctl
from services.routers.routers import RouterRegistration
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.dropbear import Home
from tests.homes import ALICE, PHONE, Api, ask, dump, register


def failing(api: Api, path: str) -> set[str]:
    return {check["check"] for check in api.data(path, "POST")["checks"] if not check["ok"]}


def test_the_doctor_finds_what_is_wrong_and_says_what_mends_it(
    api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = empty_router(
        clock,
        zone="UTC",
        database_directory="/var/lib/nlbwmon",
        database_limit=1,
        refresh_interval=300,
        local_network=("192.168.0.0/16",),
        flow_offloading_hw=True,
        clock_offset=timedelta(minutes=-7),
    )
    hosted = ssh.add(router)
    context = register(runtime, hosted, timezone="Europe/Berlin")
    router.traffic(PHONE, rx=1)
    router.conntrack_acct, router.rmem_max = False, 212_992
    before = dump(database)
    path = f"/api/routers/{context.router_id}/test"
    fixes = {check["check"]: check["fix"] for check in api.data(path, "POST")["checks"] if not check["ok"]}
    assert list(fixes) == [
        *("CONNTRACK_ACCT_OFF", "FLOW_OFFLOADING", "IPV6_NOT_LOCAL", "NETLINK_BUFFER", "DATABASE_LIMIT"),
        *("DATABASE_IN_RAM", "REFRESH_INTERVAL", "CLOCK_SKEW", "TIMEZONE"),
    ]
    assert fixes["CONNTRACK_ACCT_OFF"] == set_sysctl("net.netfilter.nf_conntrack_acct", 1)
    assert fixes["IPV6_NOT_LOCAL"] == (
        "uci add_list nlbwmon.@nlbwmon[0].local_network='lan'; uci commit nlbwmon; /etc/init.d/nlbwmon restart"
    )
    assert "database_directory='/etc/nlbwmon'" in fixes["DATABASE_IN_RAM"]
    assert "timezone='CET-1CEST,M3.5.0,M10.5.0/3'" in fixes["TIMEZONE"]
    assert dump(database) == before, "a test stores nothing"


def test_the_doctor_finds_frozen_counters_and_a_commit_interval_that_wears_flash(
    api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, database: Database
) -> None:
    router = empty_router(clock, commit_interval=60)
    context = register(runtime, ssh.add(router))
    router.add_host(PHONE)
    api.data("/api/device-usage/refresh", "POST")
    ask(database, "UPDATE last_readings SET unchanged_readings = 6, unchanged_since = read_at RETURNING 1")
    ask(database, "UPDATE routers SET is_frozen = true RETURNING 1")
    assert failing(api, f"/api/routers/{context.router_id}/test") == {"ROWS_FROZEN", "COMMIT_INTERVAL"}
    status = api.data("/api/device-usage/status")
    assert [warning["code"] for warning in status["warnings"]] == ["ROWS_FROZEN", "COMMIT_INTERVAL"]
    assert status["warnings"][0]["fix"] == "/etc/init.d/nlbwmon restart"


@pytest.mark.parametrize("state", ["stopped", "not installed"])
def test_of_counters_that_nobody_keeps_the_doctor_does_not_say_that_they_move(
    api: Api, context: RouterContext, router: SimulatedRouter, state: str
) -> None:
    api.data("/api/device-usage/refresh", "POST")
    if state == "stopped":
        router.stop()
    else:
        router.missing = {"nlbw"}
    checks = {check["check"]: check for check in api.data(f"/api/routers/{context.router_id}/test", "POST")["checks"]}
    assert not checks["nlbwmon"]["ok"]
    assert checks["nlbwmon"]["fix"]
    assert "ROWS_FROZEN" not in checks


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        ('echo "{}"', {"nlbwmon"}),
        ("echo not json", {"nlbwmon"}),
    ],
)
def test_an_nlbw_that_prints_something_else_is_found(
    api: Api, runtime: Runtime, dropbear: tuple[int, str], home: Home, output: str, failed: set[str]
) -> None:
    home.command("nlbw", f"#!/bin/sh\n{output}\n")
    port, private_key = dropbear
    registration = RouterRegistration(
        name="Home", host="127.0.0.1", port=port, credentials=Credentials(private_key=private_key)
    )
    router_id = runtime.routers.register(ALICE, registration).router.id
    assert failing(api, f"/api/routers/{router_id}/test") == failed


@pytest.mark.parametrize("garbage", ["9" * 400, "-1", "\0", "$(reboot)", "'; reboot", "\x1b[2J", "客厅"])
def test_a_router_that_tells_garbage_is_examined_all_the_same(
    api: Api, runtime: Runtime, ssh: SshServer, clock: ManualClock, garbage: str
) -> None:
    router = empty_router(clock, database_directory=f"/tmp/{garbage}", local_network=(garbage,), lan_ipv6=(garbage,))
    context = register(runtime, ssh.add(router))
    router.rmem_max = garbage  # type: ignore[assignment]
    router.add_host(PHONE)
    (found,) = [
        check for check in api.data(f"/api/routers/{context.router_id}/test", "POST")["checks"] if not check["ok"]
    ]
    assert found["check"] == "DATABASE_IN_RAM"
    assert "reboot" not in found["fix"]
    api.data("/api/device-usage/refresh", "POST")
    warnings = api.data("/api/device-usage/status")["warnings"]
    assert [warning["code"] for warning in warnings] == ["DATABASE_IN_RAM"]


def test_the_doctor_goes_through_its_checks(
    api: Api, context: RouterContext, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    path = f"/api/routers/{context.router_id}/test"
    router.add_host(PHONE, "192.168.1.2", "phone")
    checks = api.data(path, "POST")["checks"]
    assert [check["check"] for check in checks] == [
        *("ssh", "nlbwmon", "devices", "CONNTRACK_ACCT_OFF", "FLOW_OFFLOADING", "IPV6_NOT_LOCAL", "NETLINK_BUFFER"),
        *("DATABASE_LIMIT", "DATABASE_IN_RAM", "COMMIT_INTERVAL", "REFRESH_INTERVAL", "CLOCK_SKEW", "TIMEZONE"),
    ]
    assert all(set(check) == {"check", "ok", "message", "fix"} for check in checks)
    assert all(check["ok"] and check["fix"] is None for check in checks)
    router.stop()
    nlbwmon = api.data(path, "POST")["checks"][1]
    assert (nlbwmon["ok"], nlbwmon["fix"]) == (False, "/etc/init.d/nlbwmon restart")
    assert failing(api, path) == {"nlbwmon"}, "what else can be asked is asked all the same"
    router.missing = {"nlbw"}
    checks = api.data(path, "POST")["checks"]
    assert "opkg install nlbwmon" in checks[1]["fix"]
    assert [check["check"] for check in checks[3:5]] == ["settings", "CONNTRACK_ACCT_OFF"]
    hosted.faults = Faults(refuse=True)
    (only,) = api.data(path, "POST")["checks"]
    assert (only["check"], only["ok"]) == ("ssh", False)
