"""Rows, leases and neighbours become devices, and two looks at the network tell who came and went."""

from tests.utils.nlbwmon_output import FIXTURES, LIVE, OFFICE, PHONE, row
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import identify_device_changes, normalize_device_data, parse_nlbw_json
from utils.router_parser import Lease, Neighbour

LAPTOP, ROUTER = "02:11:22:33:44:02", "4e:7b:74:ea:83:51"


# -- devices --------------------------------------------------------------------------------------------------


def lease(mac: str, ip: str, hostname: str | None = None) -> Lease:
    return Lease(mac=mac, ip=ip, hostname=hostname)


def neighbour(mac: str, ip: str, interface: str = "br-lan", *, is_reachable: bool = True) -> Neighbour:
    return Neighbour(mac=mac, ip=ip, interface=interface, is_reachable=is_reachable)


def test_all_addresses_of_a_mac_are_one_device() -> None:
    devices = normalize_device_data(parse_nlbw_json(LIVE).rows, router_mac=ROUTER)

    assert [(device.mac, device.ips) for device in devices] == [
        (PHONE, ("192.168.1.101", "fd00:1::101")),
        (LAPTOP, ("192.168.1.102",)),
        (ROUTER, ("192.168.1.1",)),
    ]
    assert [device.is_router for device in devices] == [False, False, True]


def test_a_host_without_a_mac_is_no_device() -> None:
    rows = parse_nlbw_json((FIXTURES / "odd-rows.json").read_bytes()).rows
    assert ZERO_MAC in {one.mac for one in rows}

    assert ZERO_MAC not in {device.mac for device in normalize_device_data(rows)}


def test_names_come_from_the_leases_and_who_has_no_name_keeps_none() -> None:
    leases = [lease(PHONE, "192.168.1.101", "Annas-iPhone"), lease(LAPTOP, "192.168.1.102")]

    devices = normalize_device_data([row(mac=PHONE), row(mac=ROUTER)], leases)

    assert {device.mac: device.hostname for device in devices} == {PHONE: "Annas-iPhone", LAPTOP: None, ROUTER: None}


def test_a_device_known_from_its_lease_alone_is_a_device() -> None:
    (device,) = normalize_device_data([], [lease(PHONE, "192.168.1.101", "tablet")])

    assert (device.mac, device.hostname, device.ips, device.is_reachable) == (
        PHONE,
        "tablet",
        ("192.168.1.101",),
        False,
    )


def test_a_neighbour_behind_the_bridge_is_a_device_and_reachable() -> None:
    (device,) = normalize_device_data([], [], [neighbour(PHONE, "192.168.1.101")])

    assert device.is_reachable


def test_the_gateway_of_the_provider_is_no_device() -> None:
    gateway = neighbour("e8:48:b8:70:1d:c9", "203.0.113.1", "wan")

    assert normalize_device_data([], [], [gateway]) == []


def test_a_neighbour_on_another_interface_is_a_device_where_it_is_known_otherwise() -> None:
    (device,) = normalize_device_data([row()], [], [neighbour(PHONE, "10.9.0.2", "wlan0-guest")])

    assert device.ips == ("10.9.0.2", "192.168.1.101")
    assert device.is_reachable


def test_a_stale_neighbour_is_known_and_not_reachable() -> None:
    (device,) = normalize_device_data([], [], [neighbour(PHONE, "192.168.1.101", is_reachable=False)])

    assert not device.is_reachable


def test_addresses_are_in_order_of_their_numbers_v4_first() -> None:
    ips = ["fd00::10", "192.168.1.20", "fd00::9", "192.168.1.9", "fe80::1", "10.0.0.1"]

    (device,) = normalize_device_data([row(ip=ip) for ip in ips])

    assert device.ips == ("10.0.0.1", "192.168.1.9", "192.168.1.20", "fd00::9", "fd00::10", "fe80::1")


def test_an_address_seen_three_ways_is_listed_once() -> None:
    ip = "192.168.1.101"

    (device,) = normalize_device_data([row(), row(port=80)], [lease(PHONE, ip)], [neighbour(PHONE, ip)])

    assert device.ips == (ip,)


def test_the_router_is_known_by_its_mac_whatever_address_it_is_reached_at() -> None:
    rows = [row(mac=PHONE, ip="192.168.1.101"), row(mac=ROUTER, ip="192.168.1.1")]

    devices = normalize_device_data(rows, router_mac=ROUTER, router_ip="192.168.1.101")

    assert {device.mac: device.is_router for device in devices} == {PHONE: False, ROUTER: True}


def test_without_its_mac_the_router_is_known_by_its_address() -> None:
    rows = [row(mac=PHONE, ip="192.168.1.101"), row(mac=ROUTER, ip="192.168.1.1")]

    devices = normalize_device_data(rows, router_ip="192.168.1.1")

    assert {device.mac: device.is_router for device in devices} == {PHONE: False, ROUTER: True}


def test_without_mac_or_address_nobody_is_taken_for_the_router() -> None:
    devices = normalize_device_data(parse_nlbw_json(LIVE).rows)

    assert not any(device.is_router for device in devices)


def test_the_router_is_called_what_it_calls_itself_unless_a_lease_names_it() -> None:
    rows = [row(mac=PHONE), row(mac=ROUTER)]

    devices = normalize_device_data(rows, router_mac=ROUTER, router_name="zuhause")
    named = normalize_device_data(rows, [lease(ROUTER, "192.168.1.1", "ap")], router_mac=ROUTER, router_name="zuhause")

    assert [device.hostname for device in devices] == [None, "zuhause"]
    assert [device.hostname for device in named] == [None, "ap"]


def test_devices_are_in_order_of_their_macs_whatever_order_rows_came_in() -> None:
    rows = parse_nlbw_json(OFFICE).rows

    devices = normalize_device_data(rows)

    assert len(devices) == 250
    assert [device.mac for device in devices] == sorted(device.mac for device in devices)
    assert normalize_device_data(rows[::-1]) == devices


# -- who came and went ----------------------------------------------------------------------------------------


def test_a_device_nobody_knew_is_new() -> None:
    changes = identify_device_changes({PHONE: True}, seen=[LAPTOP, PHONE], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((LAPTOP,), (), ())


def test_a_device_that_was_inactive_and_is_active_returned() -> None:
    changes = identify_device_changes({PHONE: False, LAPTOP: False}, seen=[PHONE, LAPTOP], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((), (PHONE,), ())


def test_a_device_that_was_active_left_whether_it_is_still_seen_or_not() -> None:
    changes = identify_device_changes({PHONE: True, LAPTOP: True}, seen=[PHONE], active=[])

    assert (changes.new, changes.returned, changes.left) == ((), (), (PHONE, LAPTOP))


def test_a_device_that_stays_as_it_was_is_no_news() -> None:
    changes = identify_device_changes({PHONE: True, LAPTOP: False}, seen=[PHONE, LAPTOP], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((), (), ())


def test_changes_are_sorted() -> None:
    changes = identify_device_changes({}, seen=[LAPTOP, ROUTER, PHONE], active=[])

    assert changes.new == (PHONE, LAPTOP, ROUTER)


# -- the address of now ---------------------------------------------------------------------------------------


def test_the_address_of_now_is_the_leases_else_that_of_a_neighbour_who_answers() -> None:
    rows = [row(mac=PHONE, ip="192.168.1.50")]
    stale = neighbour(PHONE, "192.168.1.60", is_reachable=False)
    answering = neighbour(PHONE, "192.168.1.70")
    six = neighbour(PHONE, "fd00::7")

    def now(*tells: Lease | Neighbour) -> tuple[str, ...]:
        leases = [one for one in tells if isinstance(one, Lease)]
        neighbours = [one for one in tells if isinstance(one, Neighbour)]
        (device,) = normalize_device_data(rows, leases, neighbours)
        return device.current_ips

    assert now() == now(six) == (), "nlbwmon's rows keep addresses of weeks ago, IPv6 ones change every day"
    assert now(stale) == ("192.168.1.60",)
    assert now(stale, answering, six) == ("192.168.1.70",)
    assert now(stale, answering, six, lease(PHONE, "192.168.1.80")) == ("192.168.1.80",)
    assert now(neighbour(PHONE, "192.168.1.100"), neighbour(PHONE, "192.168.1.9")) == ("192.168.1.9", "192.168.1.100")
