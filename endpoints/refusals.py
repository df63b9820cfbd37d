"""Who was turned away, in the log: what was asked for, why it was refused, which request it was, and from where.

A line each for what rate limits let through, and one for all that they hold back from an address in a while. None says
what was brought: a token with a typing error is nearly one.
"""

import logging
import time
from collections import OrderedDict
from threading import Lock

from flask import g, request

from endpoints.rate_limits import client_network
from utils.errors import (
    CredentialsRefused,
    InsufficientScope,
    NetPilotError,
    RateLimited,
    RequestRefused,
    RouterNotFound,
    SignedInTooLongAgo,
    SignInRefused,
)
from utils.printable import harmless

logger = logging.getLogger(__name__)

#: A router that is not found may be another account's.
_WORTH_A_LINE = (
    *(CredentialsRefused, SignedInTooLongAgo, InsufficientScope, SignInRefused),
    *(RequestRefused, RouterNotFound, RateLimited),
)

#: Addresses that are told to wait, of which so many are remembered.
_MOST_WAITING = 10_000

#: A sentence and an e-mail address.
_MOST_REASON = 450


class RefusalLog:
    """The refusals of one application."""

    def __init__(self) -> None:
        self._waiting_until: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def note(self, error: NetPilotError) -> None:
        """A line if ``error`` is a refusal, and not one of many that an address gets as it asks too often."""
        if isinstance(error, RateLimited) and not self._is_first(error.retry_after_s):
            return
        if isinstance(error, _WORTH_A_LINE):
            log_refusal(f"{error.code} {error.message}")

    def _is_first(self, retry_after_s: int) -> bool:
        now, address = time.monotonic(), client_network()
        with self._lock:
            if self._waiting_until.get(address, 0.0) > now:
                return False
            self._waiting_until[address] = now + retry_after_s
            self._waiting_until.move_to_end(address)
            while len(self._waiting_until) > _MOST_WAITING:
                self._waiting_until.popitem(last=False)
        return True


def log_refusal(reason: str) -> None:
    """``reason``: for whoever runs the server; no secret may be in it."""
    logger.info("refused: %s: %s (%s)", route(), harmless(reason, _MOST_REASON), request_in_words())


def request_in_words() -> str:
    """Which request this is and where it came from."""
    return f"request {g.request_id} from {harmless(request.remote_addr or 'nowhere')}"


def route() -> str:
    """What was asked for, for the log: a path as it came names devices, and may hold whatever a stranger typed."""
    return f"{request.method} {request.url_rule or 'an address that is none'}"
