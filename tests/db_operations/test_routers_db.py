"""Routers, their schedule and their claims on a real PostgreSQL."""

from datetime import timedelta

import pytest

from db_operations import device_usage_db, devices_db, readings_db, routers_db
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting
from tests.db_operations.usage_rows import ALICE, AT, BOB, MAC, NAMES, add_router, due_at, reading_at, router_of
from utils.errors import Conflict

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_a_router_is_read_back_as_it_was_stored(database: Database, name: str) -> None:
    with database.transaction() as conn:
        stored = add_router(conn, ALICE, name=name, credentials=b"\x00\xffsealed", timezone="Europe/Berlin")
        assert stored.name == name
        assert stored.credentials == b"\x00\xffsealed"
        assert stored.created_at is not None
        assert routers_db.get_router(conn, *ALICE) == stored
        assert "sealed" not in repr(stored)


def test_another_account_sees_and_changes_no_router(database: Database) -> None:
    stranger = ("bob", ALICE[1])
    with database.transaction() as conn:
        mine = add_router(conn, ALICE)
        theirs = add_router(conn, BOB)
        assert routers_db.get_router(conn, *stranger) is None
        assert routers_db.list_routers(conn, "bob", limit=None, offset=0) == [theirs]
        assert routers_db.count_routers(conn, "bob") == 1
        assert routers_db.update_router(conn, *stranger, {"name": "Mine now"}) is None
        assert routers_db.pin_host_key(conn, *stranger, "ssh-ed25519 EVIL", host=mine.host, port=mine.port) is None
        assert routers_db.delete_router(conn, *stranger) is False
        routers_db.record_success(conn, *stranger, at=AT, timezone="UTC", next_collect_at=AT)
        routers_db.record_failure(conn, *stranger, at=AT, code="X", message="x", failures=1, next_collect_at=AT)
        assert routers_db.get_router(conn, *ALICE) == mine


def test_an_account_has_one_router_at_a_host_and_port_and_others_may_have_it_too(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
        add_router(conn, ("alice", "second"), port=2222)
    with pytest.raises(Conflict, match=r"192\.168\.1\.1 port 22"), database.transaction() as conn:
        routers_db.insert_router(conn, router_of(("alice", "third")))
    with pytest.raises(Conflict), database.transaction() as conn:
        routers_db.update_router(conn, "alice", "second", {"port": 22})


def test_routers_are_listed_by_name_and_paged(database: Database) -> None:
    with database.transaction() as conn:
        for port, name in enumerate(("c", "a", "b"), start=1):
            add_router(conn, ("alice", f"r{port}"), name=name, port=port)
        names = [router.name for router in routers_db.list_routers(conn, "alice", limit=None, offset=0)]
        assert names == ["a", "b", "c"]
        page = routers_db.list_routers(conn, "alice", limit=1, offset=1)
        assert [router.name for router in page] == ["b"]
        assert routers_db.count_routers(conn, "alice") == 3
        assert routers_db.count_routers(conn, "nobody") == 0


def test_a_change_sets_what_it_names_and_leaves_the_rest(database: Database) -> None:
    with database.transaction() as conn:
        before = add_router(conn, ALICE, timezone="UTC")
        routers_db.pin_host_key(conn, *ALICE, "ssh-ed25519 KEY", host=before.host, port=before.port)
        after = routers_db.update_router(conn, *ALICE, {"name": "New", "collect_interval_minutes": 60})
        assert after is not None
        assert (after.name, after.collect_interval_minutes) == ("New", 60)
        assert (after.host, after.credentials, after.timezone) == (before.host, before.credentials, "UTC")
        assert after.host_key == "ssh-ed25519 KEY"
        moved = routers_db.update_router(conn, *ALICE, {"host": "10.0.0.1", "clear_host_key": True})
        assert moved is not None
        assert (moved.host, moved.host_key) == ("10.0.0.1", None)


@pytest.mark.parametrize(
    ("changes", "failures", "is_due"),
    [
        ({"name": "New"}, 3, False),
        ({"collect_interval_minutes": 60, "timezone": "UTC"}, 3, False),
        ({"host": "192.168.1.1", "port": 22, "username": "root"}, 3, False),
        ({"host": "10.0.0.1"}, 3, True),
        ({"port": 2222}, 3, True),
        ({"username": "admin"}, 3, True),
        ({"credentials": b"other"}, 3, True),
        ({"name": "New", "collect_interval_minutes": 5}, 0, False),
        ({"collect_interval_minutes": 60}, 0, True),
    ],
)
def test_a_change_makes_a_router_due_that_it_may_have_mended_or_that_is_well(
    database: Database, changes: dict[str, object], failures: int, is_due: bool
) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
    due_at(database, ALICE[1], AT, failures=failures)
    with database.transaction() as conn:
        after = routers_db.update_router(conn, *ALICE, changes)
    assert after is not None
    assert (after.next_collect_at != AT, after.consecutive_failures) == (is_due, 0 if is_due else failures)


def test_the_first_host_key_of_the_routers_address_is_pinned_and_stays(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        assert routers_db.pin_host_key(conn, *ALICE, "ssh-ed25519 OLD", host="10.0.0.1", port=22) is None
        at = {"host": "192.168.1.1", "port": 22}
        assert routers_db.pin_host_key(conn, *ALICE, "ssh-ed25519 ONE", **at) == "ssh-ed25519 ONE"
        assert routers_db.pin_host_key(conn, *ALICE, "ssh-ed25519 TWO", **at) == "ssh-ed25519 ONE"


def test_another_key_is_kept_only_for_the_router_and_the_address_that_showed_it(database: Database) -> None:
    at = {"host": "192.168.1.1", "port": 22}
    with database.transaction() as conn:
        add_router(conn, ALICE)
        routers_db.keep_presented_host_key(conn, *ALICE, "ssh-ed25519 TWO", **at)
        assert routers_db.get_router(conn, *ALICE).presented_host_key is None, "nothing is pinned yet"  # type: ignore[union-attr]
        routers_db.pin_host_key(conn, *ALICE, "ssh-ed25519 ONE", **at)
        for owner, key, where in (
            (("bob", ALICE[1]), "ssh-ed25519 TWO", at),
            (ALICE, "ssh-ed25519 TWO", {**at, "port": 2222}),
            (ALICE, "ssh-ed25519 TWO", {**at, "host": "10.0.0.1"}),
            (ALICE, "ssh-ed25519 ONE", at),
        ):
            routers_db.keep_presented_host_key(conn, *owner, key, **where)
            assert routers_db.get_router(conn, *ALICE).presented_host_key is None  # type: ignore[union-attr]
        routers_db.keep_presented_host_key(conn, *ALICE, "ssh-ed25519 TWO", **at)
        assert routers_db.get_router(conn, *ALICE).presented_host_key == "ssh-ed25519 TWO"  # type: ignore[union-attr]
        assert not routers_db.accept_host_key(conn, "bob", ALICE[1], "ssh-ed25519 TWO")
        assert not routers_db.accept_host_key(conn, *ALICE, "ssh-ed25519 THREE")
        assert routers_db.accept_host_key(conn, *ALICE, "ssh-ed25519 TWO")
        router = routers_db.get_router(conn, *ALICE)
        assert router is not None
        assert (router.host_key, router.presented_host_key) == ("ssh-ed25519 TWO", None)


def test_failures_are_forgotten_where_they_are_of_the_kind_that_is_over(database: Database) -> None:
    later = AT + MINUTE
    with database.transaction() as conn:
        add_router(conn, ALICE)
        assert not routers_db.forget_failures(conn, *ALICE, codes=["GONE"], next_collect_at=later)
        routers_db.record_failure(conn, *ALICE, at=AT, code="GONE", message="x", failures=1, next_collect_at=AT)
        assert not routers_db.forget_failures(conn, *ALICE, codes=["OTHER"], next_collect_at=later)
        assert not routers_db.forget_failures(conn, "bob", ALICE[1], codes=["GONE"], next_collect_at=later)
        assert routers_db.forget_failures(conn, *ALICE, codes=["OTHER", "GONE"], next_collect_at=later)
        router = routers_db.get_router(conn, *ALICE)
        assert router is not None
        assert (router.consecutive_failures, router.next_collect_at) == (0, later)


def test_deleting_a_router_takes_along_what_hangs_on_it(database: Database) -> None:
    with database.transaction() as conn:
        for owner in (ALICE, BOB):
            add_router(conn, owner)
            readings_db.upsert_last_reading(conn, *owner, reading_at(AT))
            readings_db.insert_coverage(conn, *owner, start=AT, end=AT)
            sighting = DeviceSighting(mac=MAC, hostname=None, ips="", is_router=False, is_active=True)
            device_usage_db.update_device_metadata(conn, *owner, [sighting], at=AT, previous_at=None)
        assert routers_db.delete_router(conn, *ALICE) is True
        assert routers_db.delete_router(conn, *ALICE) is False
        assert readings_db.get_last_reading(conn, *ALICE) is None
        assert devices_db.list_all_devices(conn, *ALICE) == []
        assert readings_db.get_last_reading(conn, *BOB) is not None
        assert len(devices_db.list_all_devices(conn, *BOB)) == 1


# --- the schedule ----------------------------------------------------------------------------------------


def test_success_and_failure_are_recorded(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        for number in (1, 2):
            failure = {"at": AT, "code": "CODE", "message": "said", "next_collect_at": AT + MINUTE}
            routers_db.record_failure(conn, *ALICE, **failure, failures=number)
            failed = routers_db.get_router(conn, *ALICE)
            assert failed is not None
            assert (failed.consecutive_failures, failed.last_error_code, failed.last_error_at) == (number, "CODE", AT)
        later = AT + MINUTE
        success = {"at": later, "next_collect_at": later + MINUTE}
        routers_db.record_success(conn, *ALICE, **success, timezone="Asia/Tokyo")
        router = routers_db.get_router(conn, *ALICE)
        assert router is not None
        assert (router.consecutive_failures, router.last_success_at, router.last_attempt_at) == (0, later, later)
        assert (router.next_collect_at, router.timezone) == (later + MINUTE, "Asia/Tokyo")
        assert router.last_error_code == "CODE"
        routers_db.record_success(conn, *ALICE, **success, timezone="UTC")
        assert routers_db.get_router(conn, *ALICE).timezone == "Asia/Tokyo"  # type: ignore[union-attr]
