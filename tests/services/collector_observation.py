"""What the collector's tests look at: a router's row as it stands, and what becomes true in time."""

from collections.abc import Callable
from threading import Event

import pytest

from db_operations.routers_db import RouterRecord
from server import Runtime
from services.context import RouterContext


def record_of(runtime: Runtime, context: RouterContext) -> RouterRecord:
    """The router as it is stored now, with when it is due and what its last failure was."""
    return runtime.routers.get(context)


def until(condition: Callable[[], object], what: str, patience_s: float = 10) -> None:
    """Wait for a condition; ``what`` names it in the failure when it never comes."""
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return
        Event().wait(0.02)
    pytest.fail(f"never came: {what}")
