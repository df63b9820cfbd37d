"""How many requests of one account are served at the same time: each holds a web thread, and some wait for a router.

rate_limits.py counts how often one asks; that keeps nobody from asking all of it in the same moment.
"""

from collections import Counter
from functools import partial
from threading import Lock
from typing import cast

from flask import Flask, Response, current_app, g

from endpoints.web_server import WEB_THREADS
from utils.errors import RateLimited

#: A sixth of the web threads. A dashboard asks for a dozen things when it is opened. And never more than there are
#: threads free: so many accounts as may come, those that want all leave as many free as each of them has.
MOST_AT_ONCE = 16

_EXTENSION = "netpilot-requests-at-once"


class RequestsAtOnce:
    """Those that are being served, of each account."""

    def __init__(self, *, is_limited: bool) -> None:
        self._is_limited = is_limited
        self._served: Counter[str] = Counter()
        self._lock = Lock()

    def enter(self, session_id: str) -> None:
        """One more of the account, until this request ends. Raises RateLimited where it has as many as it may.

        Those who sign in have no account yet, and are one together.
        """
        with self._lock:
            theirs, free = self._served[session_id], WEB_THREADS - self._served.total()
            if self._is_limited and theirs >= min(MOST_AT_ONCE, max(1, free)):
                message = f"{theirs} request(s) like this one are being served. Try again when one of them is done."
                raise RateLimited(message, retry_after_s=1)
            self._served[session_id] += 1
        g.served_account = session_id

    def leave_after(self, response: Response) -> Response:
        """A download goes on when the request is over: it ends with its last byte, or with the client."""
        if response.is_streamed and "served_account" in g:
            response.call_on_close(partial(self._leave, g.pop("served_account")))
        return response

    def leave(self, _: BaseException | None) -> None:
        if "served_account" in g:
            self._leave(g.pop("served_account"))

    def _leave(self, session_id: str) -> None:
        with self._lock:
            self._served[session_id] -= 1
            if not self._served[session_id]:
                del self._served[session_id]


def register_requests_at_once(app: Flask, *, is_limited: bool) -> None:
    """Let go of the requests of ``app`` when they end; callers.py says whose they are."""
    at_once = RequestsAtOnce(is_limited=is_limited)
    app.extensions[_EXTENSION] = at_once
    app.after_request(at_once.leave_after)
    app.teardown_request(at_once.leave)


def requests_at_once() -> RequestsAtOnce:
    """Those of the application that handles this request."""
    return cast(RequestsAtOnce, current_app.extensions[_EXTENSION])
