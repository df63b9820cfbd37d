"""What uci prints of a router's settings: options, lists, flags, numbers and intervals."""

import pytest

from utils.router_parser import (
    parse_interval,
    parse_number,
    parse_uci_flag,
    parse_uci_list,
    parse_uci_section,
)


def test_a_section_of_uci_has_its_options_without_quotes() -> None:
    text = (
        "nlbwmon.@nlbwmon[0]=nlbwmon\n"
        "nlbwmon.@nlbwmon[0].database_interval='2026-11-01/7'\n"
        "nlbwmon.@nlbwmon[0].commit_interval=24h\n"
        "nlbwmon.@nlbwmon[0].local_network='192.168.0.0/16' 'fd00::/8'\n"
        "nlbwmon.other.database_interval='9'\n"
    )

    options = parse_uci_section(text, "nlbwmon.@nlbwmon[0]")

    assert options["database_interval"] == "2026-11-01/7"
    assert options["commit_interval"] == "24h"
    assert set(options) == {"database_interval", "commit_interval", "local_network"}


@pytest.mark.parametrize("text", ["", "uci: Entry not found", "=", "nlbwmon.@nlbwmon[0]"])
def test_a_section_that_is_not_there_has_no_options(text: str) -> None:
    assert parse_uci_section(text, "nlbwmon.@nlbwmon[0]") == {}


def test_a_list_of_uci_has_its_entries_without_quotes() -> None:
    text = (
        "nlbwmon.@nlbwmon[0].protocol_database='/usr/share/nlbwmon/protocols'\n"
        "nlbwmon.@nlbwmon[0].local_network='192.168.0.0/16' 'fd00::/8' 'lan'\n"
        "nlbwmon.@nlbwmon[1].local_network='10.0.0.0/8'\n"
    )

    assert parse_uci_list(text, "nlbwmon.@nlbwmon[0]", "local_network") == ["192.168.0.0/16", "fd00::/8", "lan"]
    assert parse_uci_list(text, "nlbwmon.@nlbwmon[1]", "local_network") == ["10.0.0.0/8"]
    assert parse_uci_list(text, "nlbwmon.@nlbwmon[0]", "ignore") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1\n", True),
        ("0\n", False),
        ("on", True),
        ("off", False),
        ("true", True),
        ("false", False),
        ("yes", True),
        ("no", False),
        ("enabled", True),
        ("disabled", False),
        ("", None),
        ("2", None),
        ("uci: Entry not found", None),
        ("1\n1\n", None),
    ],
)
def test_a_flag_of_uci_is_on_or_off_or_unknown(text: str, value: bool | None) -> None:
    assert parse_uci_flag(text) is value


def test_a_number_is_a_whole_one() -> None:
    assert parse_number("212992\n") == 212_992
    assert parse_number("0") == 0
    assert parse_number("9" * 19) == 10**19 - 1


@pytest.mark.parametrize("text", ["", " ", "-1", "+1", "1.5", "1e3", "0x10", "1 2", "٣", "9" * 20, "9" * 10_000, "nan"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("24h", 86_400),
        ("1d", 86_400),
        ("1w", 604_800),
        ("90", 90),
        ("0", 0),
        (" 30s", 30),
        ("+30s", 30),
        ("24hours", 86_400),
        ("9" * 18 + "w", (10**18 - 1) * 604_800),
    ],
)
def test_an_interval_is_read_as_nlbwmon_reads_it(text: str, seconds: int) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "30 s", "30S", "30y", "1.5h", "-30s", "٣s", "9" * 19, "9" * 10_000 + "s"])
def test_what_nlbwmon_takes_for_no_interval_is_none(text: str) -> None:
    assert parse_interval(text) is None
