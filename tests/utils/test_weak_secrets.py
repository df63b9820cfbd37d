"""What chance makes is taken, what people make up is not."""

import secrets
from base64 import urlsafe_b64encode

import pytest
from cryptography.fernet import Fernet

from utils.weak_secrets import is_guessable_key, is_guessable_text, is_placeholder


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 31,
        "x" * 40,
        "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fG",  # 31
        "abc123abc123abc123abc123abc123abc123",
        "abcdefghijklmnopqrstuvwxyz012345",
        "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210",
        "1234567890" * 3 + "123",
        "kZ3v8Qh1xY7c" * 3,
        "kZ3v8Qh1xY7cW5rT" * 2 + "kZ3",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "my-own-SECRET-key-for-production-2026",
        "please-change-me-before-you-go-online",
        "netpilot.example.org.2026.11.28.key-1",
    ],
)
def test_a_text_that_can_be_guessed(text: str) -> None:
    assert is_guessable_text(text)


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_chance_is_not_guessable(make: object) -> None:
    assert sum(is_guessable_text(make(48)) for _ in range(2_000)) <= 2  # type: ignore[operator]
    assert not any(is_guessable_key(Fernet.generate_key().decode()) for _ in range(2_000))


@pytest.mark.parametrize(
    "key",
    [
        bytes(32),
        bytes(range(32)),
        bytes(range(255, 223, -1)),
        bytes(range(0, 256, 8)),
        bytes(range(190, 206)) * 2,
        b"this is our very own key, no. 17",
    ],
)
def test_a_key_that_can_be_guessed(key: bytes) -> None:
    assert is_guessable_key(urlsafe_b64encode(key).decode())


@pytest.mark.parametrize("text", ["password", "change-me", "Passw0rd", "netpilot"])
def test_what_stands_in_examples(text: str) -> None:
    assert is_placeholder(text)
    assert not is_placeholder("x7Hq2")
