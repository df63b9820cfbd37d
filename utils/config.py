"""The server's configuration: read once at start from the environment and ``.env``, every value checked.

A bad value names itself (`ConfigurationError`) and the server exits with 2. docs/configuration.md explains
each variable for people; a test keeps the two in step.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from limits.storage import storage_from_string
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from utils.time import parse_zone
from utils.weak_secrets import is_guessable_key, is_guessable_text, is_placeholder

CollectInterval = Literal[5, 15, 30, 60]

#: What is wrong with a DATABASE_URL; libpq's own words may quote the password.
NO_DATABASE_URL = (
    "not a URL such as postgresql://user:password@host:5432/database; "
    "in a user or password write @ as %40, / as %2F and % as %25, and behind a ? only parameters of libpq"
)

#: How often a router may be collected, in minutes.
COLLECT_INTERVALS: tuple[CollectInterval, ...] = (5, 15, 30, 60)


class ConfigurationError(Exception):
    """One or more environment variables can't be used; the message names each and says why."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _as_network(value: object) -> object:
    return ip_network(value) if isinstance(value, str) else value


_ORIGIN = re.compile(r"(https?)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")

_PORT_OF_SCHEME = {"http": "80", "https": "443"}


def _exact_origin(value: str) -> str:
    """As browsers write it: in lower case, without the port that the scheme has anyway."""
    found = _ORIGIN.fullmatch(value.lower())
    if found is None:
        raise ValueError(f"{value!r} is not an exact origin such as https://dash.example.org")
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (f":{port}" if port and port != _PORT_OF_SCHEME[scheme] else "")


def _http_url(value: str) -> str:
    """Its origin is written as browsers write it; no slash at its end."""
    scheme, _, rest = value.partition("://")
    authority, slash, path = rest.partition("/")
    try:
        return (_exact_origin(f"{scheme}://{authority}") + slash + _plain_path(path)).rstrip("/")
    except ValueError:  # its message would show what may be a password
        raise ValueError("not a URL such as https://netpilot.example.org") from None


def _plain_path(path: str) -> str:
    if set(path) & set("?#\\ ") or not path.isprintable():
        raise ValueError
    return path


def _https_url(value: str) -> str:
    """What is asked there and answered is worth stealing; only this machine may do without https."""
    url = _http_url(value)
    if not url.startswith("https://") and not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("must begin with https://")
    return url


_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"

#: Labels with a dot between two. The last one is no number: what ends in one would be an IPv4 address.
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?")

_USERNAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*\$?")


def checked_host(value: str) -> str:
    """A host name or IP address as people write one; what it means is judged when connecting. Raises ValueError."""
    if len(value) > 253 or not (_HOST_NAME.fullmatch(value) or _is_ip_address(value)):
        hint = "; the port has a field of its own" if ":" in value else ""
        raise ValueError(f"not a host name or IP address{hint}")
    return value


def checked_username(value: str) -> str:
    """A user name that a Unix machine may have. Raises ValueError."""
    if len(value) > 64 or not _USERNAME.fullmatch(value):
        raise ValueError("not a user name; up to 64 letters, digits and . _ - with no - at the start")
    return value


def _is_ip_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return "%" not in value  # the zone of a link-local address means something on one machine alone


def _interval(value: object) -> object:
    if str(value) not in map(str, COLLECT_INTERVALS):
        raise ValueError(f"must be one of {', '.join(map(str, COLLECT_INTERVALS))}")
    return int(str(value))


def _fernet_keys(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """The older ones may be such as can be guessed: somebody changes to a better one."""
    keys = [value.get_secret_value() for value in values]
    try:
        for key in keys:
            Fernet(key)
        is_random = not keys or not is_guessable_key(keys[0])
    except ValueError:
        is_random = False
    if not is_random:
        raise ValueError(
            "not a random key; make one with: python -c "
            "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        )
    return values


def _strong_secret(value: SecretStr) -> SecretStr:
    if is_guessable_text(value.get_secret_value()):
        raise ValueError(
            "too weak, at least 32 random characters; make one with: python -c "
            "'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return value


def _limit_storage(value: SecretStr) -> SecretStr:
    try:
        storage_from_string(value.get_secret_value())
    except Exception:  # each kind of storage has its own, also for a package that is missing
        raise ValueError(
            "not a storage such as memory:// or redis://127.0.0.1:6379; one that needs a package needs it installed"
        ) from None
    return value


def _email_or_domain(value: str) -> str:
    name, at, domain = value.strip().lower().rpartition("@")
    if not at or "@" in name or not domain or any(character.isspace() for character in value):
        raise ValueError(f"{value!r} is neither an address such as anna@example.org nor a domain such as @example.org")
    return f"{name}@{domain}"


CommaSeparated = BeforeValidator(_split)
AllowedEmail = Annotated[str, AfterValidator(_email_or_domain)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_as_network)]
Origin = Annotated[str, AfterValidator(_exact_origin)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[int, Field(ge=0, le=36_500)]
UpperCase = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)


class Config(BaseSettings):
    """Every environment variable of the server, parsed. Names in the environment are upper case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    database_url: SecretStr | None = None
    data_dir: Path = Path("data")
    auth_mode: Literal["local", "google"] = "local"
    host: str = "127.0.0.1"
    port: Port = 5000
    public_url: Annotated[str, AfterValidator(_http_url)] | None = None
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    oidc_discovery_url: Annotated[str, AfterValidator(_https_url)] = (
        "https://accounts.google.com/.well-known/openid-configuration"
    )
    allowed_emails: Annotated[tuple[AllowedEmail, ...], NoDecode, CommaSeparated] = ()
    secret_key: Annotated[SecretStr, AfterValidator(_strong_secret)] | None = None
    session_idle_hours: Annotated[float, Field(gt=0, le=8_760)] = 168
    session_max_days: Annotated[float, Field(gt=0, le=365)] = 30
    credentials_keys: Annotated[tuple[SecretStr, ...], AfterValidator(_fernet_keys), NoDecode, CommaSeparated] = ()
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, CommaSeparated] = ()
    ratelimit_enabled: bool = True
    ratelimit_storage_uri: Annotated[SecretStr, AfterValidator(_limit_storage)] = SecretStr("memory://")
    collector_enabled: bool = True
    collect_interval_minutes: Annotated[CollectInterval, BeforeValidator(_interval)] = 5
    collector_workers: Annotated[int, Field(ge=1, le=256)] = 16
    router_allowed_networks: Annotated[tuple[Network, ...], NoDecode, CommaSeparated] = (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("fc00::/7"),
    )
    router_connect_timeout_s: Seconds = 10
    router_command_timeout_s: Seconds = 30
    router_max_output_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 16 * 2**20
    device_vanished_days: Days = 7
    account_max_routers: Annotated[int, Field(ge=1, le=100_000)] = 100
    router_max_devices: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    router_max_link_gbitps: Annotated[float, Field(gt=0, le=100_000)] = 100
    raw_retention_days: Days = 35
    hourly_retention_days: Days = 400
    daily_retention_days: Days = 0
    audit_retention_days: Days = 365
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], UpperCase] = "INFO"
    log_format: Literal["text", "json"] = "text"

    # One router registered for the local user at start.
    router_host: Annotated[str, AfterValidator(checked_host)] | None = None
    router_port: Port = 22
    router_username: Annotated[str, AfterValidator(checked_username)] = "root"
    router_password: SecretStr | None = None
    router_key_file: Path | None = None
    router_timezone: Annotated[str | None, AfterValidator(lambda v: v and parse_zone(v).key)] = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_unset(cls, value: object, info: Any) -> object:
        """``NAME=`` in an .env file is how people leave a variable at its default."""
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[info.field_name].get_default()
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url_is_libpq(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                parts = urlsplit(value.get_secret_value())
                is_url = parts.scheme in ("postgresql", "postgres") and (parts.port or 1) > 0
                # libpq would take what is behind the first @ of a password for the host, and name it in its errors.
                is_url = is_url and parts.netloc.count("@") <= 1 and "@" not in parts.path
            except ValueError:  # a port that is no number; the message would show the URL
                is_url = False
            if not is_url:
                raise ValueError(NO_DATABASE_URL)
        return value

    @field_validator("router_key_file")
    @classmethod
    def _key_file_is_readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("no such file")
        return value

    @field_validator("host")
    @classmethod
    def _local_mode_stays_on_loopback(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("auth_mode") == "local" and not is_loopback(value):
            raise ValueError(
                f"AUTH_MODE=local has no sign-in and is only for this machine; {value!r} is no loopback address, "
                "use 127.0.0.1"
            )
        return value

    @model_validator(mode="after")
    def _sign_in_has_what_it_needs(self) -> Self:
        """All that is missing at once, each by its name."""
        if self.auth_mode == "local":
            return self
        needed = {
            "PUBLIC_URL": self.public_url,
            "GOOGLE_CLIENT_ID": self.google_client_id,
            "GOOGLE_CLIENT_SECRET": self.google_client_secret,
            "SECRET_KEY": self.secret_key,
            "CREDENTIALS_KEYS": self.credentials_keys,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ValueError(
                f"AUTH_MODE={self.auth_mode} needs {', '.join(missing)}; docs/configuration.md explains each"
            )
        if self.router_host:
            raise ValueError(
                "ROUTER_HOST: only for AUTH_MODE=local, whose one account gets that router; "
                "where people sign in, each registers his own"
            )
        database = urlsplit(self.database_url.get_secret_value()) if self.database_url else None
        if database and is_placeholder(database.password or ""):
            raise ValueError("DATABASE_URL: its password looks like an example's; choose another one")
        parts = urlsplit(self.public_url or "")
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ValueError("PUBLIC_URL: must begin with https:// where people sign in over a network")
        if parts.path:
            raise ValueError("PUBLIC_URL: must have no path where people sign in")
        return self

    @property
    def has_sign_in(self) -> bool:
        return self.auth_mode != "local"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the server by https alone."""
        return self.base_url.startswith("https://")

    @property
    def doubts(self) -> list[str]:
        """What can be meant, but is more often forgotten: said at start."""
        doubts = [
            f"{path} has secrets in it that other accounts of this machine can read: chmod 600 {path}"
            for path in self._files_with_secrets
            if _is_open_to_others(path)
        ]
        if not self.has_sign_in:
            return doubts
        if not self.allowed_emails:
            doubts.append("ALLOWED_EMAILS is empty: everybody who has an account at the sign-in provider gets in")
        if self.is_https and not self.trusted_proxies:
            doubts.append(
                "PUBLIC_URL is https and TRUSTED_PROXIES is 0: everybody has the proxy's address, in limits and logs"
            )
        return doubts

    @property
    def _files_with_secrets(self) -> list[Path]:
        """Where they may be; not each of the files is there."""
        secrets = (self.router_password, self.secret_key, self.google_client_secret, self.database_url)
        env = [Path(".env")] if any((*secrets, self.credentials_keys)) else []
        return env + [self.data_dir / "credentials.key"] + ([self.router_key_file] if self.router_key_file else [])

    @property
    def base_url(self) -> str:
        """Where people reach the server, without a slash at its end."""
        host = self.host.strip("[]")
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:  # it isn't there
        return False


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine alone. Names other than localhost are not resolved: they say no."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def load_config(**overrides: Any) -> Config:
    """The configuration from environment, ``.env`` and ``overrides``; ConfigurationError names what is bad."""
    try:
        return Config(**overrides)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(problem) for problem in error.errors())) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f".env: not UTF-8 at byte {error.start + 1}; save it as UTF-8") from None


def _explain(problem: Any) -> str:
    """One line a variable: its name, what is wrong. The value is left out, as it may be a secret."""
    message = problem["msg"].removeprefix("Value error, ")
    return f"{str(problem['loc'][0]).upper()}: {message}" if problem["loc"] else message
