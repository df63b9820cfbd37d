"""What nlbwmon keeps a row of, and how its client names and orders one.

Rows are plain tuples, because a month of a home passes through them in a second or two, and immutable, so that a copy
of the whole table is a copy of one dict.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

#: family (4 or 6), protocol, port, MAC, IP address
RowKey = tuple[int, str, int, str, str]
#: conns, rx bytes, rx packets, tx bytes, tx packets
Counters = tuple[int, int, int, int, int]
Rows = dict[RowKey, Counters]
#: growth of one row: key, conns, rx bytes, rx packets, tx bytes, tx packets
Delta = tuple[RowKey, int, int, int, int, int]

#: nlbwmon's counters are unsigned 64-bit numbers.
MASK = 2**64 - 1
UNRESOLVED_MAC = "00:00:00:00:00:00"
_NUMBERS = {"IP": 0, "ICMP": 1, "IGMP": 2, "TCP": 6, "UDP": 17, "GRE": 47, "ESP": 50, "IPV6-ICMP": 58}

#: What OpenWrt's /usr/share/nlbwmon/protocols knows, as far as captures and upstream's own list show it.
LAYER7: dict[tuple[str, int], str] = {
    ("ICMP", 0): "ICMP",
    ("IGMP", 0): "IGMP",
    ("GRE", 0): "GRE",
    ("ESP", 0): "ESP",
    ("TCP", 20): "FTP",
    ("TCP", 21): "FTP",
    ("TCP", 22): "SSH",
    ("TCP", 23): "Telnet",
    ("TCP", 25): "SMTP",
    ("TCP", 53): "DNS",
    ("UDP", 53): "DNS",
    ("TCP", 80): "HTTP",
    ("TCP", 110): "POP3",
    ("TCP", 143): "IMAP",
    ("TCP", 443): "HTTPS",
    ("UDP", 443): "QUIC",
    ("TCP", 445): "SMB-over-TCP",
    ("TCP", 993): "IMAPS",
    ("TCP", 995): "POP3S",
    ("TCP", 3389): "Microsoft RDP",
    ("TCP", 5222): "XMPP",
    ("TCP", 5228): "Google Cloud Messaging",
}


def row_key(proto: str, port: int, mac: str, ip: str, family: int | None = None) -> RowKey:
    """The row that traffic is counted in: an unknown protocol and port become ("IP", 0)."""
    address = ip_address(ip)
    if (proto, port) not in LAYER7:
        proto, port = "IP", 0
    return (family or address.version, proto, port, mac.lower(), address.compressed)


def protocol_number(proto: str) -> int:
    return int(proto) if proto.isdigit() else _NUMBERS.get(proto, 0)


@lru_cache(maxsize=65_536)
def key_bytes(key: RowKey) -> bytes:
    """The key as it lies in the daemon's memory, which is what rows are ordered by when all else is equal."""
    family, proto, port, mac, ip = key
    return (
        bytes([2 if family == 4 else 10, protocol_number(proto)])
        + port.to_bytes(2, "big")
        + bytes.fromhex(mac.replace(":", ""))
        + ip_address(ip).packed.ljust(16, b"\0")
    )


def grow(rows: Rows, delta: Delta) -> None:
    """Add to a row, wrapping at 64 bits as the daemon's additions do."""
    key, conns, rx, rx_packets, tx, tx_packets = delta
    old = rows.get(key)
    if old is None:
        rows[key] = (conns & MASK, rx & MASK, rx_packets & MASK, tx & MASK, tx_packets & MASK)
    else:
        rows[key] = (
            (old[0] + conns) & MASK,
            (old[1] + rx) & MASK,
            (old[2] + rx_packets) & MASK,
            (old[3] + tx) & MASK,
            (old[4] + tx_packets) & MASK,
        )
