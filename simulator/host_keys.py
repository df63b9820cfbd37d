"""Host keys of simulated routers."""

from __future__ import annotations

import io
import os
from pathlib import Path

import paramiko

# paramiko reads ed25519 keys but makes none; this library is what it stands on, so it is there whenever paramiko is.
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def new_host_key() -> paramiko.Ed25519Key:
    """A fresh ed25519 key."""
    return _load(_new_pem())


def host_key_from(path: Path) -> paramiko.Ed25519Key:
    """The key kept in a file, made at first, so that a restarted router is still the same one to its clients."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path.read_text())
    pem = _new_pem()
    with open(descriptor, "w") as file:
        file.write(pem)
    return _load(pem)


def _new_pem() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _load(pem: str) -> paramiko.Ed25519Key:
    return paramiko.Ed25519Key(file_obj=io.StringIO(pem))
