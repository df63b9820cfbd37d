"""One connection and its commands: whole answers, deadlines against peers that misbehave, nothing left open."""

import os
import socket
import threading
import time
from collections.abc import Callable

import paramiko
import pytest

from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from tests.commands_server_operations.leftovers import fails_within_reason, open_to
from tests.commands_server_operations.paramiko_router import ParamikoRouter, RawPeer, says
from utils.errors import (
    OutputTooLarge,
    RouterTimeout,
    RouterUnreachable,
)

Router = Callable[..., ParamikoRouter]
Peer = Callable[[Callable[[socket.socket], None]], RawPeer]
Manager = Callable[..., RouterConnectionManager]
Target = Callable[..., RouterTarget]


# --- commands and their answers ----------------------------------------------------------------------------


def test_a_command_gives_both_streams_and_the_exit_status(manager: Manager, router: Router, target: Target) -> None:
    result = manager().run(target(router(says(b"out", stderr=b"err", status=7)).port), "cmd")
    assert (result.stdout, result.stderr, result.exit_status) == (b"out", b"err", 7)
    assert result.duration_s > 0


def test_a_real_dropbear_runs_commands_on_one_connection(
    manager: Manager, target: Target, dropbear: tuple[int, str]
) -> None:
    port, private_key = dropbear
    connections = manager()
    at = target(port, password=None, private_key=private_key)
    outputs = [connections.run(at, f"echo {n}; echo e >&2; exit {n}") for n in range(20)]
    assert [(o.stdout, o.stderr, o.exit_status) for o in outputs] == [(b"%d\n" % n, b"e\n", n) for n in range(20)]
    assert open_to(port) == 1


def test_a_command_killed_by_a_signal_has_no_success(
    manager: Manager, target: Target, dropbear: tuple[int, str]
) -> None:
    port, private_key = dropbear
    result = manager().run(target(port, password=None, private_key=private_key), "echo before; kill -9 $$")
    assert result.stdout == b"before\n"
    assert result.exit_status != 0


def test_a_missing_exit_status_is_none(manager: Manager, router: Router, target: Target) -> None:
    result = manager().run(target(router(says(b"out", status=None)).port), "cmd")
    assert (result.stdout, result.exit_status) == (b"out", None)


def test_large_answers_on_both_streams_come_whole(manager: Manager, router: Router, target: Target) -> None:
    large = os.urandom(5 * 2**20)
    result = manager(command_timeout_s=15).run(target(router(says(large, stderr=b"e" * 3 * 2**20)).port), "cmd")
    assert result.stdout == large
    assert result.stderr == b"e" * 64 * 1024


def test_an_answer_may_be_as_large_as_the_limit_and_no_larger(manager: Manager, router: Router, target: Target) -> None:
    connections = manager(max_output_bytes=1000)
    assert len(connections.run(target(router(says(b"x" * 1000)).port), "cmd").stdout) == 1000
    with pytest.raises(OutputTooLarge):
        connections.run(target(router(says(b"x" * 1001)).port, router_id="r2"), "cmd")


def test_endless_output_ends_at_the_limit(manager: Manager, router: Router, target: Target) -> None:
    def endless(channel: paramiko.Channel, command: str) -> None:
        while True:
            channel.sendall(b"x" * 30_000)

    connections = manager(max_output_bytes=2**20)
    fails_within_reason(connections, target(router(endless).port), OutputTooLarge)


# --- deadlines ---------------------------------------------------------------------------------------------


def test_a_drip_feed_ends_at_the_commands_deadline(manager: Manager, router: Router, target: Target) -> None:
    def drip(channel: paramiko.Channel, command: str) -> None:
        while True:
            channel.sendall(b"x")
            time.sleep(0.02)

    message = fails_within_reason(manager(command_timeout_s=0.5), target(router(drip).port), RouterTimeout)
    assert "127.0.0.1" in message
    assert "0.5 s" in message


def test_an_exit_status_that_never_comes_ends_at_the_deadline(manager: Manager, router: Router, target: Target) -> None:
    def silent(channel: paramiko.Channel, command: str) -> None:
        channel.sendall(b"out")
        channel.shutdown_write()
        time.sleep(5)

    fails_within_reason(manager(command_timeout_s=0.5), target(router(silent).port), RouterTimeout)


def test_a_request_that_is_never_answered_ends_at_the_deadline(
    manager: Manager, router: Router, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    monkeypatch.setattr(
        "tests.commands_server_operations.paramiko_router._Session.check_channel_exec_request",
        lambda *args: hold.wait(5),
    )
    try:
        fails_within_reason(manager(command_timeout_s=0.5), target(router(says(b"")).port), RouterTimeout)
    finally:
        hold.set()


def drips_a_banner(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x")
        time.sleep(0.02)


def says_nothing(sock: socket.socket) -> None:
    time.sleep(5)


def hangs_in_the_key_exchange(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-slow\r\n")
    time.sleep(5)


def drips_in_the_key_exchange(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-slow\r\n" + b"\x00\x00\x7f\x04\x04\x14")
    drips_a_banner(sock)


@pytest.mark.parametrize("handle", [drips_a_banner, says_nothing, hangs_in_the_key_exchange, drips_in_the_key_exchange])
def test_a_handshake_that_does_not_end_ends_at_the_deadline(
    manager: Manager, peer: Peer, target: Target, handle: Callable[[socket.socket], None]
) -> None:
    fails_within_reason(manager(connect_timeout_s=0.5), target(peer(handle).port), RouterTimeout)


def test_a_sign_in_that_is_never_answered_ends_at_the_deadline(
    manager: Manager, router: Router, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    monkeypatch.setattr(
        "tests.commands_server_operations.paramiko_router._Session.check_auth_password",
        lambda *args: hold.wait(5),
    )
    try:
        fails_within_reason(manager(connect_timeout_s=0.8), target(router(says(b"")).port), RouterTimeout)
    finally:
        hold.set()


# --- peers that break off ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "greeting", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200, b"SSH-1.5-x\r\n"]
)
def test_a_peer_that_is_no_ssh_server_is_unreachable(
    manager: Manager, peer: Peer, target: Target, greeting: bytes
) -> None:
    def handle(sock: socket.socket) -> None:
        sock.sendall(greeting)
        sock.recv(100)
        sock.shutdown(socket.SHUT_RDWR)

    fails_within_reason(manager(), target(peer(handle).port), RouterUnreachable)


def test_a_closed_port_is_unreachable(manager: Manager, target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"127.0.0.1:{port}" in fails_within_reason(manager(), target(port), RouterUnreachable)


def test_an_answer_cut_in_the_middle_is_not_run_again(manager: Manager, router: Router, target: Target) -> None:
    def half(channel: paramiko.Channel, command: str) -> None:
        channel.sendall(b"half")
        time.sleep(0.1)
        server.cut()

    server = router(half)
    message = fails_within_reason(manager(), target(server.port), RouterUnreachable)
    assert "broke off" in message
    assert "half" not in message
    assert len(server.commands) == 1


def test_an_answer_cut_in_the_middle_on_a_reused_connection_is_not_run_again(
    manager: Manager, router: Router, target: Target
) -> None:
    server = router(says(b"fine"))
    connections = manager()
    connections.run(target(server.port), "one")

    def half(channel: paramiko.Channel, command: str) -> None:
        channel.sendall(b"half")
        time.sleep(0.1)
        server.cut()

    server.answer = half
    fails_within_reason(connections, target(server.port), RouterUnreachable)
    assert server.connections == 1


def test_a_refused_command_is_unreachable(
    manager: Manager, router: Router, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.commands_server_operations.paramiko_router._Session.check_channel_exec_request", lambda *args: False
    )
    fails_within_reason(manager(), target(router(says(b"")).port), RouterUnreachable)


def test_a_connection_that_the_router_dropped_is_replaced_unnoticed(
    manager: Manager, router: Router, target: Target
) -> None:
    server = router(says(b"fine"))
    connections = manager()
    for _ in range(3):
        assert connections.run(target(server.port), "cmd").stdout == b"fine"
        server.cut()
    assert server.connections == 3


def test_a_reused_connection_that_breaks_before_its_answer_is_replaced_once(
    manager: Manager, router: Router, target: Target
) -> None:
    server = router(says(b"fine"))
    connections = manager()
    connections.run(target(server.port), "one")

    def cut_once(channel: paramiko.Channel, command: str) -> None:
        server.answer = says(b"again")
        server.cut()

    server.answer = cut_once
    assert connections.run(target(server.port), "two").stdout == b"again"
    assert server.commands == ["one", "two", "two"]


def test_a_reused_connection_that_swallows_everything_is_replaced_in_time(
    manager: Manager, router: Router, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = router(says(b"fine"))
    connections = manager(connect_timeout_s=1, command_timeout_s=4)
    connections.run(target(server.port), "one")
    hold = threading.Event()

    def swallow_once(*args: object) -> int:
        monkeypatch.undo()
        hold.wait(5)
        return paramiko.OPEN_SUCCEEDED

    monkeypatch.setattr("tests.commands_server_operations.paramiko_router._Session.check_channel_request", swallow_once)
    try:
        assert connections.run(target(server.port), "two").stdout == b"fine"
    finally:
        hold.set()
    assert server.connections == 2
