"""/api/routers as a client meets it."""

from datetime import timedelta
from typing import Any

import paramiko
import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.credentials import Credentials
from services.router_fixes import set_sysctl
from services.routers import RouterRegistration
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.dropbear import Home
from tests.homes import ALICE, BOB, PHONE, Api, ask, dump, register
from utils.time import iso

ROUTER = {
    *("id", "name", "host", "port", "username", "hostKeyFingerprint", "presentedHostKeyFingerprint", "timezone"),
    *("collectIntervalMinutes", "createdAt"),
}


def body_for(hosted: HostedRouter, **fields: object) -> dict[str, object]:
    return {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password, **fields}


def test_a_router_is_registered_contacted_and_its_host_key_pinned(api: Api, hosted: HostedRouter) -> None:
    body = api.body("/api/routers", "POST", status=201, json=body_for(hosted))
    router = body["data"]
    assert set(router) - {"warning"} == ROUTER
    assert (router["name"], router["host"], router["port"], router["username"]) == (
        *("Home", "127.0.0.1", hosted.port, "root"),
    )
    assert router["hostKeyFingerprint"] == hosted.fingerprint
    assert (router["timezone"], router["collectIntervalMinutes"], router["warning"]) == (None, 5, None)
    assert router["presentedHostKeyFingerprint"] is None
    assert body["metadata"]["routerId"] == router["id"]
    assert hosted.stats.auth_attempts == 1


def test_a_secret_never_comes_back_and_is_encrypted_where_it_is_stored(
    api: Api, hosted: HostedRouter, database: Database
) -> None:
    secret = str(hosted.password)
    router = api.data("/api/routers", "POST", status=201, json=body_for(hosted))
    path = f"/api/routers/{router['id']}"
    answers = [
        api.client.get("/api/routers"),
        api.client.get(path),
        api.client.put(path, json={"name": "Other", "password": secret}),
        api.client.post(f"{path}/test"),
        api.client.get(f"/api/device-usage/status?routerId={router['id']}"),
    ]
    for response in answers:
        assert response.status_code == 200
        assert secret not in response.text
        assert "credentials" not in response.text
    assert not [rows for rows in dump(database).values() if secret in str(rows)]


def test_a_key_can_sign_in_instead_of_a_password(api: Api, ssh: SshServer, router: SimulatedRouter) -> None:
    import io

    key = paramiko.ECDSAKey.generate()
    text = io.StringIO()
    key.write_private_key(text)
    hosted = ssh.add(router, password=None, authorized_keys=[f"{key.get_name()} {key.get_base64()}"])
    fields = body_for(hosted, privateKey=text.getvalue())
    del fields["password"]
    assert api.data("/api/routers", "POST", status=201, json=fields)["warning"] is None
    assert api.data("/api/device-usage/refresh", "POST")["devices"] == 0


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        (Faults(refuse=True), "ROUTER_UNREACHABLE"),
        (Faults(refuse_auth=True), "ROUTER_AUTH_FAILED"),
        (Faults(stdout=b"<html>"), "BAD_ROUTER_OUTPUT"),
    ],
    ids=["refuse", "auth", "output"],
)
def test_a_router_that_can_not_be_read_just_now_is_kept_with_a_warning(
    api: Api, hosted: HostedRouter, faults: Faults, code: str
) -> None:
    hosted.faults = faults
    router = api.data("/api/routers", "POST", status=201, json=body_for(hosted))
    assert router["warning"]["code"] == code
    assert api.data(f"/api/routers/{router['id']}")["id"] == router["id"]
    body = api.body("/api/device-usage/status")
    told = body["data"]["router"]
    assert (told["consecutiveFailures"], told["lastError"]["code"]) == (1, code)
    assert told["reachable"] is (code != "ROUTER_UNREACHABLE")
    assert body["metadata"]["router"] == {"lastReadingAt": None, "stale": True, "warning": router["warning"]}


def test_a_router_without_nlbwmon_is_kept_with_what_to_run(
    api: Api, hosted: HostedRouter, router: SimulatedRouter
) -> None:
    router.missing = {"nlbw"}
    warning = api.data("/api/routers", "POST", status=201, json=body_for(hosted))["warning"]
    assert (warning["code"], "opkg install nlbwmon" in warning["message"]) == ("NLBWMON_MISSING", True)


@pytest.mark.parametrize("host", ["8.8.8.8", "169.254.169.254", "::1", "0.0.0.0"])
def test_an_address_outside_the_allowed_networks_is_neither_contacted_nor_kept(api: Api, host: str) -> None:
    fields = {"name": "x", "host": host, "password": "p"}
    assert api.error("/api/routers", "POST", json=fields)[:2] == (502, "ROUTER_ADDRESS_NOT_ALLOWED")
    assert api.data("/api/routers")["routers"] == []


def test_the_same_router_twice_conflicts(api: Api, hosted: HostedRouter) -> None:
    api.data("/api/routers", "POST", status=201, json=body_for(hosted))
    assert api.error("/api/routers", "POST", json=body_for(hosted))[:2] == (409, "CONFLICT")
    assert len(api.data("/api/routers")["routers"]) == 1


RUBBISH: dict[str, list[object]] = {
    "name": [None, "", "  ", "a\nb", "x" * 256, 5, [], "nul\0"],
    "host": [
        None,
        "",
        "a b",
        "root@host",
        "host/path",
        "-oProxyCommand=x y",
        "x" * 254,
        7,
        ".",
        "a..b",
        "-x",
        "x-.lan",
    ],
    "port": [0, -1, 65_536, "ssh", None, 22.5, [], True, "22", 22.0],
    "username": ["", "a\tb", "x" * 65, None, 5, "-x", "a b", "a$b", "root:x", "müller", "root\n", "$"],
    "password": ["x" * 1_025, 5, [], "nul\0", "a\nb", "\x7f", "\x85"],
    "privateKey": ["x" * 32_769, 5, "", " \n"],
    "timezone": ["Mars/Olympus", "../etc/passwd", "UTC+99:00", "", 5],
    "collectIntervalMinutes": [0, 1, 7, 61, "often", [], "5", True, 5.0],
    "unknown": [1],
    "session_id": ["bob"],
    "id": ["mine"],
}


@pytest.mark.parametrize("field", RUBBISH)
def test_rubbish_in_a_field_names_it_and_changes_nothing(
    api: Api, runtime: Runtime, hosted: HostedRouter, database: Database, field: str
) -> None:
    context = register(runtime, hosted)
    before = dump(database)
    new = {"name": "x", "host": "127.0.0.1", "port": 1}
    for value in RUBBISH[field]:
        for path, method, fields in (
            ("/api/routers", "POST", new),
            (f"/api/routers/{context.router_id}", "PUT", {"name": "x"}),
        ):
            status, code, details = api.error(path, method, json={**fields, field: value})
            assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field]), (method, value)
    assert dump(database) == before


@pytest.mark.parametrize("username", ["root", "_netpilot", "a.b-c_9", "machine$", "9"])
def test_user_names_that_a_router_may_have_are_taken(api: Api, hosted: HostedRouter, username: str) -> None:
    assert (
        api.data("/api/routers", "POST", status=201, json=body_for(hosted, username=username))["username"] == username
    )


def test_an_empty_password_is_that_of_a_fresh_router(
    api: Api, context: RouterContext, runtime: Runtime, hosted: HostedRouter
) -> None:
    """OpenWrt has none for root until one is set: signed in to without. PUT takes a stored one away by it."""

    def stored(router_id: str) -> Credentials:
        return runtime.vault.open(runtime.routers.get(RouterContext(ALICE, router_id)).credentials)

    fresh = {"name": "x", "host": "127.0.0.1", "port": 1, "password": ""}
    assert stored(api.data("/api/routers", "POST", status=201, json=fresh)["id"]) == Credentials()
    assert stored(context.router_id) == Credentials(password=str(hosted.password))
    api.data(f"/api/routers/{context.router_id}", "PUT", json={"password": ""})
    assert stored(context.router_id) == Credentials()


@pytest.mark.parametrize(("field", "value"), [("privateKey", ""), ("privateKey", None), ("password", None)])
def test_what_is_no_secret_leaves_the_stored_one_alone(
    api: Api, context: RouterContext, field: str, value: object
) -> None:
    path = f"/api/routers/{context.router_id}"
    api.client.put(path, json={field: value})
    assert api.data(f"{path}/test", "POST")["checks"][0]["ok"] is True


def test_a_password_and_a_key_at_once_are_refused(api: Api, hosted: HostedRouter) -> None:
    fields = body_for(hosted, privateKey="-----BEGIN")
    assert api.error("/api/routers", "POST", json=fields)[:2] == (400, "VALIDATION_ERROR")


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
    left = {table: rows for table, rows in dump(database).items() if rows and table != "users"}
    assert left == {}


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
    assert failing(api, f"/api/routers/{context.router_id}/test") == {"ROWS_FROZEN", "COMMIT_INTERVAL"}
    status = api.data("/api/device-usage/status")
    assert [warning["code"] for warning in status["warnings"]] == ["ROWS_FROZEN", "COMMIT_INTERVAL"]
    assert status["warnings"][0]["fix"] == "/etc/init.d/nlbwmon restart"


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
