"""How far what is stored of a router can be taken for the present. Pure; every answer about a router says it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db_operations.routers_db import RouterRecord
from utils.errors import RouterError, RowsFrozen, ServerClock

#: A reading stamped further ahead than this was stamped by a clock that was wrong, or it is wrong now. Below it nothing
#: is said: in a moment readings go on.
_MOST_AHEAD = timedelta(minutes=5)


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
    """Stale: the last attempt to read the router failed, its last good reading is older than twice its interval or
    ahead of ``now``, or nobody counted any more by then.
    """
    warning = None
    if has_failed(router):
        warning = FreshnessWarning(code=router.last_error_code or "", message=router.last_error_message or "")
    elif router.last_success_at is not None:
        warning = odd_reading(router.last_success_at, router.collect_interval_minutes, now)
        if warning is None and router.is_frozen:
            warning = warning_of(RowsFrozen())
    return Freshness(last_reading_at=router.last_success_at, is_stale=warning is not None, warning=warning)


def warning_of(error: RouterError) -> FreshnessWarning:
    return FreshnessWarning(code=error.code, message=error.message)


def has_failed(router: RouterRecord) -> bool:
    """Whether the last attempt to read the router failed."""
    return router.consecutive_failures > 0


def odd_reading(read_at: datetime, interval_minutes: int, now: datetime) -> FreshnessWarning | None:
    """The warning of a last good reading that is older than twice the interval, or ahead of ``now``; else None."""
    if (ahead := stamped_ahead(read_at, now)) is not None:
        return warning_of(ahead)
    age = now - read_at
    if age <= timedelta(minutes=2 * interval_minutes):
        return None
    return FreshnessWarning(code="READING_OLD", message=f"The last good reading is {_in_words(age)} old.")


def stamped_ahead(read_at: datetime | None, now: datetime) -> ServerClock | None:
    """What is wrong where the last reading lies ahead of ``now``; None where it doesn't."""
    if read_at is None or read_at - now <= _MOST_AHEAD:
        return None
    return ServerClock(
        f"The last reading is stamped {_in_words(read_at - now)} ahead of this server's clock: the clock is wrong, or "
        "was then. No reading can follow it before its time has come. If it is far ahead, it is given up after some "
        "tries, and what was used in between is unknown."
    )


def _in_words(age: timedelta) -> str:
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if age >= 3 * length:
            return f"{age // length} {unit}"
    return f"{age // timedelta(minutes=1)} minutes"
