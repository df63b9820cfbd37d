"""Amounts as people read them."""

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def readable_bytes(amount: int, scale: int = 0) -> str:
    """Such as 14.2 GB, in the unit that suits ``scale``."""
    for size, unit in _UNITS:
        if max(amount, scale) >= size:
            return f"{amount / size:.1f} {unit}" if amount else f"0 {unit}"
    return f"{amount} B"


def signed_bytes(amount: int) -> str:
    """More or less: such as +14.2 GB or −2 MB."""
    sign = "+" if amount > 0 else "−" if amount < 0 else "±"
    return f"{sign}{readable_bytes(abs(amount))}"


def signed_percent(percent: float) -> str:
    """Such as +18 %, −2.5 %."""
    return f"{percent:+,.1f} %".replace("-", "−").replace(".0 %", " %")
