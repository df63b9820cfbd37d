"""What a router's other commands print: nothing of it is trusted, none of it raises."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv6Network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from utils.mac import ZERO_MAC, is_canonical_mac
from utils.router_parser import (
    MAX_NAME_LENGTH,
    Board,
    Lease,
    clean_name,
    parse_board,
    parse_boot_id,
    parse_clock,
    parse_hardware_address,
    parse_interval,
    parse_ipv6_prefixes,
    parse_leases,
    parse_neighbours,
    parse_number,
    parse_uci_flag,
    parse_uci_list,
    parse_uci_section,
    parse_uptime,
)

MAC = "02:11:22:33:44:01"
BOOT_ID = "1c0ee2c1-1a6b-4c0e-9d6a-0d3d5f7f0a11"


def hostname_of(written: str) -> str | None:
    (lease,) = parse_leases(f"1793500000 {MAC} 192.168.1.101 {written} 01:{MAC}\n")
    return lease.hostname


# -- leases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\v", "\f", "\x1c", "\x85", "\u2028", "\r"])
def test_a_name_begins_no_line_of_its_own(end: str) -> None:
    text = f"0 {MAC} 192.168.1.101 tv{end}0 02:00:00:00:00:99 192.168.1.1 router 01:{MAC}\n"
    assert [(lease.mac, lease.ip) for lease in parse_leases(text)] == [(MAC, "192.168.1.101")]


def test_leases_are_read_line_by_line() -> None:
    text = (
        "1793500000 02:11:22:33:44:01 192.168.1.101 Annas-iPhone 01:02:11:22:33:44:01\n"
        "1793500001 02:11:22:33:44:02 192.168.1.102 * *\n"
    )

    assert parse_leases(text) == [
        Lease(mac="02:11:22:33:44:01", ip="192.168.1.101", hostname="Annas-iPhone"),
        Lease(mac="02:11:22:33:44:02", ip="192.168.1.102", hostname=None),
    ]


@pytest.mark.parametrize("name", ["Küche", "客厅电视", "📺", "<script>alert(1)</script>", "a';DROP", "=1+1", "-"])
def test_a_hostname_may_be_anything(name: str) -> None:
    assert hostname_of(name) == name


def test_a_lease_without_a_hostname_has_none() -> None:
    assert hostname_of("*") is None
    assert hostname_of("") is None


def test_a_hostname_is_cut_to_what_can_be_stored() -> None:
    assert hostname_of("x" * 5_000) == "x" * MAX_NAME_LENGTH
    assert hostname_of("a\0b") == "ab"
    assert hostname_of("a\udcffb") == "a?b"
    assert hostname_of("\0") is None


def test_a_lease_without_a_client_id_is_one() -> None:
    assert parse_leases(f"0 {MAC} 192.168.1.101 tv") == [Lease(mac=MAC, ip="192.168.1.101", hostname="tv")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "duid 00:03:00:01:02:11:22:33:44:55",
        "1793500000 31744 fd00:1::4f2 Annas-iPhone 00:01:00:01:2c",
        "1793500000 02:11:22:33:44 192.168.1.101 tv *",
        "1793500000 02:11:22:33:44:01 192.168.1.999 tv *",
        "1793500000 02:11:22:33:44:01 192.168.1.101",
        "1793500000  02:11:22:33:44:01 192.168.1.101 tv",
        f"1793500000 {ZERO_MAC} 192.168.1.101 tv *",
        "cat: can't open '/tmp/dhcp.leases': No such file or directory",
    ],
)
def test_a_line_that_is_no_lease_is_left_out_and_the_others_stay(line: str) -> None:
    good = f"1793500000 {MAC} 192.168.1.101 tv *"

    assert parse_leases(f"{line}\n{good}\n{line}\n") == [Lease(mac=MAC, ip="192.168.1.101", hostname="tv")]


# -- neighbours -----------------------------------------------------------------------------------------------


def test_a_neighbour_has_address_interface_mac_and_state() -> None:
    (found,) = parse_neighbours("192.168.1.101 dev br-lan lladdr 02:11:22:33:44:01 REACHABLE\n")

    assert (found.ip, found.interface, found.mac, found.is_reachable) == ("192.168.1.101", "br-lan", MAC, True)


@pytest.mark.parametrize(
    ("state", "is_reachable"),
    [
        ("REACHABLE", True),
        ("DELAY", True),
        ("PROBE", True),
        ("PERMANENT", False),
        ("STALE", False),
        ("FAILED", False),
        ("NOARP", False),
        ("", False),
    ],
)
def test_a_state_tells_whether_the_neighbour_answered(state: str, is_reachable: bool) -> None:
    (found,) = parse_neighbours(f"192.168.1.101 dev br-lan lladdr {MAC} {state}")

    assert found.is_reachable is is_reachable


@pytest.mark.parametrize(
    "line",
    [
        "192.168.1.150 dev br-lan FAILED",
        "192.168.1.150 dev br-lan  INCOMPLETE",
        "192.168.1.150 dev br-lan lladdr",
        "192.168.1.150 dev br-lan lladdr FAILED",
        f"192.168.1.150 dev br-lan lladdr {ZERO_MAC} NOARP",
        f"not-an-ip dev br-lan lladdr {MAC} STALE",
        f"lladdr {MAC}",
        "lladdr",
        "",
        "BusyBox v1.36.1 multi-call binary.",
    ],
)
def test_a_line_without_a_usable_mac_is_left_out(line: str) -> None:
    assert parse_neighbours(line) == []


def test_an_ipv6_neighbour_and_a_router_flag_are_read() -> None:
    (found,) = parse_neighbours(f"fe80::11:22ff:fe33:4401 dev br-lan lladdr {MAC} router STALE")

    assert (found.ip, found.mac, found.interface) == ("fe80::11:22ff:fe33:4401", MAC, "br-lan")


def test_a_neighbour_without_an_interface_is_behind_none() -> None:
    (found,) = parse_neighbours(f"192.168.1.101 lladdr {MAC} STALE")

    assert found.interface == ""


# -- board ----------------------------------------------------------------------------------------------------


def test_the_board_says_name_model_and_release() -> None:
    text = '{"hostname":"zuhause","model":"GL-MT6000","release":{"description":"OpenWrt 24.10.2"},"rootfs":"squashfs"}'

    assert parse_board(text) == Board(hostname="zuhause", model="GL-MT6000", release="OpenWrt 24.10.2")


@pytest.mark.parametrize(
    "text", ["", "ash: ubus: not found", "null", "[]", "7", '"x"', '{"hostname":', "[" * 100_000, "9" * 5_000]
)
def test_what_is_no_board_is_none(text: str) -> None:
    assert parse_board(text) is None


@pytest.mark.parametrize("text", ["{}", '{"hostname":7,"model":null,"release":[]}', '{"release":{"description":{}}}'])
def test_a_board_that_says_nothing_usable_is_blank(text: str) -> None:
    assert parse_board(text) == Board(hostname=None, model=None, release=None)


def test_a_boards_texts_can_be_stored() -> None:
    board = parse_board('{"hostname":"\\ud800\\u0000x","model":"' + "m" * 10_000 + '"}')

    assert board == Board(hostname="?x", model="m" * MAX_NAME_LENGTH, release=None)


# -- clock, uptime, boot --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1793500000\n", datetime(2026, 11, 1, 2, 26, 40, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_clock_is_seconds_since_1970(text: str, moment: datetime) -> None:
    assert parse_clock(text) == moment


@pytest.mark.parametrize("text", ["", "%s", "1.5", "9" * 30, "-" + "9" * 30, "9" * 5_000, "nan", "now"])
def test_what_is_no_clock_is_none(text: str) -> None:
    assert parse_clock(text) is None


def test_the_uptime_is_its_first_number() -> None:
    assert parse_uptime("350735.47 234388.90\n") == 350_735.47
    assert parse_uptime("0.00") == 0.0


@pytest.mark.parametrize("text", ["", "  ", "up 3 days", "-1.0 2", "nan", "inf", "1e99", "9" * 5_000])
def test_what_is_no_uptime_is_none(text: str) -> None:
    assert parse_uptime(text) is None


def test_a_boot_id_is_a_uuid_in_lower_case() -> None:
    assert parse_boot_id(f"{BOOT_ID}\n") == BOOT_ID
    assert parse_boot_id(BOOT_ID.upper()) == BOOT_ID


@pytest.mark.parametrize("text", ["", "x", BOOT_ID[:-1], BOOT_ID + "0", f"{BOOT_ID} {BOOT_ID}", "g" + BOOT_ID[1:]])
def test_what_is_no_boot_id_is_none(text: str) -> None:
    assert parse_boot_id(text) is None


def test_an_interfaces_address_is_a_mac() -> None:
    assert parse_hardware_address("94:83:C4:5A:10:01\n") == "94:83:c4:5a:10:01"
    assert parse_hardware_address(ZERO_MAC) is None
    assert parse_hardware_address("cat: can't open") is None


# -- addresses of the LAN -------------------------------------------------------------------------------------


def test_the_prefixes_of_the_lan_are_global_and_unique_local_ones() -> None:
    text = (
        "7: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qlen 1000\n"
        "    inet6 2001:db8:1:1::1/64 scope global dynamic noprefixroute \n"
        "       valid_lft 7163sec preferred_lft 3563sec\n"
        "    inet6 2001:db8:1:1:9683:c4ff:fe5a:1001/64 scope global dynamic noprefixroute \n"
        "       valid_lft 7163sec preferred_lft 3563sec\n"
        "    inet6 fd12:3456:789a::1/60 scope global noprefixroute \n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet6 2001:db8:9::1/64 scope global deprecated dynamic noprefixroute \n"
        "       valid_lft 900sec preferred_lft 0sec\n"
        "    inet6 fe80::9683:c4ff:fe5a:1001/64 scope link \n"
        "       valid_lft forever preferred_lft forever\n"
    )

    assert parse_ipv6_prefixes(text) == [IPv6Network("2001:db8:1:1::/64"), IPv6Network("fd12:3456:789a::/60")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "inet6",
        "    inet 192.168.1.1/24 scope global br-lan",
        "    inet6 ::/0 scope global",
        "    inet6 ::1/128 scope host",
        "    inet6 ff02::1/64 scope global",
        "    inet6 2001:db8::1/129 scope global",
        "    inet6 2001:db8::1/" + "9" * 10_000,
        "    inet6 2001:db8:::1/64 scope global",
        "ip: can't find device 'br-lan'",
    ],
)
def test_what_is_no_prefix_of_the_lan_is_left_out(line: str) -> None:
    assert parse_ipv6_prefixes(f"{line}\n    inet6 fd00:1::1/64 scope global \n{line}") == [IPv6Network("fd00:1::/64")]


def test_of_very_many_prefixes_only_the_first_are_looked_at() -> None:
    """To compare each with each took 16 seconds of 60,000."""
    lines = [f"    inet6 2001:db8:{number:x}::1/64 scope global \n" for number in range(100)]
    assert parse_ipv6_prefixes("".join(lines * 2)) == [IPv6Network(f"2001:db8:{number:x}::/64") for number in range(64)]


# -- anything -------------------------------------------------------------------------------------------------

#: Any text at all, lone surrogates among it, and texts that are nearly right.
WORDS = st.sampled_from(
    [
        *("192.168.1.1", "fe80::1", MAC, ZERO_MAC, "dev", "br-lan", "lladdr", "REACHABLE", "*", "1793500000", BOOT_ID),
        *("inet6", "fd00::1/64", "::/0", "fe80::1%eth0/64", "nlbwmon.@nlbwmon[0].local_network='lan'", "30s"),
    ]
)
ANY_TEXT = (
    st.text(st.characters(), max_size=200)
    | st.lists(WORDS | st.text(st.characters(), max_size=5), max_size=8).map(" ".join)
    | st.lists(WORDS, max_size=20).map("\n".join)
)
PARSERS: list[Callable[[str], object]] = [
    parse_board,
    parse_boot_id,
    parse_clock,
    parse_hardware_address,
    parse_interval,
    parse_ipv6_prefixes,
    parse_number,
    parse_uci_flag,
    parse_uptime,
    lambda text: parse_uci_list(text, "nlbwmon.@nlbwmon[0]", "local_network"),
    lambda text: parse_uci_section(text, "nlbwmon.@nlbwmon[0]"),
]


@given(ANY_TEXT)
@example("[" * 100_000)
@example("9" * 10_000)
def test_no_text_makes_a_parser_raise(text: str) -> None:
    for parse in PARSERS:
        parse(text)


@given(ANY_TEXT)
def test_leases_and_neighbours_of_any_text_are_fit_to_be_stored(text: str) -> None:
    found = [*parse_leases(text), *parse_neighbours(text)]

    assert all(is_canonical_mac(one.mac) and one.mac != ZERO_MAC for one in found)
    assert all("\0" not in one.ip and one.ip.isascii() for one in found)


@given(st.text(st.characters(), max_size=600))
def test_a_clean_name_can_be_stored(text: str) -> None:
    name = clean_name(text)

    assert name is None or (0 < len(name) <= MAX_NAME_LENGTH and b"\0" not in name.encode("utf-8"))
