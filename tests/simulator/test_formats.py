"""What the simulated `nlbw` prints is, byte for byte, what a real one printed for the same rows."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.nlbwmon import load_rows
from simulator.router import SimulatedRouter

FIXTURES = Path(__file__).parent.parent / "fixtures"


def captured(name: str) -> str:
    return (FIXTURES / name).read_text()


def load(router: SimulatedRouter, name: str) -> None:
    rows = list(load_rows(json.loads(captured(name))).items())
    router.load(dict(reversed(rows)))  # the order that rows came in must not matter


@pytest.mark.parametrize(
    "name",
    ["live-dual-stack.json", "odd-rows.json", "empty.json", "home-2026-10-01.json", "office-250-devices.json"],
)
def test_json_is_byte_for_byte_the_captured_one(router: SimulatedRouter, name: str) -> None:
    load(router, name)

    assert router.run("nlbw -c json").stdout.decode() == captured(name).rstrip("\n")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("nlbw -c csv", "live-dual-stack.csv"),
        ("nlbw -c show", "show.txt"),
        ("nlbw -c json -g mac", "by-mac.json"),
        ("nlbw -c csv -g mac -q", "by-mac.csv"),
    ],
)
def test_other_formats_are_byte_for_byte_the_captured_ones(router: SimulatedRouter, line: str, name: str) -> None:
    load(router, "live-dual-stack.json")

    assert router.run(line).stdout.decode().rstrip("\n") == captured(name).rstrip("\n")


def test_an_archived_month_is_byte_for_byte_the_captured_one(clock: ManualClock) -> None:
    clock.set(datetime(2026, 10, 30, tzinfo=UTC))
    router = empty_router(clock)
    load(router, "home-2026-10-01.json")
    clock.advance(timedelta(days=5))

    assert router.run("nlbw -c json -t 2026-10-01").stdout.decode() == captured("home-2026-10-01.json").rstrip("\n")
    assert router.run("nlbw -c json").stdout.decode() == captured("empty.json").rstrip("\n")


def test_the_list_is_byte_for_byte_the_captured_one(clock: ManualClock) -> None:
    clock.set(datetime(2026, 5, 3, tzinfo=UTC))
    router = empty_router(clock)
    clock.set(datetime(2026, 11, 3, tzinfo=UTC))

    assert router.run("nlbw -c list").stdout.decode() == captured("list.txt")


def test_columns_follow_the_grouping(router: SimulatedRouter) -> None:
    router.traffic("02:00:00:00:00:01", rx=5, tx=1)
    router.traffic("02:00:00:00:00:01", rx=7, tx=2, port=80)

    assert router.nlbw("-g", "family,layer7")["columns"][:3] == ["family", "proto", "port"]
    assert router.nlbw("-g", "host")["data"] == [["02:00:00:00:00:01", "192.168.1.100", 2, 12, 2, 3, 2]]


def test_an_order_can_be_asked_for(router: SimulatedRouter) -> None:
    for number, rx in ((1, 5), (2, 9), (3, 7)):
        router.traffic(f"02:00:00:00:00:0{number}", rx=rx)

    assert [row[1] for row in router.nlbw("-g", "mac", "-o", "rx_bytes")["data"]] == [1, 1, 1]
    assert [row[2] for row in router.nlbw("-g", "mac", "-o", "rx_bytes")["data"]] == [5, 7, 9]
    assert [row[0][-1] for row in router.nlbw("-g", "mac", "-o", "-mac", "-n")["data"]] == ["3", "2", "1"]


def test_an_unknown_port_is_counted_as_ip_port_0_without_a_layer7(router: SimulatedRouter) -> None:
    router.traffic("02:00:00:00:00:01", rx=10, proto="UDP", port=50_000)

    assert router.nlbw()["data"] == [[4, "IP", 0, "02:00:00:00:00:01", "192.168.1.100", 1, 10, 1, 0, 0, None]]


@pytest.mark.parametrize(
    ("line", "stderr", "status"),
    [
        ("nlbw -c json -t 2025-01-01", "Error while processing command: No data available\n", 195),
        ("nlbw -c json -t foo", "Unrecognized date 'foo'\n", 1),
        ("nlbw -c nonsense", "Unrecognized command 'nonsense'\n", 1),
        ("nlbw", "No command specified\n", 1),
        ("nlbw -c json -g nonsense", "Unrecognized field 'nonsense'\n", 1),
        ("nlbw -c json -o -nonsense", "Unrecognized field '-nonsense'\n", 1),
        ("nlbw -x", "nlbw: unrecognized option: x\nNo command specified\n", 1),
        ("nlbw -c", "nlbw: option requires an argument: c\nNo command specified\n", 1),
    ],
)
def test_errors_have_their_exact_text_and_status(router: SimulatedRouter, line: str, stderr: str, status: int) -> None:
    result = router.run(line)

    assert (result.stdout, result.stderr.decode(), result.status) == (b"", stderr, status)


def test_options_that_it_does_not_know_are_said_and_left_out(router: SimulatedRouter) -> None:
    """`-t` without a date shows the running period, with success."""
    result = router.run("nlbw -c json -x -t")

    assert result.stdout == router.run("nlbw -c json").stdout
    assert result.stderr == b"nlbw: unrecognized option: x\nnlbw: option requires an argument: t\n"
    assert result.status == 0


def test_a_stopped_daemon_answers_247(router: SimulatedRouter) -> None:
    router.stop()

    result = router.run("nlbw -c json")
    assert (result.stderr, result.status) == (b"Error while processing command: Bad file descriptor\n", 247)
    assert router.run("pidof nlbwmon").status == 1


def test_without_nlbwmon_the_shell_answers_127(router: SimulatedRouter) -> None:
    router.missing = {"nlbw"}

    result = router.run("nlbw -c json")
    assert (result.stderr, result.status) == (b"ash: nlbw: not found\n", 127)
    assert router.run("command -v nlbw || echo none").stdout == b"none\n"
    assert router.run("uci -q show nlbwmon").status == 1
