"""Every error a user can meet: its code for programs, its HTTP status, its default message for people.

Raised anywhere below the endpoints, turned into the failure envelope by one handler above them.
The docstring of a class is its default message.
"""

from collections.abc import Mapping
from typing import ClassVar


class NetPilotError(Exception):
    """Something went wrong inside the server. It has been logged; please try again."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    #: True where trying the same again can't help until a person changes something.
    permanent: ClassVar[bool] = False
    #: What mends it: a command to run on the router, or something to do here.
    fix: str | None = None

    def __init__(self, message: str | None = None, *, details: Mapping[str, object] | None = None) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        #: What a program can act on, such as ``{field: what is wrong}``.
        self.details = dict(details) if details else None
        super().__init__(self.message)


# --- the request -----------------------------------------------------------------------------------------


class ValidationFailed(NetPilotError):
    """The request has a value that can't be used."""

    code = "VALIDATION_ERROR"
    status = 400


class RouterRequired(NetPilotError):
    """Say which router is meant: ?routerId= or the header X-Router-Id."""

    code = "ROUTER_REQUIRED"
    status = 400


class RequestRefused(NetPilotError):
    """The request came from a page of another site and was not carried out."""

    code = "CSRF_FAILED"
    status = 403


class Unauthenticated(NetPilotError):
    """Sign in first, or send a token: Authorization: Bearer."""

    code = "UNAUTHENTICATED"
    status = 401


class CredentialsRefused(Unauthenticated):
    """The token or the session is unknown, has ended or has run out."""


class SignedInTooLongAgo(Unauthenticated):
    """Sign in again and repeat it: this is done only within an hour of a sign-in."""


class AccountGone(Unauthenticated):
    """This account was deleted just now."""


class CsrfFailed(RequestRefused):
    """Send the header X-CSRFToken with what GET /api/auth/me says."""


class InsufficientScope(NetPilotError):
    """This token may only read."""

    code = "INSUFFICIENT_SCOPE"
    status = 403


class SignInRefused(NetPilotError):
    """You may not sign in here."""

    code = "SIGN_IN_REFUSED"
    status = 403


class SignInUnavailable(NetPilotError):
    """The sign-in provider does not answer as it should. Try again shortly."""

    code = "SIGN_IN_UNAVAILABLE"
    status = 503


class RateLimited(NetPilotError):
    """Too many requests. Wait as many seconds as Retry-After says."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(
        self, message: str | None = None, *, retry_after_s: int = 60, details: Mapping[str, object] | None = None
    ) -> None:
        #: Seconds until the same request may be made again.
        self.retry_after_s = retry_after_s
        super().__init__(message, details=details)


class NotFound(NetPilotError):
    """There is nothing at this address."""

    code = "NOT_FOUND"
    status = 404


class RouterNotFound(NetPilotError):
    """There is no such router."""

    code = "ROUTER_NOT_FOUND"
    status = 404


class DeviceNotFound(NetPilotError):
    """This router has no such device."""

    code = "DEVICE_NOT_FOUND"
    status = 404


class MethodNotAllowed(NetPilotError):
    """This address does not take that method."""

    code = "METHOD_NOT_ALLOWED"
    status = 405


class Conflict(NetPilotError):
    """The change conflicts with what is stored."""

    code = "CONFLICT"
    status = 409


class PayloadTooLarge(NetPilotError):
    """The request's body is larger than this server takes."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


# --- the router ------------------------------------------------------------------------------------------


class RouterError(NetPilotError):
    """The router could not be read."""

    code = "ROUTER_UNREACHABLE"
    status = 502


class RouterUnreachable(RouterError):
    """The router does not answer at its address. Is it on, and is its SSH port open to this server?"""

    fix = "Check that the router is on, its address and port, and that this server can reach its SSH port."


class RouterAuthFailed(RouterError):
    """The router refused the user name, the password or the key."""

    code = "ROUTER_AUTH_FAILED"
    permanent = True
    fix = "Enter the password or key again, or add the public key to /etc/dropbear/authorized_keys."


class HostKeyChanged(RouterError):
    """The router shows another host key than the pinned one. No credentials were sent."""

    code = "HOST_KEY_CHANGED"
    permanent = True
    #: Where it isn't known which key it showed; else the command that accepts that one.
    fix = "Find out who answers at the address. Should the router show its new key again, it can be accepted."

    def __init__(
        self,
        message: str | None = None,
        *,
        presented: str | None = None,
        accept_with: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """``accept_with``: the command that accepts the key, for a person who knows why it changed."""
        #: The key shown in place of the pinned one, ``ssh-ed25519 AAAA…``.
        self.presented = presented
        if accept_with is not None:
            self.fix = accept_with
        super().__init__(message, details=details)


class RouterAddressNotAllowed(RouterError):
    """The router's address is not in one of the networks that ROUTER_ALLOWED_NETWORKS allows."""

    code = "ROUTER_ADDRESS_NOT_ALLOWED"
    permanent = True
    fix = "Add the router's network to ROUTER_ALLOWED_NETWORKS and start the server again."


class NlbwmonMissing(RouterError):
    """nlbwmon is not installed on the router. Run there: opkg update && opkg install nlbwmon"""

    code = "NLBWMON_MISSING"
    permanent = True
    fix = "opkg update && opkg install nlbwmon"


class NlbwmonDown(RouterError):
    """nlbwmon is installed but does not answer. Run on the router: /etc/init.d/nlbwmon restart"""

    code = "NLBWMON_DOWN"
    fix = "/etc/init.d/nlbwmon restart"


class BadRouterOutput(RouterError):
    """The router answered with something that is not nlbwmon's output. Nothing of it was stored."""

    code = "BAD_ROUTER_OUTPUT"
    fix = "Run there and look at its answer: nlbw -c json"


class ReadingPutOff(BadRouterOutput):
    """The router is in the middle of something. Nothing is lost; the reading is put off by a minute."""


class RolloverInProgress(ReadingPutOff):
    """The router is just beginning a new accounting period. Nothing is lost; the reading is put off by a minute."""


class SavedMeanwhile(ReadingPutOff):
    """The router saved its counters while it was being read. Nothing is lost; the reading is put off by a minute."""


class TooManyLargeAnswers(ReadingPutOff):
    """Large answers of other routers are being worked on. Nothing is lost; the reading is put off by a minute."""


class FileUnreadable(ReadingPutOff):
    """The router can't read out a file that is needed. Nothing is lost; the reading is put off by a minute."""


class TooManyDevices(BadRouterOutput):
    """The router's answer names more devices than ROUTER_MAX_DEVICES allows. Nothing of it was stored."""


class OutputTooLarge(RouterError):
    """The router's answer is larger than ROUTER_MAX_OUTPUT_BYTES. Nothing of it was stored."""

    code = "OUTPUT_TOO_LARGE"
    fix = "Raise ROUTER_MAX_OUTPUT_BYTES."


class RowsFrozen(RouterError):
    """No counter of nlbwmon has moved for several readings although devices are active: it is not counting."""

    code = "ROWS_FROZEN"
    fix = "/etc/init.d/nlbwmon restart"


class ServerClock(RouterError):
    """The last reading is stamped ahead of this server's clock, which is wrong or was."""

    code = "SERVER_CLOCK"
    status = 503
    fix = "Set the clock of the machine that this server runs on: timedatectl set-ntp true"


class RouterTimeout(RouterError):
    """The router did not finish its answer in time."""

    code = "ROUTER_TIMEOUT"
    status = 504
    fix = "Check the router's load and the network to it."


# --- the database ----------------------------------------------------------------------------------------


class DatabaseUnavailable(NetPilotError):
    """The database does not answer at the moment. Nothing was lost; try again shortly."""

    code = "DATABASE_UNAVAILABLE"
    status = 503


def fix_for(code: str) -> str | None:
    """What mends the router error that has ``code``; None where nothing general can be said."""
    return next((kind.fix for kind in RouterError.__subclasses__() if kind.code == code), None)
