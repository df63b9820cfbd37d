"""The daemon dies within seconds of a rollover: its copy in RAM has the old period's rows up to the next refresh."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.homes import LAPTOP, PHONE
from tests.life.interruptions import MortalDatabase, without_waiting
from tests.life.operations import MINUTE, SECOND
from tests.life.watched_home import HomePlan, Tally, WatchedHome

MoveIn = Callable[..., WatchedHome]


@pytest.fixture
def move_in(database_url: str) -> Iterator[MoveIn]:
    """A home that was read in November, and whose daemon has just begun December. Its traffic since the reading is on
    the ports given.
    """
    database = MortalDatabase(database_url)

    def lived_in(*ports: int) -> WatchedHome:
        home = WatchedHome(database, HomePlan(start=datetime(2031, 11, 30, 20, tzinfo=UTC)), Tally())
        for port in (443, 53):
            home.router.traffic(PHONE, rx=700_000_000, tx=3_000, port=port, proto="UDP")
        home.wait(MINUTE)
        assert home.read()
        home.reach(datetime(2031, 11, 30, 22, 59, 50, tzinfo=UTC))
        for port in ports:
            home.router.traffic(PHONE, rx=2_500_000, tx=1_000, port=port, proto="UDP")
        home.wait(15 * SECOND)
        home.router.traffic(LAPTOP, rx=500, tx=100)
        home.wait(SECOND)
        return home

    with without_waiting():
        yield lived_in
    database.close()


def _live_on(home: WatchedHome) -> None:
    for _ in range(2):
        home.wait(10 * MINUTE)
        home.router.traffic(PHONE, rx=1_000_000, tx=100, proto="UDP")
        home.wait(SECOND)
        assert home.read()


def test_a_table_with_a_row_that_is_just_as_it_was_read_is_known_again(move_in: MoveIn) -> None:
    home = move_in(443)

    home.router.crash()

    _live_on(home)


def test_a_table_whose_rows_have_all_moved_is_not_counted_twice(move_in: MoveIn) -> None:
    home = move_in(443, 53)

    home.router.crash()

    _live_on(home)


def test_after_a_reading_of_the_new_period_the_old_ones_rows_are_not_counted_twice(move_in: MoveIn) -> None:
    """Seen on a real daemon: 1,411,001,500 bytes down were counted, 6,001,500 had been used."""
    home = move_in(443)
    assert home.read()

    home.router.crash()

    _live_on(home)
