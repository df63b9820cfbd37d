"""Which IP addresses a router's host name may stand for, judged before anything is sent to one of them.

The address that was judged is the one that is connected to: a name is looked up once, here, so a name server
that answers differently the second time gains nothing.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from commands_server_operations.router_target import RouterTarget
from utils.errors import RouterAddressNotAllowed, RouterTimeout, RouterUnreachable

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
#: A host name's addresses as text; raises OSError where there are none.
Resolver = Callable[[str], Sequence[str]]

_HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
#: 2852039166, 0xa9.0xfea9fe, 010.0.0.1: forms that C libraries read as IPv4, each in its own way.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)

_BROADCAST = IPv4Address("255.255.255.255")
#: Where the machines of a cloud (AWS) find its services, their own credentials among them: like 169.254.169.254, but
#: within the networks that homes take their addresses from.
_CLOUD_SERVICES = IPv6Network("fd00:ec2::/32")
#: NAT64 (RFC 6052 and 8215) and the old IPv4-compatible form: an IPv4 address stands at the end.
_TRANSLATING = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


def system_resolver(host: str) -> list[str]:
    """The addresses that the system's resolver names, in its order of preference."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class NameLookup:
    """Looks names up with a deadline, which getaddrinfo itself doesn't take.

    A lookup that hangs keeps its thread until the system's resolver gives up. Everyone who asks for the same
    name meanwhile waits for that one lookup, so hanging threads are at most as many as names.
    """

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._running: dict[str, Future[Sequence[str]]] = {}

    def addresses(self, host: str, deadline: float) -> Sequence[str]:
        """The host's addresses. Raises TimeoutError past ``deadline`` (time.monotonic), OSError if unknown."""
        with self._lock:
            answer = self._running.get(host)
            if answer is None:
                answer = Future()
                looking = (host, answer)
                threading.Thread(target=self._look_up, args=looking, name="router-name-lookup", daemon=True).start()
                self._running[host] = answer  # not before: where no thread can be started, nobody waits for it
        try:
            return answer.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            raise TimeoutError("the name lookup did not end in time") from None

    def _look_up(self, host: str, answer: "Future[Sequence[str]]") -> None:
        try:
            found = self._resolve(host)
        except BaseException as error:
            self._forget(host)
            answer.set_exception(error)
        else:
            self._forget(host)
            answer.set_result(found)

    def _forget(self, host: str) -> None:
        with self._lock:
            del self._running[host]


def allowed_addresses(
    target: RouterTarget, allowed_networks: Sequence[IPNetwork], lookup: NameLookup, deadline: float
) -> list[IPAddress]:
    """The addresses of ``target.host`` that may be connected to, best first; never empty.

    Raises RouterAddressNotAllowed where none of them is in ``allowed_networks``, RouterUnreachable where the
    name is unknown, RouterTimeout where the lookup does not end before ``deadline`` (time.monotonic).
    """
    candidates = _candidates(target, lookup, deadline)
    judged = [_judgeable(text) for text in candidates]
    allowed = [ip for ip in judged if ip is not None and _is_allowed(ip, allowed_networks)]
    if not allowed:
        raise address_not_allowed(target, ", ".join(candidates))
    return list(dict.fromkeys(allowed))


def address_not_allowed(target: RouterTarget, addresses: str) -> RouterAddressNotAllowed:
    """The error that names the host, what it stands for, and the setting that forbids it."""
    means = "" if addresses == target.host else f", which is {addresses},"
    return RouterAddressNotAllowed(
        f"The router's address {target.host}{means} is not in a network that ROUTER_ALLOWED_NETWORKS allows."
    )


def _candidates(target: RouterTarget, lookup: NameLookup, deadline: float) -> Sequence[str]:
    """Addresses as text: the host itself where it is one, else what its name stands for."""
    host = target.host
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return [host]
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise RouterAddressNotAllowed(
            f"The router's address {host} is written in a way that can't be checked against "
            "ROUTER_ALLOWED_NETWORKS. Write it as four decimal numbers, such as 192.168.1.1."
        )
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise RouterUnreachable(f"{target.where} is not a host name or an IP address.")
    try:
        found = lookup.addresses(host, deadline)
    except TimeoutError as error:
        raise RouterTimeout(f"The name of the router {target.where} was not resolved in time.") from error
    except (OSError, ValueError) as error:
        raise RouterUnreachable(f"The name of the router {target.where} can't be resolved.") from error
    if not found:
        raise RouterUnreachable(f"The name of the router {target.where} has no address.")
    return found


def _judgeable(text: str) -> IPAddress | None:
    """The address that a connection to ``text`` really reaches, or None where a network can't tell or it is never a
    router's."""
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            # fe80::1%eth0 is another host on each interface.
            return None
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
    # 0.0.0.0 and :: reach this machine itself, whatever network they are part of.
    is_nobodys = ip.is_unspecified or ip.is_multicast or ip == _BROADCAST
    return None if is_nobodys or ip in _CLOUD_SERVICES else ip


def _is_allowed(ip: IPAddress, allowed_networks: Sequence[IPNetwork]) -> bool:
    """Whether it is in an allowed network, and so is the IPv4 address that it may be translated to on the way."""
    behind = _translated(ip) if isinstance(ip, IPv6Address) else None
    if behind is not None and (_judgeable(str(behind)) is None or not _is_allowed(behind, allowed_networks)):
        return False
    return any(ip in network for network in allowed_networks)


def _translated(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a 6to4, Teredo or NAT64 gateway sends it on to, as far as its form tells."""
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if any(ip in network for network in _TRANSLATING) and not ip.is_loopback:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None
