"""Whose address it is, for what is counted per address."""

from ipaddress import IPv6Address, ip_address


def network_of(address: str) -> str:
    """An address itself; of IPv6 its /64, as whoever has one address there has them all. Other text stays as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
