"""A router that sends and sends, at whatever point of the conversation: it is given up, and memory stays as it was."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable

import paramiko
import pytest

from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from tests.commands_server_operations.leftovers import GENEROUS_S
from tests.commands_server_operations.paramiko_router import ParamikoRouter, RawPeer, says
from utils.errors import OutputTooLarge, RouterError, RouterUnreachable

MIB = 1024 * 1024
CHUNK = b"x" * 64 * 1024
HELLO = b"SSH-2.0-flood\r\n"


def sends_for_ever(first: bytes, chunk: bytes) -> Callable[[socket.socket], None]:
    def flood(sock: socket.socket) -> None:
        sock.sendall(first)
        while True:
            sock.sendall(chunk)

    return flood


def packet(kind: int, size: int) -> bytes:
    """One SSH packet as it is before keys are exchanged."""
    payload = bytes([kind]) + struct.pack(">I", size - 16) + b"x" * (size - 16)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + b"\0" * padding


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


MSG_IGNORE = 2


@pytest.mark.parametrize(
    ("first", "chunk"),
    [
        (b"", CHUNK),
        (b"", b"no ssh\r\n" * 1000),
        (HELLO, struct.pack(">I", 0xFFFFFFF4) + CHUNK),
        (HELLO, struct.pack(">I", 0x0FFFFFF4) + CHUNK),
        (HELLO, packet(MSG_IGNORE, 30_000)),
    ],
    ids=["a line without an end", "lines without an end", "a packet of 4 GiB", "a packet of 256 MiB", "many packets"],
)
def test_a_flood_before_the_sign_in_is_given_up(
    manager: Callable[..., RouterConnectionManager],
    peer: Callable[..., RawPeer],
    target: Callable[..., RouterTarget],
    first: bytes,
    chunk: bytes,
) -> None:
    server = peer(sends_for_ever(first, chunk))
    before, threads = resident(), threading.active_count()
    began = time.monotonic()
    with pytest.raises(RouterError):
        manager(connect_timeout_s=3).run(target(server.port), "cmd")
    assert time.monotonic() - began < GENEROUS_S
    assert resident() - before < 40 * MIB
    deadline = time.monotonic() + GENEROUS_S
    # Left are the flooding peer's thread, and the one that watches deadlines; the connection's needs a moment to end.
    while threading.active_count() > threads + 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_packet_without_bounds_after_the_sign_in_is_given_up(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    def huge(channel: paramiko.Channel, command: str) -> None:
        channel.transport.packetizer.write_all(struct.pack(">I", 0xFFFFFFF4))
        while True:
            channel.transport.packetizer.write_all(CHUNK)

    before = resident()
    with pytest.raises(RouterUnreachable):
        manager(command_timeout_s=3).run(target(router(huge).port), "cmd")
    assert resident() - before < 40 * MIB


def test_an_answer_of_many_megabytes_is_no_flood(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    large = os.urandom(MIB) * 8
    assert manager().run(target(router(says(large)).port), "cmd").stdout == large


def test_a_router_that_complains_for_megabytes_is_read_all_the_same(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    server = router(says(b"fine", stderr=CHUNK * (32 * MIB // len(CHUNK))))
    assert manager(max_output_bytes=MIB).run(target(server.port), "cmd").stdout == b"fine"


def test_an_answer_in_the_pieces_that_programs_write_is_no_flood(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    piece = os.urandom(1024)

    def in_pieces(channel: paramiko.Channel, command: str) -> None:
        for _ in range(4 * MIB // len(piece) - 1):
            channel.sendall(piece)
        says(piece)(channel, command)

    assert len(manager(max_output_bytes=4 * MIB).run(target(router(in_pieces).port), "cmd").stdout) == 4 * MIB


def ignored(size: int) -> paramiko.Message:
    message = paramiko.Message()
    message.add_byte(bytes([MSG_IGNORE]))
    message.add_string(b"x" * size)
    return message


@pytest.mark.parametrize(
    "send",
    [
        lambda channel: channel.sendall_stderr(CHUNK),
        lambda channel: channel.sendall_stderr(b"x"),
        lambda channel: channel.sendall(b"x"),
        lambda channel: channel.get_transport()._send_user_message(ignored(30_000)),
        lambda channel: channel.get_transport()._send_user_message(ignored(0)),
    ],
    ids=["errors", "errors of a byte", "an answer of bytes", "messages to be ignored", "small ones"],
)
def test_a_flood_of_what_nobody_reads_is_given_up_long_before_the_deadline(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
    send: Callable[[paramiko.Channel], None],
) -> None:
    def flood(channel: paramiko.Channel, command: str) -> None:
        while True:
            send(channel)

    with pytest.raises(OutputTooLarge, match="far more"):
        manager(command_timeout_s=100, max_output_bytes=MIB).run(target(router(flood).port), "cmd")


@pytest.mark.parametrize("size", [30_000, 0])
def test_a_flood_on_a_connection_that_is_kept_for_the_next_command_ends_it(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
    size: int,
) -> None:
    ended = threading.Event()

    def flood(channel: paramiko.Channel, command: str) -> None:
        transport = channel.get_transport()
        says(b"fine")(channel, command)
        try:
            while transport.is_active():
                transport._send_user_message(ignored(size))
        finally:
            ended.set()

    server = router(flood)
    connections = manager(max_output_bytes=MIB)
    assert connections.run(target(server.port), "cmd").stdout == b"fine"
    assert ended.wait(GENEROUS_S)
    assert connections.run(target(server.port), "cmd").stdout == b"fine"
    assert server.connections == 2


def test_command_after_command_there_is_room_for_each(
    manager: Callable[..., RouterConnectionManager],
    router: Callable[..., ParamikoRouter],
    target: Callable[..., RouterTarget],
) -> None:
    server = router(says(b"x" * MIB))
    connections = manager(max_output_bytes=MIB)
    for _ in range(8):
        assert len(connections.run(target(server.port), "cmd").stdout) == MIB
    assert server.connections == 1
