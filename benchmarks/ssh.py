"""A command that prints 20 kB, on a connection that is open already: the product's pool against libssh2."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network

from ssh2.session import Session

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.ssh_server import Address, ssh_server
from commands_server_operations.router_connection_manager import RouterConnectionManager, RouterTarget

_OUTPUT_BYTES = 20_000


def ssh(options: Options) -> Iterator[Result]:
    with (
        ssh_server(_OUTPUT_BYTES) as address,
        _pooled_by_us(address) as ours,
        _pooled_by_libssh2(address) as limit,
    ):
        for run in (ours, limit):
            if (answered := len(run())) != _OUTPUT_BYTES:
                raise RuntimeError(f"the command printed {answered} bytes instead of {_OUTPUT_BYTES}")
        ours_s, limit_s = medians(timed(ours), timed(limit), rounds=options.rounds(300), warm_up=10)
    yield Result(name=f"ssh, 20 kB from {address.server}", ours_s=ours_s, limit_s=limit_s, at_most=1.3)


@contextlib.contextmanager
def _pooled_by_us(address: Address) -> Iterator[Callable[[], bytes]]:
    manager = RouterConnectionManager(
        allowed_networks=[ip_network("127.0.0.0/8")], pin_host_key=lambda _target, presented: presented
    )
    target = RouterTarget(
        session_id="local",
        router_id="router",
        host="127.0.0.1",
        port=address.port,
        username="root",
        password=address.password,
        private_key=address.private_key,
    )
    try:
        yield lambda: manager.run(target, address.command).stdout
    finally:
        manager.close()


@contextlib.contextmanager
def _pooled_by_libssh2(address: Address) -> Iterator[Callable[[], bytes]]:
    with socket.create_connection(("127.0.0.1", address.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session()
        session.handshake(sock)
        if address.private_key:
            session.userauth_publickey_frommemory("root", address.private_key.encode())
        else:
            session.userauth_password("root", address.password)

        def run() -> bytes:
            channel = session.open_session()
            channel.execute(address.command)
            answer = bytearray()
            while (read := channel.read(65_536))[0] > 0:
                answer += read[1]
            channel.close()
            if channel.get_exit_status() != 0:
                raise RuntimeError("the command failed")
            return bytes(answer)

        yield run
        session.disconnect()
