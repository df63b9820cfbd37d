"""The lifelike home: the same for everyone who asks, and no byte without its entry in the ledger."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.clock import ManualClock
from simulator.home import office, office_traffic, typical_home
from simulator.router import SimulatedRouter

START = datetime(2026, 10, 29, 7, 3, 11, tzinfo=UTC)


def home(clock: ManualClock, seed: int = 1) -> SimulatedRouter:
    return typical_home(start=START, clock=clock, seed=seed)


@settings(max_examples=6)
@given(st.lists(st.integers(1, 6 * 3_600 * 1_000), min_size=1, max_size=25))
def test_counters_do_not_depend_on_the_steps_in_between(steps: list[int]) -> None:
    clock = ManualClock(START)
    stepped = home(clock)
    for step in steps:
        clock.advance(timedelta(milliseconds=step * 10))
        stepped.advance()

    leap = home(ManualClock(clock.now()))
    leap.advance()
    assert leap.daemon.rows == stepped.daemon.rows
    assert list(leap.daemon.rows) == list(stepped.daemon.rows)
    assert leap.daemon.files == stepped.daemon.files
    assert leap.ledger.hours() == stepped.ledger.hours()


def test_another_seed_is_another_home() -> None:
    clock = ManualClock(START + timedelta(days=1))

    assert home(clock).rows() != home(clock, seed=2).rows()


def test_nothing_is_lost_between_ledger_and_counters() -> None:
    router = home(ManualClock(START + timedelta(days=9)))
    router.advance()

    tables = [router.daemon.rows, router.daemon.files["2026-10-01"]]
    for mac, usage in router.ledger.totals().items():
        mine = [row for table in tables for key, row in table.items() if key[3] == mac]
        assert (sum(row[1] for row in mine), sum(row[3] for row in mine)) == (usage.rx, usage.tx)


def test_a_live_view_moves_every_second() -> None:
    clock = ManualClock(datetime(2026, 10, 30, 19, 30, tzinfo=UTC))
    router = home(clock)
    seen = set()
    for _ in range(20):
        seen.add(sum(row[1] for row in router.rows().values()))
        clock.advance(timedelta(seconds=1))

    assert len(seen) == 20


def test_it_lives_fourteen_devices_with_names_and_neighbours() -> None:
    router = home(ManualClock(START + timedelta(days=12)))

    assert len(router.ledger.totals()) == 0
    leases = router.run("cat /tmp/dhcp.leases").stdout.decode()
    assert len(router.ledger.totals()) == 14
    assert "Pixel-von-Jürgen" in leases
    assert " * " in leases
    neighbours = router.run("ip neigh show").stdout.decode()
    assert "192.168.1.111 dev br-lan lladdr ec:71:db:13:f2:a8 REACHABLE\n" in neighbours
    assert "00:00:00:00:00:00" not in neighbours + leases


def test_a_phone_that_left_the_house_no_longer_answers() -> None:
    clock = ManualClock(START)
    router = home(clock)
    states = set()
    for _ in range(48):
        clock.advance(timedelta(minutes=30))
        line = next(
            (
                line
                for line in router.run("ip neigh show").stdout.decode().splitlines()
                if line.startswith("192.168.1.102 ")
            ),
            "gone",
        )
        states.add(line.split()[-1])

    assert {"REACHABLE", "STALE", "FAILED"} <= states


def test_ipv6_privacy_addresses_change_every_day() -> None:
    router = home(ManualClock(START + timedelta(days=2, hours=12)))
    addresses = {key[4] for key in router.rows() if key[3] == "ac:bc:32:8e:51:72" and key[0] == 6}
    addresses |= {key[4] for key in router.daemon.files["2026-10-01"] if key[3] == "ac:bc:32:8e:51:72" and key[0] == 6}

    assert len(addresses) >= 3


def test_lifelike_hours_can_be_summed_but_not_cut() -> None:
    router = home(ManualClock(START + timedelta(days=1)))
    router.advance()
    first = START.replace(minute=0, second=0)

    assert router.ledger.between(first, first + timedelta(days=2)) == router.ledger.totals()
    with pytest.raises(ValueError):
        router.ledger.between(first, first + timedelta(hours=3, minutes=30))


def test_the_ledger_can_be_left_out() -> None:
    router = typical_home(start=START, clock=ManualClock(START + timedelta(hours=1)), ledger=False)
    router.advance()

    assert router.ledger is None
    assert router.daemon.rows


def test_five_weeks_are_caught_up_in_seconds() -> None:
    router = home(ManualClock(START + timedelta(days=35)))
    started = time.process_time()
    router.advance()

    assert time.process_time() - started < 4


def test_an_office_has_thousands_of_rows_that_grow(clock: ManualClock) -> None:
    router = office(clock, devices=250)
    before = sum(row[1] for row in router.rows().values())
    office_traffic(router, step=1)

    assert len(router.rows()) > 4_000
    assert len({key[3] for key in router.rows()}) == 250
    assert sum(row[1] for row in router.rows().values()) - before == router.ledger.total().rx


def test_scripted_traffic_is_known_to_the_second(router: SimulatedRouter, clock: ManualClock) -> None:
    mac = "02:00:00:00:00:01"
    start = clock.now()
    for rx in (1, 2, 4, 8):
        router.traffic(mac, rx=rx)
        clock.advance(timedelta(minutes=25))

    assert router.ledger.between(start, start + timedelta(minutes=50))[mac].rx == 3
    assert router.ledger.between(start + timedelta(seconds=1), start + timedelta(hours=2))[mac].rx == 14
    assert router.ledger.between(start, start + timedelta(minutes=75, microseconds=1))[mac].rx == 15
