"""Private keys that somebody pastes: what is made up to keep the server busy is refused before it is worked on."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from commands_server_operations import ssh_keys
from commands_server_operations.ssh_keys import check_private_key, load_private_key

BOTH = pytest.mark.parametrize("read", [check_private_key, load_private_key])


def mersenne(exponent: int) -> int:
    """A prime of so many bits for certain exponents, which needs no looking for."""
    return (1 << exponent) - 1


def test_an_rsa_key_of_4096_bits_is_taken() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    for form in (PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        check_private_key(text)
        assert load_private_key(text).get_bits() == 4096


@BOTH
@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("exponents", [(4423, 9689), (2203, 1279)])
def test_long_rsa_keys_and_long_primes_are_refused_unlooked_at(
    read: Callable[[str], object], form: PrivateFormat, exponents: tuple[int, int]
) -> None:
    """To look at their primes takes up to minutes, in which no other request is answered."""
    with pytest.raises(ValueError, match=r"up to 4,096 bits"):
        read(rsa_text(mersenne(exponents[0]), mersenne(exponents[1]), form))


@BOTH
def test_a_prime_that_is_longer_than_its_modulus_is_refused_unlooked_at(read: Callable[[str], object]) -> None:
    prime = mersenne(11213)
    text = pem("RSA PRIVATE KEY", sequence(*map(integer, (0, 2**1024 + 1, 65537, 99, prime, prime, 3, 3, 3))))
    with pytest.raises(ValueError, match=r"up to 4,096 bits"):
        read(text)


@BOTH
@pytest.mark.parametrize(
    "algorithm", ["2a8648ce380401", "2a864886f70d010301", "2a8648ce3e0201"], ids=["DSA", "DH", "X9.42 DH"]
)
def test_keys_of_other_kinds_are_refused_unread(read: Callable[[str], object], algorithm: str) -> None:
    """Their public halves would be worked out: half a minute for a DSA key of 40,000 bits."""
    long = [integer(2**40_000 - one) for one in (3, 5, 7)]
    key = sequence(integer(0), sequence(der(6, bytes.fromhex(algorithm)), sequence(*long)), der(4, long[0]))
    for label in ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"):
        with pytest.raises(ValueError, match="Ed25519, ECDSA or RSA"):
            read(pem(label, key))


def test_a_damaged_rsa_key_is_refused_when_it_is_stored() -> None:
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    fields = (0, numbers.public_numbers.n, 65537, numbers.d, numbers.p, numbers.q + 2, numbers.dmp1, numbers.dmq1, 1)
    with pytest.raises(ValueError, match="damaged"):
        check_private_key(pem("RSA PRIVATE KEY", sequence(*map(integer, fields))))


@BOTH
def test_a_text_that_is_far_too_long_is_refused(read: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        read("-----BEGIN PRIVATE KEY-----\n" * 100_000)


@BOTH
def test_many_beginnings_cost_no_more_than_one(read: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each of them is followed to the end of the text, these take hours."""
    monkeypatch.setattr(ssh_keys, "_LONGEST_TEXT", 10**8)
    with pytest.raises(ValueError, match="can't be read"):
        read("-----BEGIN PRIVATE KEY-----\n" * 100_000)


def test_an_ec_key_behind_its_parameters_is_taken() -> None:
    """As `openssl ecparam -genkey` writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    parameters = pem("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107"))
    check_private_key(parameters + text)
    assert load_private_key(parameters + text).get_name() == "ecdsa-sha2-nistp256"


def test_an_ecdsa_key_with_a_compressed_point_is_refused_and_nothing_breaks() -> None:
    """cryptography has an error of its own for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    lines = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode().splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))
    point = blob.index(b"\x00\x00\x00\x41\x04") + 4
    text = base64.b64encode(blob[:point] + b"\x02" + blob[point + 1 :]).decode()
    with pytest.raises(ValueError, match="can't be read"):
        load_private_key("\n".join((lines[0], text, lines[-1])))


def rsa_text(p: int, q: int, form: PrivateFormat) -> str:
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def sequence(*parts: bytes) -> bytes:
    return der(0x30, b"".join(parts))


def pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(content).decode()}\n-----END {label}-----\n"
