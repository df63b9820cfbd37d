"""Which addresses may be connected to, however they are written and whatever a name stands for."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

import pytest

from commands_server_operations.router_address import NameLookup, allowed_addresses
from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from tests.commands_server_operations.paramiko_router import ParamikoRouter, says
from utils.errors import RouterAddressNotAllowed, RouterTimeout, RouterUnreachable

PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]


def judge(host: str, *resolved: str, networks: Sequence[object] = PRIVATE) -> list[str]:
    target = RouterTarget(session_id="alice", router_id="r1", host=host, port=22, username="root")
    lookup = NameLookup(lambda name: resolved)
    return [str(ip) for ip in allowed_addresses(target, networks, lookup, time.monotonic() + 5)]  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["192.168.1.1", "10.255.0.1", "fd00::1"])
def test_private_addresses_are_allowed_by_default(host: str) -> None:
    assert judge(host) == [host]


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "127.0.0.1",
        "8.8.8.8",
        "172.32.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1%eth0",
        "::ffff:169.254.169.254",
        "::ffff:7f00:1",
        "2002:7f00:1::1",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",  # a cloud's 169.254.169.254 of IPv6
    ],
)
def test_other_addresses_are_not_allowed(host: str) -> None:
    with pytest.raises(RouterAddressNotAllowed, match="ROUTER_ALLOWED_NETWORKS") as caught:
        judge(host)
    assert host in caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "0x7f.1",
        "0xa9fea9fe",
        "0xA9.254.169.254",
        "10.1",
        "010.0.0.1",
        "10.0.0.08",
        "10.0.0.1.",
        "10.0.0.0x",
    ],
)
def test_numbers_that_are_no_plain_address_are_not_even_looked_up(host: str) -> None:
    with pytest.raises(RouterAddressNotAllowed, match="four decimal numbers"):
        judge(host, "10.0.0.1", networks=EVERYTHING)


def test_a_mapped_address_is_judged_and_reached_as_the_ipv4_address_it_is() -> None:
    assert judge("::ffff:10.0.0.1") == ["10.0.0.1"]
    assert judge("router.lan", "::ffff:10.0.0.1", "10.0.0.1") == ["10.0.0.1"]


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "ff02::1", "224.0.0.1", "::ffff:224.0.0.1", "255.255.255.255", "fe80::1%lo"],
)
def test_addresses_that_no_network_can_judge_are_refused_even_where_everything_is_allowed(host: str) -> None:
    with pytest.raises(RouterAddressNotAllowed):
        judge(host, networks=EVERYTHING)


@pytest.mark.parametrize(
    "host", ["2002:a9fe:a9fe::1", "64:ff9b::169.254.169.254", "64:ff9b:1::a9fe:a9fe", "::169.254.169.254"]
)
def test_an_address_that_is_translated_on_the_way_has_to_be_allowed_in_both_forms(host: str) -> None:
    everything_of_ipv6 = [ip_network("::/0"), *PRIVATE]
    with pytest.raises(RouterAddressNotAllowed):
        judge(host, networks=everything_of_ipv6)
    with pytest.raises(RouterAddressNotAllowed):
        judge("router.lan", host, networks=everything_of_ipv6)


def test_behind_a_nat64_of_ones_own_a_router_is_reached() -> None:
    assert judge("64:ff9b::10.0.0.1", networks=[ip_network("64:ff9b::/96"), *PRIVATE]) == ["64:ff9b::a00:1"]
    assert judge("::1", networks=[ip_network("::1/128")]) == ["::1"]


def test_of_a_names_addresses_only_allowed_ones_are_left() -> None:
    assert judge("router.lan", "169.254.169.254", "192.168.1.1", "::1", "fd00::1") == ["192.168.1.1", "fd00::1"]


def test_a_name_for_forbidden_addresses_is_refused_with_both_named() -> None:
    with pytest.raises(RouterAddressNotAllowed) as caught:
        judge("metadata.example", "169.254.169.254")
    assert "metadata.example" in caught.value.message
    assert "169.254.169.254" in caught.value.message


@pytest.mark.parametrize(
    "host", ["", "a b", "router\x00.lan", "[fd00::1]", "-oProxyCommand=x y", "a" * 300, "röuter..lan"]
)
def test_text_that_is_no_host_name_is_unreachable(host: str) -> None:
    with pytest.raises(RouterUnreachable):
        judge(host, "192.168.1.1")


def test_an_unknown_name_is_unreachable() -> None:
    def unknown(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    target = RouterTarget(session_id="alice", router_id="r1", host="no.such.name", port=22, username="root")
    with pytest.raises(RouterUnreachable, match=r"no\.such\.name"):
        allowed_addresses(target, PRIVATE, NameLookup(unknown), time.monotonic() + 5)


def test_a_lookup_that_hangs_ends_at_the_deadline_and_is_shared() -> None:
    hold = threading.Event()
    lookups = []

    def hangs(host: str) -> list[str]:
        lookups.append(host)
        hold.wait(10)
        return ["192.168.1.1"]

    target = RouterTarget(session_id="alice", router_id="r1", host="slow.lan", port=22, username="root")
    lookup = NameLookup(hangs)
    for _ in range(3):
        with pytest.raises(RouterTimeout):
            allowed_addresses(target, PRIVATE, lookup, time.monotonic() + 0.05)
    assert lookups == ["slow.lan"]
    hold.set()


def test_the_manager_connects_to_the_address_that_was_judged(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    server = router(says(b"fine"))
    connections = manager(resolve=lambda host: next(answers))
    at = target(server.port, host="rebinding.example")
    assert connections.run(at, "cmd").stdout == b"fine"
    connections.forget(at)
    with pytest.raises(RouterAddressNotAllowed):
        connections.run(at, "cmd")
    assert server.connections == 1


def test_the_address_really_reached_is_checked_again(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = router(says(b"fine"))
    monkeypatch.setattr(socket.socket, "getpeername", lambda sock: ("127.0.0.9", 22))
    with pytest.raises(RouterAddressNotAllowed, match=r"127\.0\.0\.9"):
        manager().run(target(server.port), "cmd")
    assert server.sign_ins == []


def test_the_second_address_is_tried_where_the_first_does_not_answer(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    server = router(says(b"fine"))
    connections = manager(resolve=lambda host: ["127.0.0.77", "127.0.0.1"])
    assert connections.run(target(server.port, host="router.lan"), "cmd").stdout == b"fine"
    assert ip_address("127.0.0.77") in ip_network("127.0.0.0/8")


@pytest.mark.parametrize(
    "name", ["127.0.0.9", "::ffff:127.0.0.9", "2130706441", "0x7f000009", "017700000011", "forbidden.example"]
)
def test_a_forbidden_address_is_never_knocked_at_so_an_open_port_answers_as_a_closed_one(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    open_port = router(says(b"fine")).port
    with socket.create_server(("127.0.0.1", 0)) as freed:
        closed_port = int(freed.getsockname()[1])
    knocked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda sock, address: knocked.append(address))
    connections = manager(allowed_networks=PRIVATE, resolve=lambda host: ["127.0.0.9", "::1"])
    told = []
    for port in (open_port, closed_port):
        with pytest.raises(RouterAddressNotAllowed) as caught:
            connections.run(target(port, host=name), "cmd")
        told.append(caught.value.message)
    assert told[0] == told[1]
    assert knocked == []


def test_of_a_name_with_a_forbidden_address_beside_an_allowed_one_only_that_is_knocked_at(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knocked: list[str] = []

    def refuse(sock: socket.socket, address: tuple[str, int]) -> None:
        knocked.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    connections = manager(resolve=lambda host: ["169.254.169.254", "127.0.0.1", "::ffff:169.254.169.254", "10.0.0.1"])
    with pytest.raises(RouterUnreachable):
        connections.run(target(22, host="both.example"), "cmd")
    assert knocked == ["127.0.0.1"]


def test_a_name_that_no_thread_could_look_up_is_looked_up_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = NameLookup(lambda name: ["192.168.1.1"])

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            lookup.addresses("router.test", time.monotonic() + 5)
    assert lookup.addresses("router.test", time.monotonic() + 5) == ["192.168.1.1"]
