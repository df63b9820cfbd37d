"""SSH keys as text: a router's public host key, and the private key a user signs in with."""

import base64
import hashlib
import io

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

#: An RSA host key has one name, ssh-rsa, and several signature algorithms.
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


def fingerprint(host_key: str) -> str:
    """``SHA256:…`` of ``ssh-ed25519 AAAA…``, as ssh-keygen -l prints it. Raises ValueError if it is no key."""
    fields = host_key.split()
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (IndexError, ValueError):
        raise ValueError("not a public key; it has the form 'ssh-ed25519 AAAA…'") from None
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def describe_host_key(host_key: str) -> str:
    """Its type and fingerprint for a message, also where the text is damaged."""
    try:
        return f"{host_key.split()[0]} {fingerprint(host_key)}"
    except (ValueError, IndexError):
        return "an unreadable key"


def same_host_key(one: str, other: str) -> bool:
    """Whether both are the same key; a comment behind it doesn't count."""
    return one.split()[:2] == other.split()[:2]


def signature_algorithms(host_key: str) -> tuple[str, ...]:
    """The algorithms with which a router proves that it holds ``host_key``."""
    key_type = (host_key.split() or [""])[0]
    return _RSA_SIGNATURES if key_type == "ssh-rsa" else (key_type,)


def load_private_key(text: str) -> paramiko.PKey:
    """An Ed25519, ECDSA or RSA key from OpenSSH, PKCS#1, SEC 1 or PKCS#8 text.

    Raises ValueError with a message for the user, which quotes nothing of the key.
    """
    # Pasted keys come with Windows line ends and blanks around them.
    data = ("\n".join(line.strip() for line in text.strip().splitlines()) + "\n").encode()
    try:
        if b"BEGIN OPENSSH PRIVATE KEY" in data:
            loaded: object = load_ssh_private_key(data, password=None)
        else:
            loaded = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            raise ValueError("The private key is protected by a passphrase; give one without.") from None
        raise ValueError("The private key can't be read; paste the whole file, with its first and last line.") from None
    kind: type[paramiko.PKey]
    if isinstance(loaded, Ed25519PrivateKey):
        kind = paramiko.Ed25519Key
    elif isinstance(loaded, EllipticCurvePrivateKey):
        kind = paramiko.ECDSAKey
    elif isinstance(loaded, RSAPrivateKey):
        kind = paramiko.RSAKey
    else:
        raise ValueError("The private key is of a kind that is not supported; use Ed25519, ECDSA or RSA.")
    try:
        # OpenSSH's own format is the one that paramiko reads for every kind.
        openssh = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return kind.from_private_key(io.StringIO(openssh.decode("ascii")))
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        raise ValueError("The private key uses a curve or size that is not supported.") from None
