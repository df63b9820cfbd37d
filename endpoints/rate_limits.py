"""How often one may ask: per address before it is known who asks, per account after that.

The numbers are here, each with its reason; how they are counted is Flask-Limiter's (RATELIMIT_STORAGE_URI). Health is
never limited. In the local mode the one caller is who works on the machine: he may read as often as he likes, and what
is dear has a limit that only a program gone wild meets.
"""

import hashlib
import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import cast

from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage

from endpoints.rate_limit_sweep import sweep_seldom
from utils.errors import RateLimited
from utils.networks import network_of

logger = logging.getLogger(__name__)

# --- per address -----------------------------------------------------------------------------------------

#: Everything from one address, whoever asks. An office behind one address has several dashboards open, each of which
#: asks a few times a minute and a dozen times when it is opened.
ADDRESS = RateLimitItemPerMinute(1_200)

#: Steps of signing in, of which each makes this server ask the provider. Two a person; an office begins its day.
SIGN_IN = RateLimitItemPerMinute(30)

#: Tokens and cookies that are none: each costs a query. A person meets this with none, a program with an old one.
GUESSES = RateLimitItemPerMinute(30)

# --- per account, whatever it signs in with --------------------------------------------------------------

#: Everything of one account: a dashboard in several windows, and programs that look every few seconds.
ACCOUNT = RateLimitItemPerMinute(600)

#: Each contacts a router, which is a small machine and answers one at a time; readings are due every 5 minutes.
ROUTER_CONTACT = RateLimitItemPerMinute(30)

#: What is going on now. It asks a router too, unless somebody asked in the last five seconds: a page that looks every
#: five seconds, in ten windows.
LIVE = RateLimitItemPerMinute(120)

#: A whole history from the database, and a connection to it for as long as the download takes.
EXPORT = RateLimitItemPerMinute(30)

#: A report reads several periods, and its page takes a core for a while.
REPORT = RateLimitItemPerMinute(20)

#: Each of the dear ones in the local mode, where a script may well do in one minute what others do in an hour.
LOCAL = RateLimitItemPerMinute(1_200)

_DEAR: dict[str, tuple[str, RateLimitItem]] = {
    "device_usage.refresh": ("refresh", ROUTER_CONTACT),
    "device_usage.get_current": ("live", LIVE),
    "device_usage.get_device_current": ("live", LIVE),
    "routers.register_router": ("router", ROUTER_CONTACT),
    "routers.test_router": ("router", ROUTER_CONTACT),
    "routers.update_router": ("router", ROUTER_CONTACT),  # the collector contacts it within a second
    "routers.accept_host_key": ("router", ROUTER_CONTACT),  # as above
    "export.export_csv": ("export", EXPORT),
    "export.export_json": ("export", EXPORT),
    "reports.generate_report": ("report", REPORT),
}

# ---------------------------------------------------------------------------------------------------------

_EXTENSION = "netpilot-rate-limits"

#: Tokens and cookies that were good at an address not long ago, and how many are remembered.
_FAMILIAR_S = 600.0
_MOST_FAMILIAR = 10_000


class _Familiar:
    """What was good a short while ago. A neighbour at the same address who guesses must not lock its owner out."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._lock = Lock()

    def remember(self, address: str, secret: str) -> None:
        with self._lock:
            key = address, _digest(secret)
            self._until[key] = time.monotonic() + _FAMILIAR_S
            self._until.move_to_end(key)
            while len(self._until) > _MOST_FAMILIAR:
                self._until.popitem(last=False)

    def forget(self, address: str, secret: str) -> None:
        with self._lock:
            self._until.pop((address, _digest(secret)), None)

    def knows(self, address: str, secret: str) -> bool:
        with self._lock:
            return self._until.get((address, _digest(secret)), 0.0) > time.monotonic()


class RateLimits:
    """The limits of one application. All raise RateLimited where nothing is left."""

    def __init__(self, limiter: Limiter, *, is_local: bool) -> None:
        self._limiter = limiter
        self._is_local = is_local
        self._familiar = _Familiar()

    def spend_for_address(self) -> None:
        """One request of an address; called before anything is known of who asks."""
        if request.blueprint == "health":
            return
        if not self._is_local:
            self._spend(ADDRESS, "address", client_network())
        if request.blueprint == "sign_in":
            self._spend(SIGN_IN, "sign-in", client_network())

    def spend_for_account(self, session_id: str) -> None:
        """One request of an account, and what it asks for if that is dear."""
        name, limit = _DEAR.get(request.endpoint or "", ("", ACCOUNT))
        if not self._is_local:
            self._spend(ACCOUNT, "account", session_id)
            if name:
                self._spend(limit, name, session_id)
        elif name and limit is not LIVE:
            self._spend(LOCAL, name, session_id)

    def check_guesses(self, secret: str) -> None:
        """Before a token or cookie is looked up: whether its address may still try, or it is known from there."""
        network = client_network()
        if not self._familiar.knows(network, secret) and not self._has_left(GUESSES, "guesses", network):
            self._refuse(GUESSES, "guesses", network)

    def count_guess(self, secret: str, *, was_good: bool) -> None:
        """After it was looked up."""
        network = client_network()
        if was_good:
            self._familiar.remember(network, secret)
            return
        self._familiar.forget(network, secret)
        if self._limiter.enabled:
            self._hit(GUESSES, "guesses", network)

    def _spend(self, limit: RateLimitItem, *what: str) -> None:
        if self._limiter.enabled and not self._hit(limit, *what):
            self._refuse(limit, *what)

    def _hit(self, limit: RateLimitItem, *what: str) -> bool:
        try:
            return self._limiter.limiter.hit(limit, *what)
        except StorageError as error:
            return _let_through(error)

    def _has_left(self, limit: RateLimitItem, *what: str) -> bool:
        if not self._limiter.enabled:
            return True
        try:
            return self._limiter.limiter.test(limit, *what)
        except StorageError as error:
            return _let_through(error)

    def _refuse(self, limit: RateLimitItem, *what: str) -> None:
        try:
            free_at = self._limiter.limiter.get_window_stats(limit, *what).reset_time
        except StorageError as error:
            _let_through(error)
            return
        raise RateLimited(retry_after_s=max(1, int(free_at - time.time()) + 1))


def register_rate_limits(app: Flask, *, storage_uri: str, is_enabled: bool, is_local: bool) -> None:
    """Count the requests of ``app``; what is counted per account is so once callers.py knows the account."""
    limiter = Limiter(
        client_network,
        storage_uri=storage_uri,
        storage_options={"wrap_exceptions": cast(int, True)},  # so that its errors are all StorageError
        strategy="moving-window",  # nobody gets twice as much around the full minute, and Retry-After is exact
        enabled=is_enabled,
    )
    limiter.init_app(app)
    if is_enabled and isinstance(limiter.storage, MemoryStorage):
        sweep_seldom(limiter.storage)
    limits = RateLimits(limiter, is_local=is_local)
    app.extensions[_EXTENSION] = limits
    app.before_request(limits.spend_for_address)


def rate_limits() -> RateLimits:
    """The limits of the application that handles this request."""
    return cast(RateLimits, current_app.extensions[_EXTENSION])


def client_network() -> str:
    """The address that asks; of IPv6 its /64."""
    return network_of(request.remote_addr or "")


def _let_through(error: StorageError) -> bool:
    """Without its storage nothing can be counted; the server goes on rather than refuse everybody."""
    logger.warning("RATELIMIT_STORAGE_URI does not answer, requests are not counted: %s", type(error).__name__)
    return True


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
