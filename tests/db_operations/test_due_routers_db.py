"""Which routers a process gets, on a real PostgreSQL: each once, and no account all of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from db_operations.database import Database
from db_operations.due_routers_db import claim_due_routers
from tests.db_operations.usage_rows import ALICE, AT, BOB, add_router, due_at

MINUTE = timedelta(minutes=1)


def test_due_routers_are_claimed_once_until_the_claim_runs_out(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
    due_at(database, ALICE[1], AT)
    due_at(database, BOB[1], AT + MINUTE)

    def claim(now: datetime) -> list[str]:
        with database.transaction() as conn:
            found = claim_due_routers(conn, now=now, claim_for=3 * MINUTE, limit=10)
            return sorted(router.id for router in found)

    assert claim(AT - timedelta(microseconds=1)) == []
    assert claim(AT) == [ALICE[1]]
    assert claim(AT) == []
    assert claim(AT + MINUTE) == [BOB[1]]
    assert claim(AT + 3 * MINUTE) == [ALICE[1]]


def test_those_that_answered_come_before_those_that_failed(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
        add_router(conn, BOB)
    due_at(database, ALICE[1], AT - MINUTE, failures=3)
    due_at(database, BOB[1], AT)
    with database.transaction() as conn:
        claimed = claim_due_routers(conn, now=AT, claim_for=MINUTE, limit=1)
        assert [router.id for router in claimed] == [BOB[1]]


@pytest.mark.parametrize(
    ("limit", "failing_limit", "claimed"),
    [(10, None, (3, 5)), (10, 2, (3, 2)), (4, 3, (3, 1)), (3, 3, (3, 0)), (2, 0, (2, 0)), (10, 0, (3, 0))],
)
def test_those_that_failed_get_no_more_places_than_are_theirs(
    database: Database, limit: int, failing_limit: int | None, claimed: tuple[int, int]
) -> None:
    with database.transaction() as conn:
        for number in range(8):
            add_router(conn, ("alice", f"r{number}"), port=number + 1)
    for number in range(8):
        due_at(database, f"r{number}", AT, failures=max(0, number - 2))
    with database.transaction() as conn:
        found = claim_due_routers(conn, now=AT, claim_for=MINUTE, limit=limit, failing_limit=failing_limit)
    failing = sum(router.consecutive_failures > 0 for router in found)
    assert (len(found) - failing, failing) == claimed


def test_many_processes_share_the_due_routers_without_taking_one_twice(database: Database) -> None:
    with database.transaction() as conn:
        for number in range(40):
            add_router(conn, ("alice", f"r{number:02}"), port=number + 1)

    def claim(_number: int) -> list[str]:
        with database.transaction() as conn:
            claimed = claim_due_routers(conn, now=AT, claim_for=MINUTE, limit=7)
            return [router.id for router in claimed]

    with ThreadPoolExecutor(8) as pool:
        claimed = [router for batch in pool.map(claim, range(8)) for router in batch]
    assert len(claimed) == len(set(claimed))
    assert len(claimed) + len(claim(0)) == 40


# --- one account among others ----------------------------------------------------------------------------


def claimed_accounts(database: Database, **options: object) -> list[str]:
    values: dict[str, object] = {"now": AT, "claim_for": MINUTE, "limit": 100, "account_limit": 2}
    with database.transaction() as conn:
        found = claim_due_routers(conn, **(values | options))  # type: ignore[arg-type]
    return sorted(router.session_id for router in found)


def add_many(database: Database, session_id: str, count: int, *, failing: int = 0) -> list[str]:
    names = [f"{session_id}{number}" for number in range(count)]
    for number, name in enumerate(names):
        with database.transaction() as conn:
            add_router(conn, (session_id, name), port=number + 1)
        due_at(database, name, AT - MINUTE, failures=1 if number < failing else 0)
    return names


def test_one_account_gets_no_more_than_its_share_while_there_are_others(database: Database) -> None:
    add_many(database, "alice", 6)
    with database.transaction() as conn:
        add_router(conn, BOB)
    due_at(database, BOB[1], AT)
    assert claimed_accounts(database) == ["alice", "alice", "bob"]


def test_what_it_holds_already_counts_and_is_not_claimed_again(database: Database) -> None:
    names = add_many(database, "alice", 6)
    add_many(database, "bob", 1)
    assert claimed_accounts(database, busy=names[:1]) == ["alice", "bob"]
    assert claimed_accounts(database, busy=names[:2]) == []
    due_at(database, names[0], AT)
    assert claimed_accounts(database, busy=names[:1], account_limit=100) == ["alice"] * 4


def test_an_account_that_is_alone_gets_all(database: Database) -> None:
    add_many(database, "alice", 6)
    assert claimed_accounts(database) == ["alice"] * 6


def test_failing_routers_get_half_of_an_accounts_share(database: Database) -> None:
    names = add_many(database, "alice", 6, failing=6)
    add_many(database, "bob", 1)
    assert claimed_accounts(database, account_limit=4) == ["alice", "alice", "bob"]
    assert claimed_accounts(database, account_limit=4, busy=names[:2]) == []


def test_of_several_accounts_each_has_its_first_before_any_its_second(database: Database) -> None:
    add_many(database, "alice", 3)
    add_many(database, "bob", 3)
    assert claimed_accounts(database, limit=2, account_limit=3) == ["alice", "bob"]


def test_a_router_that_was_put_off_by_a_wrong_clock_is_due(database: Database) -> None:
    with database.transaction() as conn:
        add_router(conn, ALICE)
    due_at(database, ALICE[1], AT + timedelta(days=365))
    assert claimed_accounts(database, longest_wait=timedelta(days=366)) == []
    assert claimed_accounts(database, longest_wait=timedelta(hours=5)) == ["alice"]
    assert claimed_accounts(database, longest_wait=timedelta(hours=5)) == [], "it is claimed"
