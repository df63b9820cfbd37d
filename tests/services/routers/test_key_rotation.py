"""Every stored credential is encrypted anew while servers run; nothing that is changed meanwhile is lost."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cryptography.fernet import Fernet

from db_operations import credentials_db
from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from services.routers import key_rotation
from services.routers.credentials import Credentials, CredentialVault
from services.routers.key_rotation import rotate_keys
from simulator.ssh_server import HostedRouter
from tests.homes import ALICE, ask, register

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def old_and_new(make_runtime: Callable[..., Runtime]) -> tuple[Runtime, Runtime]:
    """A server that hasn't the new key first yet, and one that has."""
    return make_runtime(credentials_keys=f"{OLD},{NEW}"), make_runtime(credentials_keys=f"{NEW},{OLD}")


def fill(database: Database, count: int, vault: CredentialVault) -> None:
    """Routers that nobody asks; each password is its router's id."""
    for number in range(count):
        id_ = f"{number:016x}"
        ask(
            database,
            """INSERT INTO routers (id, session_id, name, host, port, username, credentials, collect_interval_minutes)
               VALUES (%(id)s, %(account)s, %(id)s, %(id)s, 22, 'root', %(sealed)s, 5) RETURNING id""",
            id=id_,
            account=ALICE,
            sealed=vault.seal(Credentials(password=id_)),
        )


def passwords(database: Database, keys: Sequence[str]) -> dict[str, str | None]:
    vault = CredentialVault(keys)
    return {id_: vault.open(bytes(sealed)).password for id_, sealed in ask(database, _STORED)}


_STORED = "SELECT id, credentials FROM routers ORDER BY id"


def test_afterwards_the_newest_key_alone_opens_all(runtime: Runtime, database: Database) -> None:
    fill(database, 250, CredentialVault([OLD]))
    rotation = rotate_keys(database, CredentialVault([NEW, OLD]))
    assert (rotation.resealed, rotation.unreadable, rotation.is_complete) == (250, (), True)
    assert passwords(database, [NEW]) == {f"{number:016x}": f"{number:016x}" for number in range(250)}
    stored = ask(database, _STORED)
    assert rotate_keys(database, CredentialVault([NEW, OLD])).resealed == 0
    assert ask(database, _STORED) == stored


def test_what_no_key_opens_stays_as_it_was_and_is_named(runtime: Runtime, database: Database) -> None:
    fill(database, 3, CredentialVault([OLD]))
    lost = CredentialVault([Fernet.generate_key().decode()]).seal(Credentials(password="x"))
    ask(database, "UPDATE routers SET credentials = %(lost)s WHERE id = '0000000000000001' RETURNING id", lost=lost)
    rotation = rotate_keys(database, CredentialVault([NEW, OLD]))
    assert (rotation.resealed, rotation.unreadable) == (2, ("0000000000000001",))
    assert bytes(ask(database, _STORED)[1][1]) == lost


def test_killed_halfway_it_goes_on_where_it_was(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, 30, CredentialVault([OLD]))
    monkeypatch.setattr(key_rotation, "_BATCH", 10)
    replace, calls = credentials_db.replace_credentials, iter(range(25))

    def dies(*arguments: Any) -> bool:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return replace(*arguments)

    with monkeypatch.context() as killed:
        killed.setattr(credentials_db, "replace_credentials", dies)
        with pytest.raises(KeyboardInterrupt):
            rotate_keys(database, CredentialVault([NEW, OLD]))
    assert len(passwords(database, [NEW, OLD])) == 30
    assert rotate_keys(database, CredentialVault([NEW, OLD])).resealed == 10, "two whole batches were done"
    assert len(passwords(database, [NEW])) == 30


@pytest.mark.parametrize("who", [0, 1], ids=["by a server with the old key first", "by one with the new key first"])
def test_a_password_that_is_changed_meanwhile_is_kept(
    old_and_new: tuple[Runtime, Runtime],
    hosted: HostedRouter,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    who: int,
) -> None:
    context = register(old_and_new[0], hosted)
    replace, changes = credentials_db.replace_credentials, iter(["changed"])

    def change_first(*arguments: Any) -> bool:
        for password in changes:
            old_and_new[who].routers.update(context, {}, credentials=Credentials(password=password))
        return replace(*arguments)

    monkeypatch.setattr(credentials_db, "replace_credentials", change_first)
    rotation = rotate_keys(database, CredentialVault([NEW, OLD]), sleep=lambda _: None)
    assert rotation.is_complete
    assert rotation.resealed == 1 - who
    assert passwords(database, [NEW]) == {context.router_id: "changed"}


def test_a_server_that_changes_all_the_time_does_not_hold_it_up_for_ever(
    old_and_new: tuple[Runtime, Runtime], hosted: HostedRouter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = register(old_and_new[0], hosted)

    def overtaken(*_: Any) -> bool:
        return False

    monkeypatch.setattr(credentials_db, "replace_credentials", overtaken)
    assert not rotate_keys(database, CredentialVault([NEW, OLD]), sleep=lambda _: None).is_complete
    assert passwords(database, [OLD]) == {context.router_id: hosted.password}


def test_a_router_that_is_being_changed_is_not_waited_for_and_done_later(
    old_and_new: tuple[Runtime, Runtime], hosted: HostedRouter, database: Database
) -> None:
    context = register(old_and_new[0], hosted)
    with database.transaction() as changing:
        with changing.cursor() as cursor:
            cursor.execute("SELECT 1 FROM routers FOR UPDATE")
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            changing.rollback()

        assert rotate_keys(database, CredentialVault([NEW, OLD]), sleep=sleep).resealed == 1
        assert slept[0] > 0
    assert passwords(database, [NEW]) == {context.router_id: hosted.password}


def test_servers_go_on_reading_and_nothing_is_forgotten(
    old_and_new: tuple[Runtime, Runtime], hosted: HostedRouter, database: Database
) -> None:
    context = register(old_and_new[0], hosted)
    stands = "SELECT updated_at, next_collect_at, consecutive_failures, host_key FROM routers"
    before = ask(database, stands)
    for keys in ([NEW, OLD], [OLD, NEW]):
        assert rotate_keys(database, CredentialVault(keys)).resealed == 1
        assert ask(database, stands) == before
        for server in old_and_new:
            server.connections.forget((context.session_id, context.router_id))
            assert server.routers.test(RouterContext(ALICE, context.router_id))[0].ok
