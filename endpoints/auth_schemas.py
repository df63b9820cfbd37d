"""What /api/auth takes and gives."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from endpoints.common_schemas import Body, Out, Paged
from services.accounts.api_tokens import TokenScope
from services.audit import AuditAction

_MOST_DAYS = 365


class UserOut(Out):
    id: str
    name: str
    email: str | None = Field(description="null in the local mode")
    auth_mode: Literal["local", "google"] = Field(
        description="local: no sign-in, this machine only; google: who signed in at the OpenID Connect provider"
    )


class MeOut(Out):
    user: UserOut
    csrf_token: str | None = Field(
        description="a signed-in browser sends it with every write, in the header X-CSRFToken; null for all others"
    )


class SessionOut(Out):
    id: str
    created_at: datetime
    last_seen_at: datetime = Field(description="to the minute")
    expires_at: datetime = Field(description="then at the latest one has to sign in again")
    address: str = Field(description="where it was signed in from")
    user_agent: str
    is_current: bool = Field(description="the browser that asks")


class SessionsOut(Out):
    sessions: list[SessionOut] = Field(description="the one seen last first")


class SignedOutOut(Out):
    signed_out: int = Field(description="how many browsers")


def _named(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be one line of text and not empty")
    return value


def _scope(value: str) -> str:
    if value not in list(TokenScope):
        raise ValueError(f"must be one of {', '.join(TokenScope)}")
    return value


class TokenIn(Body):
    name: Annotated[str, Field(max_length=255), AfterValidator(_named)] = Field(description="what it is for")
    scope: Annotated[str, AfterValidator(_scope)] = Field(default="read", description="read or write")
    expires_in_days: int = Field(default=90, ge=1, le=_MOST_DAYS, description=f"at most {_MOST_DAYS}")

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=self.expires_in_days)


class TokenOut(Out):
    id: str
    name: str
    scope: TokenScope
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="to the minute; null: never")


class IssuedTokenOut(TokenOut):
    token: str = Field(description="shown this once: send it as Authorization: Bearer")


class TokensOut(Out):
    tokens: list[TokenOut] = Field(description="the newest first; also those that have run out")


class AuditQuery(Paged):
    """Which page of the audit log."""


class AuditEntryOut(Out):
    at: datetime
    action: AuditAction
    subject: str = Field(
        description="what it was done to: an id, a MAC, an e-mail, the days of an export; with the fields that changed"
    )
    actor: str = Field(
        description="the id of the browser or token that did it; empty in the local mode and where the server did"
    )
    address: str = Field(description="where the request came from; empty where there was none")


class AuditOut(Out):
    entries: list[AuditEntryOut] = Field(description="the latest first")


class Nothing(Out):
    """An answer that says only that it was done."""
