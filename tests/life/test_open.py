"""What the accounting is known to get wrong as yet, each as short as it gets. One that passes belongs elsewhere."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.homes import PHONE
from tests.life.interruptions import MortalDatabase, without_waiting
from tests.life.operations import DAY, EPOCH, MINUTE, SECOND
from tests.life.watched_home import HomePlan, Tally, WatchedHome

MoveIn = Callable[..., WatchedHome]


@pytest.fixture
def move_in(database_url: str) -> Iterator[MoveIn]:
    database = MortalDatabase(database_url)
    with without_waiting():
        yield lambda **plan: WatchedHome(database, HomePlan(**plan), Tally())
    database.close()


def test_what_was_counted_under_1970_and_never_read_is_shown(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 11, 9, tzinfo=UTC))
    home.wait(MINUTE)
    home.router._offset = (EPOCH - home.clock.now()) // timedelta(microseconds=1)
    home.router.doubt_clock()
    home.router.power_loss()
    home.wait(20 * SECOND)
    home.router.traffic(PHONE, rx=70, tx=7)
    home.wait(20 * SECOND)
    home.router.set_clock(timedelta(0))
    home.wait(5 * MINUTE)
    assert home.read()


def test_a_clock_set_back_over_a_periods_start_between_two_restarts_counts_nothing_twice(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2032, 4, 6, 0, 2, 10, tzinfo=UTC), interval="2031-10-01/7")
    home.wait(MINUTE)
    home.router.traffic(PHONE, rx=1_000, tx=1)
    home.wait(SECOND)
    home.router.reboot()
    home.wait(10 * SECOND)
    home.router.set_clock(-DAY)
    home.router.traffic(PHONE, rx=70, tx=7, port=80)
    home.wait(10 * SECOND)
    assert home.read()
    home.wait(10 * SECOND)
    home.router.reboot()
    home.wait(5 * MINUTE)
    assert home.read()


def test_another_zone_at_a_periods_start_counts_nothing_twice(move_in: MoveIn) -> None:
    home = move_in(start=datetime(2031, 11, 29, 21, tzinfo=UTC), zone="UTC", interval="31")
    home.reach(datetime(2031, 11, 30, 23, 59, 59, tzinfo=UTC))
    home.wait(SECOND)
    home.router.change_zone("America/New_York")
    home.wait(SECOND)
    home.router.traffic(PHONE, rx=5, tx=17)
    home.wait(10 * SECOND)
    home.read()
    home.wait(5 * MINUTE)
    home.router.change_zone("Europe/Berlin")
    home.wait(5 * MINUTE)
    assert home.read()
