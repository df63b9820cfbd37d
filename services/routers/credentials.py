"""Router passwords and keys: encrypted before they reach the database, opened only to sign in to a router."""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from utils.config import ConfigurationError
from utils.errors import RouterAuthFailed


class CredentialsUnreadable(RouterAuthFailed):
    """The stored credentials can't be opened with the present CREDENTIALS_KEYS. Enter the router's password again."""

    #: Whoever runs the server may put the key back at any moment, and no router is bothered meanwhile.
    permanent = False


@dataclass(frozen=True)
class Credentials:
    """How to sign in to a router: a password or a private key (OpenSSH or PEM text), or neither."""

    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)


class CredentialVault:
    """Encrypts with the newest key, decrypts with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        """``keys``: Fernet keys, newest first. Raises ValueError for one that is none."""
        self._first = ""
        self.use(keys)

    def use(self, keys: Sequence[str]) -> bool:
        """Take these in place of those that it has; whether the newest is another one. Raises ValueError as above."""
        fernets = [Fernet(key) for key in keys]
        self._any, self._newest = MultiFernet(fernets), fernets[0]
        was, self._first = self._first, keys[0]
        return was != keys[0]

    def seal(self, credentials: Credentials) -> bytes:
        text = json.dumps({"password": credentials.password, "privateKey": credentials.private_key})
        return self._newest.encrypt(text.encode())

    def open(self, sealed: bytes) -> Credentials:
        try:
            values = json.loads(self._any.decrypt(sealed))
        except InvalidToken:
            raise CredentialsUnreadable from None
        return Credentials(password=values["password"], private_key=values["privateKey"])

    def reseal(self, sealed: bytes) -> bytes | None:
        """The same encrypted with the newest key; None where it is already. Raises CredentialsUnreadable."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            try:
                return self._any.rotate(sealed)
            except InvalidToken:
                raise CredentialsUnreadable from None
        return None


_FILE = "credentials.key"


def load_or_create_keys(data_dir: Path) -> list[str]:
    """The Fernet keys kept in ``data_dir`` (mode 0600), newest first, one a line. The first one is made at first start.

    Written whole before it gets its name, one process at a time: a crash leaves no half key, and two servers that
    start at once share one. Raises ConfigurationError for a line that is no key.
    """
    path = data_dir / _FILE
    folder = os.open(data_dir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists() or not path.read_bytes().strip():
            descriptor, name = mkstemp(dir=data_dir, prefix="credentials.")  # mode 0600
            with os.fdopen(descriptor, "w") as file:
                file.write(Fernet.generate_key().decode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        return stored_keys(data_dir)
    finally:
        os.close(folder)


def stored_keys(data_dir: Path) -> list[str]:
    """The same where they are there already. Raises ConfigurationError for none or a line that is no key, OSError."""
    path = data_dir / _FILE
    try:
        keys = path.read_text().split()
        CredentialVault(keys)
    except ValueError:  # bytes that are no text, too
        raise ConfigurationError(f"{path}: holds something that is no key; put the old file back") from None
    return keys
