"""POST /api/routers as a client meets it: what is registered, and what is refused."""

import paramiko
import pytest

from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.routers.credentials import Credentials
from simulator.faults import Faults
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.endpoints.router_bodies import ROUTER, body_for
from tests.homes import ALICE, Api, dump, register


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
