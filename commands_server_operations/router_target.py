"""What the caller hands in and gets back: which router, how to sign in there, and what a command answered."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class RouterTarget:
    """A router and the credentials for it. Its repr shows no secret."""

    #: The durable id of the account that owns the router.
    session_id: str
    router_id: str
    #: A host name or an IP address, as the user typed it.
    host: str
    port: int
    username: str
    password: str | None = field(default=None, repr=False)
    #: OpenSSH or PEM text, without a passphrase. Used instead of the password where both are given.
    private_key: str | None = field(default=None, repr=False)
    #: The pinned host key, ``ssh-ed25519 AAAA…``; None before first contact.
    host_key: str | None = None
    #: Which state of the router's record this is: what older credentials met says nothing of newer ones.
    changed_at: datetime | None = None
    #: A person asks for this contact by name: credentials that were refused are sent again before their time.
    by_request: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What connections are pooled by."""
        return self.session_id, self.router_id

    @property
    def where(self) -> str:
        """``host:port``, for messages and logs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """What one command answered."""

    stdout: bytes
    #: At most 64 KiB: its beginning.
    stderr: bytes
    #: None where the router closed the channel without one (a command killed by a signal, for example).
    exit_status: int | None
    #: Seconds from opening the channel to the exit status.
    duration_s: float
