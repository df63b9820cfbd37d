"""Registering and choosing routers, beside what their endpoints' tests show."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from commands_server_operations.router_address import NameLookup
from db_operations import routers_db
from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.routers.credentials import Credentials
from services.routers.router_contacts import pin_host_key
from services.routers.routers import RouterRegistration, target_of
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.ssh_server import HostedRouter
from tests.endpoints.accounts.test_deleted_accounts import WAITING, until
from tests.homes import ALICE, START, ask, register
from utils.errors import Conflict, RouterAddressNotAllowed, RouterNotFound, RouterRequired, ValidationFailed


def registration(hosted: HostedRouter, **fields: object) -> RouterRegistration:
    values: dict[str, object] = {
        "name": "Home",
        "host": hosted.host,
        "port": hosted.port,
        "credentials": Credentials(password=hosted.password),
    }
    return RouterRegistration(**(values | fields))  # type: ignore[arg-type]


def test_the_router_of_the_environment_is_registered_once_and_kept_up_to_date(
    runtime: Runtime, hosted: HostedRouter, database: Database
) -> None:
    first = runtime.routers.ensure_registered(ALICE, registration(hosted))
    asked = hosted.stats.commands
    assert runtime.routers.ensure_registered(ALICE, registration(hosted)).id == first.id
    assert hosted.stats.commands == asked, "nothing changed, so nothing was asked"
    changed = runtime.routers.ensure_registered(
        ALICE, registration(hosted, credentials=Credentials(password="new"), username="admin")
    )
    assert (changed.id, changed.username, changed.host_key) == (first.id, "admin", first.host_key)
    assert target_of(changed, runtime.vault).password == "new"
    assert ask(database, "SELECT count(*) FROM routers") == [(1,)]


def test_the_router_of_the_environment_need_not_answer(runtime: Runtime, hosted: HostedRouter) -> None:
    hosted.faults = Faults(refuse=True)
    assert runtime.routers.ensure_registered(ALICE, registration(hosted)).host_key is None


def test_the_log_says_why_a_new_router_can_not_be_read(
    runtime: Runtime, hosted: HostedRouter, caplog: pytest.LogCaptureFixture
) -> None:
    register(runtime, hosted, password="wrong")
    (line,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "ROUTER_AUTH_FAILED" in line.getMessage()
    assert "wrong" not in line.getMessage()


@pytest.mark.parametrize(
    ("faults", "code", "is_reachable", "minutes"),
    [
        (Faults(refuse=True), "ROUTER_UNREACHABLE", False, 0.25),
        (Faults(refuse_auth=True), "ROUTER_AUTH_FAILED", True, 15),
        (Faults(stdout=b"<html>"), "BAD_ROUTER_OUTPUT", True, 0.25),
    ],
    ids=["refuse", "auth", "output"],
)
def test_a_first_contact_that_fails_is_the_first_failed_attempt(
    runtime: Runtime,
    hosted: HostedRouter,
    clock: ManualClock,
    faults: Faults,
    code: str,
    is_reachable: bool,
    minutes: float,
) -> None:
    hosted.faults = faults
    context = register(runtime, hosted)
    router = runtime.routers.get(context)
    assert (router.last_error_code, router.last_error_at, router.last_attempt_at) == (code, clock.now(), clock.now())
    assert (router.consecutive_failures, router.last_success_at) == (1, None)
    assert router.next_collect_at == clock.now() + timedelta(minutes=minutes)
    status = runtime.services.status.get_status(context)
    assert status.is_reachable is is_reachable
    assert [warning.code for warning in status.warnings] == [code, "NO_READING_YET"]
    freshness = runtime.routers.freshness_of(router)
    assert freshness.is_stale
    assert freshness.warning is not None
    assert (freshness.warning.code, freshness.warning.message) == (code, router.last_error_message)


def test_a_first_contact_that_succeeds_is_no_reading(runtime: Runtime, context: RouterContext) -> None:
    router = runtime.routers.get(context)
    assert (router.consecutive_failures, router.last_error_code, router.last_success_at) == (0, None, None)
    assert runtime.services.status.get_status(context).is_reachable is None


def test_a_router_whose_address_is_not_allowed_is_not_stored_even_for_a_moment(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who tries addresses costs the database nothing."""
    runtime = make_runtime(router_allowed_networks="10.0.0.0/8")
    caplog.set_level("INFO")
    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", lambda *_, **__: pytest.fail("the database was asked"))
        with pytest.raises(RouterAddressNotAllowed):
            register(runtime, hosted)
    assert ask(database, "SELECT * FROM routers") == ask(database, "SELECT * FROM audit_log") == []
    (line,) = [record.getMessage() for record in caplog.records if record.name == "services.routers.routers"]
    assert line == f"no router registered at {hosted.host} port {hosted.port}: ROUTER_ADDRESS_NOT_ALLOWED"


def test_a_name_that_changes_its_mind_while_it_is_registered_is_contacted_nowhere(
    runtime: Runtime, hosted: HostedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    monkeypatch.setattr(runtime.connections, "_lookup", NameLookup(lambda _: next(answers)))
    registered = runtime.routers.register(ALICE, registration(hosted, host="rebinding.example"))
    assert registered.warning is not None
    assert registered.warning.code == "ROUTER_ADDRESS_NOT_ALLOWED"
    assert registered.router.host_key is None


def test_a_new_interval_is_the_configured_one_unless_it_is_said(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter
) -> None:
    runtime = make_runtime(collect_interval_minutes=30)
    assert runtime.routers.get(register(runtime, hosted)).collect_interval_minutes == 30


def test_the_only_router_is_chosen_and_others_have_to_be_named(
    runtime: Runtime, context: RouterContext, hosted: HostedRouter, bob: str
) -> None:
    assert runtime.routers.choose(ALICE, None) == runtime.routers.choose(ALICE, context.router_id)
    assert runtime.routers.choose(ALICE, None).id == context.router_id
    with pytest.raises(RouterRequired):
        runtime.routers.choose(bob, None)
    with pytest.raises(RouterNotFound):
        runtime.routers.choose(bob, context.router_id)


def test_of_two_keys_presented_at_once_one_is_pinned_for_both(
    runtime: Runtime, hosted: HostedRouter, database: Database
) -> None:
    hosted.faults = Faults(refuse=True)
    context = register(runtime, hosted)
    target = target_of(runtime.routers.get(context), runtime.vault)
    assert pin_host_key(database, target, "ssh-ed25519 AAAA", at=START) == "ssh-ed25519 AAAA"
    assert pin_host_key(database, target, "ssh-ed25519 BBBB", at=START) == "ssh-ed25519 AAAA"
    runtime.routers.delete(context)
    with pytest.raises(RouterNotFound):
        pin_host_key(database, target, "ssh-ed25519 AAAA", at=START)


def test_no_secret_is_in_what_is_printed_of_a_router(runtime: Runtime, context: RouterContext) -> None:
    router = runtime.routers.get(context)
    assert "secret" not in repr(router) + repr(target_of(router, runtime.vault))
    assert "secret" not in repr(RouterRegistration(name="x", host="x", credentials=Credentials(password="secret")))


def test_an_account_has_so_many_routers_at_most_also_of_those_registered_at_once(
    make_runtime: Callable[..., Runtime], hosted: HostedRouter, bob: str, database: Database
) -> None:
    runtime = make_runtime(account_max_routers=3)

    def add(number: int) -> bool:
        try:
            runtime.routers.register(ALICE, registration(hosted, host=f"127.0.0.{number}", port=1))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(add, range(2, 8))) == 3
    assert ask(database, "SELECT count(*) FROM routers") == [(3,)]
    with pytest.raises(Conflict, match="ACCOUNT_MAX_ROUTERS"):
        register(runtime, hosted)
    register(runtime, hosted, bob)
    runtime.routers.delete(RouterContext(ALICE, runtime.routers.list_all(ALICE)[0].id))
    assert add(9)


def test_credentials_that_are_entered_just_now_are_not_sent_to_where_the_router_was_before(
    runtime: Runtime, hosted: HostedRouter, database: Database
) -> None:
    """What says where it was as if nothing changed had to be looked at before; now it waits, and moves it back."""
    context = register(runtime, hosted)
    entered = {"host": "127.0.0.9", "credentials": runtime.vault.seal(Credentials(password="of 127.0.0.9"))}
    with ThreadPoolExecutor() as pool:
        with database.transaction() as conn:
            routers_db.update_router(conn, ALICE, context.router_id, entered)
            changing = pool.submit(runtime.routers.update, context, {"host": hosted.host})
            until(database, WAITING)
        assert isinstance(changing.exception(30), ValidationFailed)
    assert runtime.routers.get(context).host == "127.0.0.9"
