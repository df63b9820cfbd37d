"""The SSH server as a real client meets it."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router, office
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer


def test_a_command_gives_both_outputs_and_its_status(hosted: HostedRouter, connect) -> None:
    client = connect(hosted)

    assert client.run("echo out; nope") == (b"out\n", b"ash: nope: not found\n", 127)


def test_an_answer_larger_than_the_window_arrives_whole(server: SshServer, clock: ManualClock, connect) -> None:
    big = office(clock, devices=1_500, database_limit=0)
    client = connect(server.add(big))

    stdout, _stderr, status = client.run("nlbw -c json")
    assert (stdout, status) == (big.run("nlbw -c json").stdout, 0)
    assert len(stdout) > 2_000_000


def test_many_commands_share_a_connection_at_the_same_time(hosted: HostedRouter, connect) -> None:
    client = connect(hosted)
    hosted.command_delay_s = 0.05
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: client.run(f"echo {number}")[0], range(16)))

    assert answers == [f"{number}\n".encode() for number in range(16)]
    assert hosted.stats.connections == 1
    assert hosted.stats.commands == 16
    assert 2 <= hosted.stats.max_running <= 8


def test_commands_one_after_the_other_never_overlap(server: SshServer, hosted: HostedRouter, connect) -> None:
    client = connect(hosted)
    started = time.perf_counter()
    for _ in range(50):
        client.run("nlbw -c json")

    assert server.stats(hosted.router).max_running == 1
    assert (time.perf_counter() - started) / 50 < 0.03


def test_a_wrong_password_is_refused_and_counted(hosted: HostedRouter, connect) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        connect(hosted, password="wrong")

    assert (hosted.stats.auth_attempts, hosted.stats.auth_failures) == (1, 1)


def test_a_key_can_sign_in(server: SshServer, router: SimulatedRouter, connect) -> None:
    mine, other = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    line = f"{mine.get_name()} {mine.get_base64()} me@here"
    hosted = server.add(router, password=None, authorized_keys=[line])

    assert connect(hosted, password=None, pkey=mine).run("echo hi")[0] == b"hi\n"
    with pytest.raises(paramiko.AuthenticationException):
        connect(hosted, password=None, pkey=other)


def test_shells_and_file_transfer_are_refused(hosted: HostedRouter, connect) -> None:
    client = connect(hosted)

    with pytest.raises(paramiko.SSHException):
        client.ssh.invoke_shell()
    with pytest.raises(paramiko.SSHException):
        client.ssh.open_sftp()
    assert client.run("echo still here")[0] == b"still here\n"


def test_routers_have_their_own_ports_and_keys(server: SshServer, clock: ManualClock, connect) -> None:
    one, two = (server.add(empty_router(clock)) for _ in range(2))

    assert one.port != two.port
    assert one.fingerprint != two.fingerprint
    assert connect(two).ssh.get_transport().get_remote_server_key().fingerprint == two.fingerprint


def test_a_host_key_kept_in_a_file_survives_a_restart(router: SimulatedRouter, tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with SshServer() as server:
            shown.append(server.add(router, host_key_file=tmp_path / "host_key").fingerprint)

    assert shown[0] == shown[1]
    assert (tmp_path / "host_key").stat().st_mode & 0o777 == 0o600


def test_closing_leaves_no_thread_behind(router: SimulatedRouter, connect) -> None:
    before = set(threading.enumerate())
    with SshServer() as server:
        hosted = server.add(router)
        client = connect(hosted)
        hosted.faults = Faults(hang=True)
        client.ssh.exec_command("echo")
    clients_own = client.ssh.get_transport()
    client.ssh.close()
    clients_own.join(5)  # the server hung up on it, so `close` does not wait for it

    assert set(threading.enumerate()) <= before


def test_strict_nlbwmon_serves_one_client_at_a_time(hosted: HostedRouter, connect) -> None:
    hosted.strict_nlbw = True
    hosted.command_delay_s = 0.2
    clients = [connect(hosted), connect(hosted)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda client: client.run("nlbw -c json")[2], clients))

    assert statuses == [0, 195]
    assert clients[0].run("nlbw -c json")[2] == 0


def test_refusing_can_be_switched_on_and_off(hosted: HostedRouter, connect) -> None:
    old, port = connect(hosted), hosted.port
    hosted.faults = Faults(refuse=True)

    with pytest.raises(OSError, match="Unable to connect"):
        connect(hosted)
    with pytest.raises((OSError, EOFError, paramiko.SSHException)):
        old.run("echo")

    hosted.faults = Faults()
    assert hosted.port == port
    assert connect(hosted).run("echo back")[0] == b"back\n"


def test_a_silent_server_never_shows_a_banner(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(silent=True)

    with pytest.raises((paramiko.SSHException, OSError)):
        connect(hosted, timeout=0.3)

    hosted.faults = Faults()
    assert connect(hosted).run("echo")[2] == 0


def test_another_host_key_can_be_shown(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(other_host_key=True)
    assert connect(hosted).ssh.get_transport().get_remote_server_key().fingerprint != hosted.fingerprint

    hosted.faults = Faults()
    assert connect(hosted).ssh.get_transport().get_remote_server_key().fingerprint == hosted.fingerprint


def test_sign_in_can_be_refused_to_everybody(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(refuse_auth=True)

    with pytest.raises(paramiko.AuthenticationException):
        connect(hosted)


def test_a_command_can_hang(hosted: HostedRouter, connect) -> None:
    client = connect(hosted, timeout=0.3)
    hosted.faults = Faults(hang=True)
    with pytest.raises(TimeoutError):
        client.run("echo")

    hosted.faults = Faults()
    assert client.run("echo back")[0] == b"back\n"


def test_an_answer_can_drip(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(drip_s=0.02)
    started = time.perf_counter()

    assert connect(hosted).run("echo 1234567890")[0] == b"1234567890\n"
    assert time.perf_counter() - started > 0.2


def test_the_connection_can_be_cut_in_the_middle_of_an_answer(hosted: HostedRouter, connect) -> None:
    client = connect(hosted)
    hosted.faults = Faults(cut_after=4)
    _stdin, stdout, _stderr = client.ssh.exec_command("echo 1234567890", timeout=5)

    assert stdout.read() == b"1234"
    assert stdout.channel.recv_exit_status() == -1
    client.ssh.get_transport().join(2)
    assert not client.ssh.get_transport().is_active()


def test_an_answer_can_be_endless(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(endless=True)
    _stdin, stdout, _stderr = connect(hosted).ssh.exec_command("echo x", timeout=5)

    assert len(stdout.read(3_000_000)) == 3_000_000


def test_standard_error_can_be_flooded(hosted: HostedRouter, connect) -> None:
    hosted.faults = Faults(stderr_flood=100_000)
    stdout, stderr, status = connect(hosted).run("echo x")

    assert (stdout, len(stderr), status) == (b"x\n", 100_000, 0)


def test_the_status_can_be_wrong_or_missing_and_the_output_replaced(hosted: HostedRouter, connect) -> None:
    client = connect(hosted)
    hosted.faults = Faults(exit_status=1)
    assert client.run("echo x") == (b"x\n", b"", 1)

    hosted.faults = Faults(no_exit_status=True)
    assert client.run("echo x") == (b"x\n", b"", -1)

    hosted.faults = Faults(stdout=b"\xff<html>")
    assert client.run("echo x") == (b"\xff<html>", b"", 0)


def test_the_standalone_home_stops_cleanly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--days", "1"],
        cwd=Path(__file__).parent.parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "host key SHA256:" in process.stdout.readline()
    port = int(process.stdout.readline().split("-p ")[1].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        assert sock.recv(100).startswith(b"SSH-2.0-dropbear")
    process.terminate()

    assert process.wait(10) == 0
