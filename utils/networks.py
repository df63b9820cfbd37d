"""Whose address it is, for what is counted per address."""

import re
from ipaddress import IPv6Address, ip_address

#: As some proxies write an address: with the port that it was asked from, IPv6 in brackets.
_WITH_PORT = re.compile(r"([0-9.]+)(?::[0-9]+)?|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?")


def address_in(text: str) -> str | None:
    """The IP address that a proxy says it was asked from; None where that is none."""
    found = _WITH_PORT.fullmatch(text)
    try:
        return str(ip_address((found[1] or found[2]) if found else text.partition("%")[0]))
    except ValueError:
        return None


def network_of(address: str) -> str:
    """An address itself; of IPv6 its /64, as whoever has one address there has them all. Other text stays as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
