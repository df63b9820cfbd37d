"""SSH keys as text: a router's public host key, and the private key a user signs in with."""

import base64
import hashlib
import io
import re

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_ssh_private_key,
)

#: An RSA host key has one name, ssh-rsa, and several signature algorithms.
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")

#: Characters. An RSA key of 4,096 bits has about 3,400.
_LONGEST_TEXT = 32_768

#: Bits. Whether the primes of a longer key are some takes seconds to minutes, in which this process does nothing else.
_LONGEST_RSA_KEY = 4_096

_PEM_BEGIN = re.compile(r"-----BEGIN ((?:RSA |EC |DSA |ENCRYPTED )?)PRIVATE KEY-----\n")

#: How long a piece of DER is: one byte, or one or two after a byte that says so.
_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..)"

#: The kinds of keys in PKCS#8, by their object identifiers: RSA, EC, Ed25519.
_KINDS = b"|".join(
    re.escape(bytes.fromhex(identifier))
    for identifier in ("06092a864886f70d010101", "06072a8648ce3d0201", "06032b6570")
)

#: How keys begin that are looked at further: one of those kinds in PKCS#8, RSA in PKCS#1, EC in SEC 1. Of others, only
#: to read one can take minutes: the public half of a DSA key is worked out then, however long it is.
_SUPPORTED_DER = re.compile(
    rb"\x30%b\x02\x01(?:[\x00\x01]\x30%b(?:%b)|\x00\x02|\x01\x04)" % (_LENGTH, _LENGTH, _KINDS), re.DOTALL
)

_UNREADABLE = "The private key can't be read; paste the whole file, with its first and last line."
_PROTECTED = "The private key is protected by a passphrase; give one without."
_OTHER_KIND = "The private key is of a kind that is not supported; use Ed25519, ECDSA or RSA."


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


def check_private_key(text: str) -> None:
    """Whether it is a key to store: what `load_private_key` says, and that an RSA key's numbers belong together.

    That takes a third of a second of an RSA key of 4,096 bits, and less of any other. Raises ValueError as it does.
    """
    loaded = _load(text)
    if isinstance(loaded, RSAPrivateKey):
        try:
            loaded.private_numbers().private_key()
        except ValueError:
            raise ValueError("The private key is damaged: its numbers are no RSA key.") from None
    _as_paramiko(loaded)


def load_private_key(text: str) -> paramiko.PKey:
    """An Ed25519, ECDSA or RSA key from OpenSSH, PKCS#1, SEC 1 or PKCS#8 text that was checked when it was stored.

    Raises ValueError with a message for the user, which quotes nothing of the key.
    """
    return _as_paramiko(_load(text))


def _load(text: str) -> object:
    """The key. Takes no time to speak of, whoever made it up: an RSA key's size is looked at, but not its primes."""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(_UNREADABLE)
    # Pasted keys come with Windows line ends and blanks around them.
    pem = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    der = None if "BEGIN OPENSSH PRIVATE KEY" in pem else _der_of(pem)
    try:
        if der is None:
            loaded: object = load_ssh_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        else:
            loaded = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm) as error:
        raise ValueError(_PROTECTED if "password" in str(error).lower() else _UNREADABLE) from None
    if isinstance(loaded, RSAPrivateKey) and not _is_short(loaded.private_numbers()):
        raise ValueError(f"The private key is too long; RSA keys may have up to {_LONGEST_RSA_KEY:,} bits.")
    return loaded


def _der_of(pem: str) -> bytes:
    """What stands between the first and the last line, where it begins as a key does that is supported."""
    begin = _PEM_BEGIN.search(pem)
    end = pem.find(f"\n-----END {begin[1]}PRIVATE KEY-----", begin.end()) if begin else -1
    if begin is None or end < 0:
        raise ValueError(_UNREADABLE)
    block = pem[begin.end() : end]
    if begin[1] == "ENCRYPTED " or block.startswith("Proc-Type: 4,ENCRYPTED"):
        raise ValueError(_PROTECTED)
    try:
        der = base64.b64decode(block.replace("\n", ""), validate=True)
    except ValueError:
        raise ValueError(_UNREADABLE) from None
    if not _SUPPORTED_DER.match(der):
        raise ValueError(_OTHER_KIND)
    return der


def _is_short(key: RSAPrivateNumbers) -> bool:
    """Each number by itself: one that is far longer than the others is no less work."""
    others = (key.d, key.dmp1, key.dmq1, key.iqmp, key.public_numbers.n, key.public_numbers.e)
    longest_prime = max(key.p, key.q).bit_length()
    return longest_prime <= _LONGEST_RSA_KEY // 2 and max(others).bit_length() <= _LONGEST_RSA_KEY


def _as_paramiko(loaded: object) -> paramiko.PKey:
    if isinstance(loaded, RSAPrivateKey):
        return paramiko.RSAKey(key=loaded)  # read from text, it would look at the primes
    kind: type[paramiko.PKey]
    if isinstance(loaded, Ed25519PrivateKey):
        kind = paramiko.Ed25519Key
    elif isinstance(loaded, EllipticCurvePrivateKey):
        kind = paramiko.ECDSAKey
    else:
        raise ValueError(_OTHER_KIND)
    try:
        # OpenSSH's own format is the one that paramiko reads for both.
        openssh = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return kind.from_private_key(io.StringIO(openssh.decode("ascii")))
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        raise ValueError("The private key uses a curve or size that is not supported.") from None
