"""Host keys and credentials: what is checked before a secret is sent, and what is sent after."""

import io
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from commands_server_operations.router_connection_manager import (
    RouterConnectionManager,
    RouterTarget,
    fingerprint,
)
from commands_server_operations.ssh_keys import load_private_key
from tests.commands_server_operations.paramiko_router import ParamikoRouter, says
from utils.errors import DatabaseUnavailable, HostKeyChanged, RouterAuthFailed, RouterUnreachable

Router = Callable[..., ParamikoRouter]
Manager = Callable[..., RouterConnectionManager]
Target = Callable[..., RouterTarget]


def public(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


class Pins:
    """The database's side of pinning: the first key stays."""

    def __init__(self, pinned: str | None = None) -> None:
        self.pinned = pinned
        self.asked: list[str] = []

    def __call__(self, target: RouterTarget, presented: str) -> str:
        self.asked.append(presented)
        self.pinned = self.pinned or presented
        return self.pinned


# --- host keys ---------------------------------------------------------------------------------------------


def test_the_first_key_is_pinned_and_then_expected(manager: Manager, router: Router, target: Target) -> None:
    server, pins = router(says(b"fine")), Pins()
    connections = manager(pin_host_key=pins)
    connections.run(target(server.port), "cmd")
    assert pins.asked == [server.host_key]
    connections.run(target(server.port, host_key=pins.pinned), "cmd")
    assert len(pins.asked) == 1
    assert server.connections == 1


def test_another_key_than_the_pinned_one_gets_no_credentials(manager: Manager, router: Router, target: Target) -> None:
    server, pinned = router(says(b"fine")), public(paramiko.ECDSAKey.generate())
    connections = manager(pin_host_key=Pins())
    with pytest.raises(HostKeyChanged) as caught:
        connections.run(target(server.port, host_key=pinned), "cmd")
    assert server.sign_ins == []
    assert fingerprint(pinned) in caught.value.message
    assert fingerprint(server.host_key) in caught.value.message
    assert "127.0.0.1" in caught.value.message


def test_another_process_that_pinned_another_key_first_wins(manager: Manager, router: Router, target: Target) -> None:
    server, first = router(says(b"fine")), public(paramiko.ECDSAKey.generate())
    connections = manager(pin_host_key=Pins(first))
    with pytest.raises(HostKeyChanged):
        connections.run(target(server.port), "cmd")
    assert server.sign_ins == []


def test_a_pin_that_cannot_be_stored_sends_no_credentials(manager: Manager, router: Router, target: Target) -> None:
    def fails(target: RouterTarget, presented: str) -> str:
        raise DatabaseUnavailable

    server = router(says(b"fine"))
    with pytest.raises(DatabaseUnavailable):
        manager(pin_host_key=fails).run(target(server.port), "cmd")
    assert server.sign_ins == []


def test_a_pooled_connection_does_not_outlive_its_pin(manager: Manager, router: Router, target: Target) -> None:
    server, pins = router(says(b"fine")), Pins()
    connections = manager(pin_host_key=pins)
    connections.run(target(server.port), "cmd")
    with pytest.raises(HostKeyChanged):
        connections.run(target(server.port, host_key=public(paramiko.ECDSAKey.generate())), "cmd")
    # Taken back and pinned anew by someone else:
    pins.pinned = public(paramiko.ECDSAKey.generate())
    with pytest.raises(HostKeyChanged):
        connections.run(target(server.port), "cmd")


@pytest.mark.parametrize("pinned", [0, 1])
def test_a_router_with_several_host_keys_shows_the_pinned_one(
    manager: Manager, router: Router, target: Target, pinned: int
) -> None:
    keys = [paramiko.RSAKey.generate(2048), paramiko.ECDSAKey.generate()]
    server = router(says(b"fine"), host_keys=keys)
    at = target(server.port, host_key=public(keys[pinned]) + " root@OpenWrt")
    assert manager().run(at, "cmd").stdout == b"fine"


def test_a_router_can_not_choose_a_key_exchange_that_stops_the_server(
    manager: Manager, router: Router, target: Target
) -> None:
    """Numbers of 4,096 bits and more are slow, and each time they are, nothing else runs."""
    old = router(says(b"fine"), kex=("diffie-hellman-group14-sha256",))
    assert manager().run(target(old.port), "cmd").stdout == b"fine"
    slow = router(says(b"fine"), kex=("diffie-hellman-group16-sha512",))
    with pytest.raises(RouterUnreachable):
        manager().run(target(slow.port), "cmd")
    assert slow.sign_ins == []


def test_an_unreadable_pin_is_a_changed_key(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    with pytest.raises(HostKeyChanged, match="unreadable"):
        manager().run(target(server.port, host_key="gibberish"), "cmd")
    assert server.sign_ins == []


def test_the_fingerprint_is_the_one_ssh_keygen_prints() -> None:
    github = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert fingerprint(github) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    for broken in ("", "ssh-ed25519", "ssh-ed25519 ä"):
        with pytest.raises(ValueError, match="public key"):
            fingerprint(broken)


# --- passwords ---------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_exactly_once(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    with pytest.raises(RouterAuthFailed, match="root"):
        manager().run(target(server.port, password="wrong"), "cmd")
    assert server.sign_ins == [("password", "wrong")]
    assert server.connections == 1


def test_a_password_goes_to_a_router_that_only_asks_for_it_interactively(
    manager: Manager, router: Router, target: Target
) -> None:
    server = router(says(b"fine"), methods="keyboard-interactive")
    assert manager().run(target(server.port), "cmd").stdout == b"fine"
    assert server.sign_ins == [("keyboard-interactive", "right")]


def test_a_router_without_a_password_is_entered_without_one(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"), password=None)
    assert manager().run(target(server.port, password=None), "cmd").stdout == b"fine"
    assert server.sign_ins == [("none", "")]


def test_no_password_where_one_is_needed_is_refused(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    with pytest.raises(RouterAuthFailed):
        manager().run(target(server.port, password=None), "cmd")
    assert server.sign_ins == [("none", "")]


def test_a_real_dropbear_refuses_a_password(manager: Manager, target: Target, dropbear: tuple[int, str]) -> None:
    with pytest.raises(RouterAuthFailed):
        manager().run(target(dropbear[0]), "cmd")


# --- private keys ------------------------------------------------------------------------------------------

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "ed25519": (ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH),
    "ed25519, PKCS#8": (ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8),
    "ecdsa": (ec.generate_private_key(ec.SECP256R1()), PrivateFormat.OpenSSH),
    "ecdsa, SEC 1": (ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL),
    "rsa": (RSA, PrivateFormat.OpenSSH),
    "rsa, PKCS#1": (RSA, PrivateFormat.TraditionalOpenSSL),
    "rsa, PKCS#8": (RSA, PrivateFormat.PKCS8),
}


@pytest.mark.parametrize("name", KEYS)
def test_private_keys_sign_in(manager: Manager, router: Router, target: Target, name: str) -> None:
    key, form = KEYS[name]
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    server = router(says(b"fine"), methods="publickey", password=load_private_key(text).get_base64())
    # As pasted into a web form on Windows.
    pasted = "\n " + text.replace("\n", "\r\n") + "\r\n"
    assert manager().run(target(server.port, private_key=pasted), "cmd").stdout == b"fine"
    # The key is used although there is a password too.
    assert {method for method, _ in server.sign_ins} == {"publickey"}


def test_a_key_that_the_router_does_not_know_is_refused(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"), methods="publickey,password")
    with pytest.raises(RouterAuthFailed, match="refused the key"):
        manager().run(target(server.port, private_key=_text(ed25519.Ed25519PrivateKey.generate())), "cmd")
    assert {method for method, _ in server.sign_ins} == {"publickey"}


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_passphrase_is_refused_before_connecting(
    manager: Manager, router: Router, target: Target, form: PrivateFormat
) -> None:
    server = router(says(b"fine"))
    text = RSA.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"phrase")).decode()
    with pytest.raises(RouterAuthFailed, match="passphrase"):
        manager().run(target(server.port, private_key=text), "cmd")
    assert server.connections == 0


def test_a_broken_key_is_refused_without_quoting_it(manager: Manager, router: Router, target: Target) -> None:
    server = router(says(b"fine"))
    lines = _text(ed25519.Ed25519PrivateKey.generate()).splitlines()
    for broken in ("", "no key", "\n".join(lines[:-2] + lines[-1:]), "\n".join(lines[:-1]), lines[0]):
        with pytest.raises(RouterAuthFailed) as caught:
            manager().run(target(server.port, private_key=broken), "cmd")
        assert lines[2][:20] not in caught.value.message
        assert caught.value.__cause__ is None


def test_a_kind_of_key_that_is_not_supported_says_so() -> None:
    text = dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="Ed25519, ECDSA or RSA"):
        load_private_key(text)


def test_the_users_own_keys_are_not_looked_up(
    manager: Manager, router: Router, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text(_text(ed25519.Ed25519PrivateKey.generate()))
    monkeypatch.setenv("HOME", str(tmp_path))
    server = router(says(b"fine"), methods="publickey,password")
    manager().run(target(server.port), "cmd")
    assert server.sign_ins == [("password", "right")]


def _text(key: ed25519.Ed25519PrivateKey) -> str:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    assert paramiko.Ed25519Key.from_private_key(io.StringIO(text))
    return text
