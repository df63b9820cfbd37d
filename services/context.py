"""Whose router a call is about. Endpoints make it from the request, the collector from a router's record."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RouterContext:
    """One router of one account. Every query that serves a request is bound to both."""

    session_id: str
    router_id: str
