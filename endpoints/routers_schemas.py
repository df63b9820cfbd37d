"""What /api/routers takes and gives. Secrets go in and never come out."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from endpoints.common_schemas import Body, In, Out, Paged, Warned
from services.routers.credentials import Credentials
from utils.config import COLLECT_INTERVALS, checked_host, checked_username
from utils.time import parse_zone


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _one_line(value: str) -> str:
    if not value.strip() or _has_control_characters(value):
        raise ValueError("must be one line of text and not empty")
    return value.strip()


def _encodable(value: SecretStr) -> SecretStr:
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("has a character that is none") from None
    return value


def _typed(value: SecretStr) -> SecretStr:
    if _has_control_characters(value.get_secret_value()):
        raise ValueError("must not have control characters")
    return value


def _not_empty(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty; leave it out if there is none")
    return value


def _zone_name(value: str) -> str:
    return parse_zone(value).key


def _fingerprint(value: str) -> str:
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", value.strip()):
        raise ValueError("must be as ssh-keygen -l prints it: SHA256: and 43 characters")
    return value.strip()


def _interval(value: int) -> int:
    if value not in COLLECT_INTERVALS:
        raise ValueError(f"must be one of {', '.join(map(str, COLLECT_INTERVALS))}")
    return value


def _no_null(value: object) -> object:
    if value is None:
        raise ValueError("may be left out, but not null")
    return value


Name = Annotated[str, Field(max_length=255), AfterValidator(_one_line)]
Host = Annotated[str, Field(max_length=253), AfterValidator(checked_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Username = Annotated[str, Field(max_length=64), AfterValidator(checked_username)]
Password = Annotated[
    SecretStr,
    Field(max_length=1024, description="empty: the router lets its user in without one"),
    AfterValidator(_encodable),
    AfterValidator(_typed),
]
PrivateKey = Annotated[
    SecretStr,
    Field(max_length=32_768, description="OpenSSH or PEM text, without a passphrase"),
    AfterValidator(_encodable),
    AfterValidator(_not_empty),
]
ZoneName = Annotated[str, Field(max_length=64, description="as Europe/Berlin"), AfterValidator(_zone_name)]
Interval = Annotated[
    int,
    AfterValidator(_interval),
    Field(description="minutes: 5, 15, 30 or 60", json_schema_extra={"enum": list(COLLECT_INTERVALS)}),
]
NotNull = BeforeValidator(_no_null)

_SECRETS = {"password", "private_key"}


class _WithCredentials(Body):
    password: Password | None = None
    private_key: PrivateKey | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.password is not None and self.private_key is not None:
            raise ValueError("give a password or a privateKey, not both")
        return self

    def credentials(self) -> Credentials:
        """The secrets of the body, for the service."""
        return Credentials(
            password=self.password.get_secret_value() if self.password else None,
            private_key=self.private_key.get_secret_value() if self.private_key else None,
        )


class RouterIn(_WithCredentials):
    """A new router. Neither password nor key: the router lets its user in without."""

    name: Name
    host: Host
    port: Port = 22
    username: Username = "root"
    timezone: ZoneName | None = Field(default=None, description="the router tells it where left out")
    collect_interval_minutes: Interval | None = None


class RouterChangesIn(_WithCredentials):
    """What is left out stays. host, port and username change only together with the secret.

    An empty password takes the stored secret away: the router lets its user in without.
    """

    name: Annotated[Name | None, NotNull] = None
    host: Annotated[Host | None, NotNull] = None
    port: Annotated[Port | None, NotNull] = None
    username: Annotated[Username | None, NotNull] = None
    timezone: Annotated[ZoneName | None, NotNull] = None
    collect_interval_minutes: Annotated[Interval | None, NotNull] = None

    def changes(self) -> dict[str, object]:
        """What was given, under the names that the service knows."""
        return self.model_dump(exclude_unset=True, exclude=_SECRETS)

    def has_secret(self) -> bool:
        return self.password is not None or self.private_key is not None


class HostKeyIn(In):
    """The key to accept, as its owner knows it."""

    fingerprint: Annotated[
        str, Field(max_length=64, description="SHA256:…, the presentedHostKeyFingerprint"), AfterValidator(_fingerprint)
    ]


class RoutersQuery(Paged):
    """Which page of the account's routers."""


class RouterOut(Out):
    id: str
    name: str
    host: str
    port: int
    username: str
    host_key_fingerprint: str | None = Field(description="SHA256:…; null before first contact")
    presented_host_key_fingerprint: str | None = Field(
        description="SHA256:… of the key that the router showed last in place of the pinned one; normally null"
    )
    timezone: str | None = Field(description="null until you say it or the router told it")
    collect_interval_minutes: int
    created_at: datetime


class RegisteredRouterOut(RouterOut):
    warning: Warned | None = Field(default=None, description="why it could not be read just now")


class RoutersOut(Out):
    routers: list[RouterOut]


class DeletedOut(Out):
    deleted: str = Field(description="the id of what is gone")


class CheckOut(Out):
    check: str = Field(description="a step (ssh, nlbwmon, devices) or the code that a warning of the status has for it")
    ok: bool
    message: str
    fix: str | None = Field(default=None, description="what mends it: commands to run on the router")


class ChecksOut(Out):
    checks: list[CheckOut]
