"""The pool: reuse, one command a router at a time, and an end to everything."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest

from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget
from tests.commands_server_operations.leftovers import GENEROUS_S, client_threads, open_to
from tests.commands_server_operations.paramiko_router import ParamikoRouter, RawPeer, says
from utils.errors import (
    HostKeyChanged,
    OutputTooLarge,
    RouterAuthFailed,
    RouterError,
    RouterTimeout,
    RouterUnreachable,
)

Router = Callable[..., ParamikoRouter]
Peer = Callable[[Callable[[socket.socket], None]], RawPeer]
Manager = Callable[..., RouterConnectionManager]
Target = Callable[..., RouterTarget]


def test_twenty_threads_run_one_command_at_a_time_on_one_connection(
    manager: Manager, router: Router, target: Target
) -> None:
    def slow(channel: paramiko.Channel, command: str) -> None:
        time.sleep(0.01)
        says(command.encode())(channel, command)

    server = router(slow)
    connections = manager()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda n: connections.run(target(server.port), f"{n}").stdout, range(60)))
    assert answers == [b"%d" % n for n in range(60)]
    assert server.most_running == 1
    assert server.connections == 1


def test_waiting_for_a_busy_router_ends_at_the_commands_deadline(
    manager: Manager, router: Router, target: Target
) -> None:
    go_on = threading.Event()

    def slow(channel: paramiko.Channel, command: str) -> None:
        go_on.wait(10)
        says(b"fine")(channel, command)

    server = router(slow)
    patient = manager(command_timeout_s=1)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(patient.run, target(server.port), "one")
        while not server.commands:
            time.sleep(0.01)
        second = threads.submit(patient.run, target(server.port), "two")
        errors = [future.exception(timeout=10) for future in (first, second)]
    go_on.set()
    assert isinstance(errors[0], RouterTimeout)
    assert isinstance(errors[1], RouterTimeout)


def test_a_busy_router_says_so(manager: Manager, router: Router, target: Target) -> None:
    connections = manager(command_timeout_s=0.3)
    at = target(router(says(b"")).port)
    slot = connections._enter(at.key)
    with slot.in_use, pytest.raises(RouterTimeout, match="busy"):
        connections.run(at, "cmd")


def test_a_slow_router_does_not_hold_up_another(manager: Manager, router: Router, peer: Peer, target: Target) -> None:
    connections = manager(connect_timeout_s=3)
    hanging = target(peer(lambda sock: time.sleep(5)).port, router_id="slow")
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(connections.run, hanging, "cmd")
        assert connections.run(target(router(says(b"fine")).port), "cmd").stdout == b"fine"
        connections.forget(("alice", "other"))
        connections.close_idle()
        assert not slow.done()
        connections.close()
        assert isinstance(slow.exception(timeout=GENEROUS_S), RouterError)


def test_two_accounts_never_share_a_connection(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    connections = manager()
    connections.run(target(server.port), "cmd")
    connections.run(target(server.port, session_id="bob"), "cmd")
    assert server.connections == 2


def test_other_secrets_are_tried_on_a_new_connection(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    connections = manager()
    connections.run(target(server.port), "cmd")
    with pytest.raises(RouterError):
        connections.run(target(server.port, password="wrong"), "cmd")
    assert server.connections == 2
    assert open_to(server.port) == 0


class Written:
    """Contacts that write down what they are asked and told, and refuse what a test wants refused."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, object]] = []
        self.refusal: RouterError | None = None

    def before(self, target: RouterTarget) -> None:
        self.lines.append(("before", target.by_request))
        if self.refusal:
            raise self.refusal

    def failed(self, target: RouterTarget, error: RouterError) -> None:
        self.lines.append(("failed", error))

    def signed_in(self, target: RouterTarget) -> None:
        self.lines.append(("signed in", target.by_request))


def test_contacts_are_asked_before_a_new_connection_and_told_after_it(
    manager: Manager, router: Router, target: Target
) -> None:
    contacts = Written()
    server = router(says(b"fine"))
    connections = manager(contacts=contacts)
    for _ in range(2):
        connections.run(target(server.port, by_request=True), "cmd")
    assert contacts.lines == [("before", True), ("signed in", True)], "nothing is sent on a connection that is open"
    with pytest.raises(RouterAuthFailed) as caught:
        connections.run(target(server.port, password="wrong"), "cmd")
    assert contacts.lines[2:] == [("before", False), ("failed", caught.value)]


def test_where_contacts_object_nothing_is_connected_to(manager: Manager, router: Router, target: Target) -> None:
    contacts = Written()
    contacts.refusal = RouterAuthFailed("not yet")
    server = router(says(b"fine"))
    with pytest.raises(RouterAuthFailed, match="not yet"):
        manager(contacts=contacts).run(target(server.port), "cmd")
    assert server.connections == 0
    assert contacts.lines == [("before", False)]


def test_a_key_that_is_not_the_pinned_one_is_told_to_contacts(manager: Manager, router: Router, target: Target) -> None:
    contacts = Written()
    server = router(says(b"fine"))
    with pytest.raises(HostKeyChanged):
        manager(contacts=contacts).run(target(server.port, host_key="ssh-ed25519 AAAA"), "cmd")
    told = contacts.lines[-1][1]
    assert isinstance(told, HostKeyChanged)
    assert told.presented == server.host_key
    assert server.sign_ins == []


def test_another_address_gets_a_new_connection(manager: Manager, router: Router, target: Target) -> None:
    old, new = router(says(b"old")), router(says(b"new"))
    connections = manager()
    assert connections.run(target(old.port), "cmd").stdout == b"old"
    assert connections.run(target(new.port), "cmd").stdout == b"new"
    assert open_to(old.port) == 0


def test_idle_connections_are_closed_and_used_ones_kept(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    connections = manager(idle_close_s=0.2)
    connections.run(target(server.port), "cmd")
    connections.close_idle()
    assert open_to(server.port) == 1
    time.sleep(0.25)
    connections.close_idle()
    assert open_to(server.port) == 0
    assert connections.run(target(server.port), "cmd").stdout == b"fine"


@pytest.mark.parametrize("by_ids", [True, False])
def test_a_forgotten_router_is_disconnected(manager: Manager, router: Router, target: Target, by_ids: bool) -> None:
    server = router(says(b"fine"))
    connections = manager()
    at = target(server.port)
    connections.run(at, "cmd")
    connections.forget(at.key if by_ids else at)
    assert open_to(server.port) == 0


def test_forgetting_lets_a_running_command_end(manager: Manager, router: Router, target: Target) -> None:
    go_on = threading.Event()

    def slow(channel: paramiko.Channel, command: str) -> None:
        go_on.wait(5)
        says(b"fine")(channel, command)

    server = router(slow)
    connections = manager()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(connections.run, target(server.port), "cmd")
        while not server.commands:
            time.sleep(0.01)
        connections.forget(("alice", "r1"))
        go_on.set()
        assert running.result(timeout=GENEROUS_S).stdout == b"fine"
    assert open_to(server.port) == 0


def test_close_ends_connections_threads_and_running_commands(manager: Manager, router: Router, target: Target) -> None:
    started = threading.Event()

    def slow(channel: paramiko.Channel, command: str) -> None:
        started.set()
        time.sleep(5)

    idle, busy = router(says(b"fine")), router(slow)
    connections = manager(command_timeout_s=20)
    connections.run(target(idle.port), "cmd")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(connections.run, target(busy.port, router_id="r2"), "cmd")
        assert started.wait(5)
        connections.close()
        assert isinstance(running.exception(timeout=GENEROUS_S), RouterUnreachable)
    assert open_to(idle.port) == open_to(busy.port) == 0
    assert client_threads() == []
    with pytest.raises(RouterUnreachable, match="shutting down"):
        connections.run(target(idle.port), "cmd")


def test_many_commands_and_failures_leave_no_descriptor_open(manager: Manager, router: Router, target: Target) -> None:
    good, bad = router(says(b"fine")), router(says(b"x" * 2000))
    connections = manager(max_output_bytes=1000)
    connections.run(target(good.port), "cmd")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        connections.run(target(good.port), "cmd")
        with pytest.raises(OutputTooLarge):
            connections.run(target(bad.port, router_id="bad"), "cmd")
    bad.close()
    time.sleep(0.3)  # the server side of this process closes its descriptors on its own threads
    assert len(os.listdir("/proc/self/fd")) <= before + 3


def test_no_secret_and_no_output_reaches_a_log_or_an_error(
    manager: Manager, router: Router, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = router(says(b"private-output"), password="hunter2-secret")
    connections = manager()
    connections.run(target(server.port, password="hunter2-secret"), "cmd")
    with pytest.raises(RouterError) as caught:
        connections.run(target(server.port, password="hunter3-secret"), "cmd")
    told = caplog.text + str(caught.value) + repr(target(1, password="hunter2-secret", private_key="secret-key"))
    for secret in ("secret", "private-output"):
        assert secret not in told
    assert "pinned host key SHA256:" in caplog.text
