"""How far what is stored of a router can be taken for the present. Pure; every answer about a router says it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db_operations.routers_db import RouterRecord
from utils.errors import RouterError, RowsFrozen


@dataclass(frozen=True, kw_only=True)
class FreshnessWarning:
    """Why it isn't fresh."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How old a router's readings are, and why they are no younger."""

    #: None where nothing has been read yet.
    last_reading_at: datetime | None
    is_stale: bool
    #: None where it is fresh.
    warning: FreshnessWarning | None = None


def freshness_of(router: RouterRecord, now: datetime) -> Freshness:
    """Stale: the last attempt to read the router failed, its last good reading is older than twice its interval, or
    nobody counted any more by then.
    """
    warning = None
    if has_failed(router):
        warning = FreshnessWarning(code=router.last_error_code or "", message=router.last_error_message or "")
    elif router.last_success_at is not None:
        warning = old_reading(router.last_success_at, router.collect_interval_minutes, now)
        if warning is None and router.is_frozen:
            warning = warning_of(RowsFrozen())
    return Freshness(last_reading_at=router.last_success_at, is_stale=warning is not None, warning=warning)


def warning_of(error: RouterError) -> FreshnessWarning:
    return FreshnessWarning(code=error.code, message=error.message)


def has_failed(router: RouterRecord) -> bool:
    """Whether the last attempt to read the router failed."""
    return router.consecutive_failures > 0


def old_reading(read_at: datetime, interval_minutes: int, now: datetime) -> FreshnessWarning | None:
    """The warning of a last good reading that is older than twice the interval; None of a younger one."""
    age = now - read_at
    if age <= timedelta(minutes=2 * interval_minutes):
        return None
    return FreshnessWarning(code="READING_OLD", message=f"The last good reading is {_in_words(age)} old.")


def _in_words(age: timedelta) -> str:
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if age >= 3 * length:
            return f"{age // length} {unit}"
    return f"{age // timedelta(minutes=1)} minutes"
