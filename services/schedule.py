"""When a router is collected next. Pure."""

from datetime import UTC, datetime, timedelta
from zlib import crc32

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_RETRY = timedelta(seconds=15)
#: No router waits longer.
LONGEST_WAIT = timedelta(hours=4)


def next_collect_at(router_id: str, interval_minutes: int, now: datetime) -> datetime:
    """The router's next regular moment after ``now``: every interval, each router at its own second of it."""
    interval = timedelta(minutes=interval_minutes)
    phase = timedelta(seconds=crc32(router_id.encode()) % interval.seconds)
    return now + interval - (now - _EPOCH - phase) % interval


def next_retry_at(router_id: str, interval_minutes: int, now: datetime, *, failures: int, permanent: bool) -> datetime:
    """When to try again after the ``failures``-th failure in a row (1 = the first).

    What may pass is tried soon, then ever later, at most an interval apart. What only a person can mend (wrong
    password, changed host key) waits at least an interval, doubling: a password is not hammered at a router.
    """
    interval = timedelta(minutes=interval_minutes)
    factor: int = 2 ** min(failures - 1, 10)
    if permanent:
        return now + min(max(interval, timedelta(minutes=15)) * factor, LONGEST_WAIT)
    return min(now + _FIRST_RETRY * factor, next_collect_at(router_id, interval_minutes, now + _FIRST_RETRY))
