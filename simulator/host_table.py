"""Hosts that a test names itself: its addresses, its lease, how the neighbour table sees it."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.rows import UNRESOLVED_MAC


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of a scripted router."""

    mac: str
    ips: tuple[str, ...]
    hostname: str = "*"
    #: neighbour state; empty: not in the neighbour table
    state: str = "REACHABLE"
    lease: bool = True


def neighbour_line(ip: str, mac: str, state: str, device: str = "br-lan") -> str:
    """A line of `ip neigh show`: only an entry that was once resolved has a link-layer address."""
    link = "" if state in ("FAILED", "INCOMPLETE") else f" lladdr {mac}"
    return f"{ip} dev {device}{link} {state}\n"


def lease_line(expiry_s: int, mac: str, ip: str, hostname: str) -> str:
    """A line of /tmp/dhcp.leases."""
    client = "*" if hostname == "*" else f"01:{mac}"
    return f"{expiry_s} {mac} {ip} {hostname} {client}\n"


def link_local(mac: str) -> str:
    """The EUI-64 link-local address of a MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    eui = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    words = [f"{int.from_bytes(eui[at : at + 2], 'big'):x}" for at in range(0, 8, 2)]
    return "fe80::" + ":".join(words)


def resolvable(mac: str) -> bool:
    return mac != UNRESOLVED_MAC
