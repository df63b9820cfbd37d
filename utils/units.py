"""Amounts as people read them."""

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def readable_bytes(amount: int, scale: int = 0) -> str:
    """Such as 14.2 GB, in the unit that suits ``scale``."""
    for size, unit in _UNITS:
        if max(amount, scale) >= size:
            return f"{amount / size:.1f} {unit}" if amount else f"0 {unit}"
    return f"{amount} B"
