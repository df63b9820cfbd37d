"""What the daemon keeps, loses and forgets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter

MAC = "02:11:22:33:44:01"


def rx(router: SimulatedRouter, *arguments: str) -> int:
    return sum(row[6] for row in router.nlbw(*arguments)["data"])


def period_after(start: datetime, zone: str, **options: Any) -> str:
    """Name of the running period, as its first commit shows it."""
    router = empty_router(ManualClock(start), zone=zone, **options)
    router.commit()
    return router.run("nlbw -c list").stdout.decode().split()[0]


@pytest.mark.parametrize(
    ("interval", "moment", "name"),
    [
        ("1", "2026-10-31T22:59:59+00:00", "2026-10-01"),
        ("1", "2026-10-31T23:00:00+00:00", "2026-11-01"),  # midnight in Berlin, winter time
        ("1", "2026-09-30T22:00:00+00:00", "2026-10-01"),  # and in summer time
        ("15", "2026-01-14T12:00:00+00:00", "2025-12-15"),
        ("31", "2026-03-31T12:00:00+00:00", "2026-03-31"),
        ("31", "2026-03-15T12:00:00+00:00", "2026-02-31"),  # upstream's own name for it
        ("31", "2026-02-28T12:00:00+00:00", "2026-01-31"),
        ("0", "2026-02-28T12:00:00+00:00", "2026-02-28"),
        ("2026-10-01/7", "2026-09-30T00:00:00+00:00", "2026-09-30"),
        ("2026-10-01/7", "2026-10-06T23:59:59+00:00", "2026-09-30"),
        ("2026-10-01/7", "2026-10-07T00:00:00+00:00", "2026-10-07"),
        ("2026-10-01/1", "2026-11-10T12:00:00+00:00", "2026-11-10"),
    ],
)
def test_periods_have_upstreams_names(interval: str, moment: str, name: str) -> None:
    start = datetime.fromisoformat(moment)

    assert period_after(start, "Europe/Berlin", database_interval=interval) == name


def test_west_of_greenwich_a_fixed_period_is_named_by_the_day_before() -> None:
    start = datetime(2026, 10, 1, 1, tzinfo=UTC)

    assert period_after(start, "America/New_York", database_interval="2026-10-01/7") == "2026-09-30"


@settings(max_examples=40)
@given(
    st.sampled_from(["1", "2", "28", "30", "31", "0", "-3", "2026-01-05/7", "2026-03-01/30", "2026-06-30/1"]),
    st.integers(0, 4 * 366 * 86_400).map(lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_the_next_start_is_the_first_moment_with_another_name(interval: str, moment: datetime, zone: str) -> None:
    daemon = empty_router(ManualClock(moment), zone=zone, database_interval=interval).daemon
    at = int(moment.timestamp())
    following = daemon.interval.next_start(at, daemon.zone)

    name = daemon.interval.name(at, daemon.zone)
    assert daemon.interval.name(following - 1, daemon.zone) == name
    assert daemon.interval.name(following, daemon.zone) != name


def test_a_rollover_archives_the_old_period_and_starts_at_zero(clock: ManualClock) -> None:
    clock.set(datetime(2026, 10, 31, 22, 0, tzinfo=UTC))
    router = empty_router(clock)
    router.traffic(MAC, rx=1_000)
    clock.advance(timedelta(hours=1))

    assert rx(router) == 0
    assert rx(router, "-t", "2026-10-01") == 1_000
    assert router.run("nlbw -c json -t 2026-11-01").status == 195


def test_the_list_is_empty_from_a_rollover_to_the_next_commit(clock: ManualClock) -> None:
    clock.set(datetime(2026, 10, 30, 12, 0, tzinfo=UTC))
    router = empty_router(clock)
    clock.set(datetime(2026, 11, 1, 1, 0, tzinfo=UTC))
    assert router.run("nlbw -c list").stdout == b""

    clock.set(datetime(2026, 11, 1, 13, 0, tzinfo=UTC))
    assert router.run("nlbw -c list").stdout == b"2026-11-01\n2026-10-01\n"


def test_only_so_many_generations_are_kept(clock: ManualClock) -> None:
    clock.set(datetime(2026, 1, 2, tzinfo=UTC))
    router = empty_router(clock, database_generations=3)
    clock.set(datetime(2026, 11, 3, tzinfo=UTC))

    assert router.run("nlbw -c list").stdout == b"2026-11-01\n2026-10-01\n2026-09-01\n"


def test_it_commits_every_day_by_itself_and_serves_the_file_not_the_live_rows(
    router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(MAC, rx=100)
    assert router.run("nlbw -c json -t 2026-11-01").status == 195

    clock.advance(timedelta(hours=24))
    router.traffic(MAC, rx=11)
    assert (rx(router, "-t", "2026-11-01"), rx(router)) == (100, 111)


def test_a_power_loss_goes_back_to_the_last_commit(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=11_014_487)
    assert router.run("nlbw -c commit").stdout == b"0 ok\n"
    clock.advance(timedelta(hours=1))
    router.traffic(MAC, rx=21_031_029 - 11_014_487)
    assert rx(router) == 21_031_029

    boot = router.run("cat /proc/sys/kernel/random/boot_id").stdout
    router.power_loss()

    assert rx(router) == 11_014_487
    assert router.run("cat /proc/sys/kernel/random/boot_id").stdout != boot
    assert router.run("cat /proc/uptime").stdout.startswith(b"0.00 ")


def test_a_power_loss_with_the_database_in_ram_leaves_nothing(clock: ManualClock) -> None:
    router = empty_router(clock, database_directory="/var/lib/nlbwmon")
    router.traffic(MAC, rx=100)
    router.commit()

    router.power_loss()

    assert router.nlbw()["data"] == []
    assert router.run("nlbw -c json -t 2026-11-01").status == 195


def test_a_clean_reboot_keeps_everything_on_flash(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=100)
    clock.advance(timedelta(minutes=5))
    router.reboot()

    assert rx(router) == 100
    assert router.uptime() == timedelta(0)


def test_a_crash_goes_back_at_most_one_refresh(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=100)
    clock.advance(timedelta(seconds=40))  # the copy of second 30 has it
    router.traffic(MAC, rx=23)
    process = router.run("pidof nlbwmon").stdout
    router.crash()

    assert rx(router) == 100
    assert router.run("pidof nlbwmon").stdout != process
    assert router.uptime() == timedelta(seconds=40)


@pytest.mark.parametrize(("seconds", "back"), [(2, 700_000_000), (5, 1)])
def test_until_the_refresh_after_a_rollover_the_copy_in_ram_has_the_old_periods_rows(
    clock: ManualClock, seconds: int, back: int
) -> None:
    """Seen on a real daemon: killed just after a rollover, it came back with all of November as December's rows."""
    clock.set(datetime(2026, 11, 30, 22, 59, 40, tzinfo=UTC))
    router = empty_router(clock, refresh_interval=8)  # at 22:59:56 and 23:00:04
    router.traffic(MAC, rx=700_000_000)
    clock.set(datetime(2026, 11, 30, 23, 0, 1, tzinfo=UTC))
    router.traffic(MAC, rx=1)
    clock.set(datetime(2026, 11, 30, 23, 0, seconds, tzinfo=UTC))
    assert rx(router) == 1

    router.crash()

    assert rx(router) == back
    assert rx(router, "-t", "2026-11-01") == 700_000_000


def test_a_start_begins_anew_at_the_front_of_a_table_that_is_overwritten(clock: ManualClock) -> None:
    """The front has the newest rows then, and they are the next to go."""
    router = empty_router(clock, database_limit=3)
    for number in range(1, 5):
        router.traffic(f"02:00:00:00:00:0{number}", rx=number)
    router.stop()
    router.start()

    router.traffic("02:00:00:00:00:05", rx=5)

    assert [row[0][-1] for row in router.nlbw("-g", "mac")["data"]] == ["5", "3", "2"]


def test_of_a_file_with_more_rows_than_the_limit_the_first_are_taken_up(clock: ManualClock) -> None:
    router = empty_router(clock, database_limit=3)
    for number in range(1, 4):
        router.traffic(f"02:00:00:00:00:0{number}", rx=number)
    clock.advance(timedelta(minutes=1))
    router.advance()
    router.daemon.settings = replace(router.daemon.settings, database_limit=2)

    router.crash()

    assert [row[0][-1] for row in router.nlbw("-g", "mac")["data"]] == ["2", "1"]


def test_a_table_that_began_at_zero_is_added_to_a_file_that_it_finds_and_never_overwrites_it(
    router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(MAC, rx=1_000_000)
    router.commit()
    router.set_router_time(datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC))
    router.power_loss()
    router.traffic(MAC, rx=5_000)
    router.daemon.period = "2026-11-01"  # the clock is right, and no rollover was due yet
    router.clock_offset = timedelta(0)

    refused = router.run("nlbw -c commit")
    assert (refused.stdout, refused.stderr, refused.status) == (
        b"17 File exists\n",
        b"Error while processing command: File exists\n",
        239,
    )
    assert (rx(router), rx(router, "-t", "2026-11-01")) == (5_000, 1_000_000)

    router.stop()
    router.start()
    assert (rx(router), rx(router, "-t", "2026-11-01")) == (1_005_000, 1_005_000)
    assert router.run("nlbw -c commit").stdout == b"0 ok\n"


def test_stopping_saves_everything_and_what_flows_meanwhile_is_not_counted(
    router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(MAC, rx=100)
    router.stop()
    router.traffic(MAC, rx=7)
    clock.advance(timedelta(minutes=1))
    router.start()

    assert rx(router) == 100
    assert router.ledger.total().rx == 107
    assert router.ledger.uncounted(MAC).rx == 7


def test_offloaded_traffic_freezes_the_counters(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=100)
    router.counting = False
    router.traffic(MAC, rx=7)

    assert rx(router) == 100
    assert (router.ledger.total().rx, router.ledger.uncounted().rx) == (107, 7)


def test_at_its_limit_it_overwrites_the_oldest_rows(clock: ManualClock) -> None:
    router = empty_router(clock, database_limit=3)
    for number in range(1, 5):
        router.traffic(f"02:00:00:00:00:0{number}", rx=number)
    assert [row[0][-1] for row in router.nlbw("-g", "mac")["data"]] == ["4", "3", "2"]

    router.traffic("02:00:00:00:00:01", rx=50)  # back, from zero
    assert [row[2] for row in router.nlbw("-g", "mac")["data"]] == [50, 4, 3]


def test_counters_stay_within_64_bits(router: SimulatedRouter) -> None:
    router.traffic(MAC, rx=2**64 - 1)
    router.traffic(MAC, rx=5)

    assert rx(router) == 4


def test_the_router_can_believe_that_it_is_1970(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=100)
    router.commit()
    router.set_router_time(datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC))
    router.power_loss()
    assert router.run("date +%Y-%m-%d; date +%s").stdout == b"1970-01-01\n20\n"
    assert router.nlbw()["data"] == []

    router.clock_offset = timedelta(0)
    assert router.run("date +%s").stdout.decode().strip() == str(int(clock.now().timestamp()))
    assert rx(router, "-t", "2026-11-01") == 100


def test_a_clock_that_goes_back_breaks_nothing(router: SimulatedRouter, clock: ManualClock) -> None:
    router.traffic(MAC, rx=100)
    clock.advance(timedelta(days=-40))
    router.traffic(MAC, rx=1)
    router.crash()
    router.power_loss()
    router.reboot()
    router.clock_offset = timedelta(days=-4_000)
    clock.advance(timedelta(days=80))

    assert router.run("nlbw -c json; nlbw -c list; date; cat /proc/uptime").status == 0


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 4_000)), max_size=30))
def test_counters_of_all_periods_add_up_to_the_ledger(steps: list[tuple[int, int, int]]) -> None:
    clock = ManualClock(datetime(2026, 10, 25, tzinfo=UTC))
    router = empty_router(clock, database_interval="2026-10-01/2", database_generations=0)
    for down, up, minutes in steps:
        router.traffic(MAC, rx=down, tx=up)
        clock.advance(timedelta(minutes=minutes))
    router.advance()

    counted = dict(router.daemon.files)
    counted[router.daemon.period] = router.daemon.rows
    total = [sum(row[at] for rows in counted.values() for row in rows.values()) for at in (1, 3)]
    assert total == [router.ledger.total().rx, router.ledger.total().tx]
    assert router.ledger.between(datetime(2026, 10, 1, tzinfo=UTC), clock.now()).get(MAC, router.ledger.total(MAC)) == (
        router.ledger.total()
    )
