"""Router passwords and keys are sealed, and open again with any of the server's keys."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from services.routers.credentials import Credentials, CredentialsUnreadable, CredentialVault, load_or_create_keys
from utils.config import ConfigurationError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRETS = st.none() | st.text(max_size=200)


@given(SECRETS, SECRETS)
def test_what_was_sealed_opens_as_it_was(password: str | None, private_key: str | None) -> None:
    vault = CredentialVault([NEW])
    credentials = Credentials(password=password, private_key=private_key)

    assert vault.open(vault.seal(credentials)) == credentials


def test_a_sealed_password_is_not_readable_and_never_the_same_twice() -> None:
    vault = CredentialVault([NEW])
    credentials = Credentials(password="hunter2")

    assert b"hunter2" not in vault.seal(credentials)
    assert vault.seal(credentials) != vault.seal(credentials)


def test_printing_credentials_shows_neither_password_nor_key() -> None:
    assert "hunter2" not in repr(Credentials(password="hunter2", private_key="hunter2"))


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    sealed_before = CredentialVault([OLD]).seal(Credentials(password="hunter2"))
    rotated = CredentialVault([NEW, OLD])

    assert rotated.open(sealed_before).password == "hunter2"
    assert CredentialVault([NEW]).open(rotated.seal(Credentials(password="hunter2"))).password == "hunter2"


def test_without_its_key_it_stays_shut() -> None:
    sealed = CredentialVault([OLD]).seal(Credentials(password="hunter2"))

    with pytest.raises(CredentialsUnreadable, match="CREDENTIALS_KEYS"):
        CredentialVault([NEW]).open(sealed)


@pytest.mark.parametrize("sealed", [b"", b"x", b"\xff\xfe", b"gAAAAA=="])
def test_what_was_never_sealed_stays_shut(sealed: bytes) -> None:
    with pytest.raises(CredentialsUnreadable):
        CredentialVault([NEW]).open(sealed)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_single_changed_bit_is_noticed(at: int, bit: int) -> None:
    vault = CredentialVault([NEW])
    sealed = bytearray(vault.seal(Credentials(password="hunter2")))
    sealed[at % len(sealed)] ^= 1 << bit

    try:
        opened = vault.open(bytes(sealed))
    except CredentialsUnreadable:
        return
    assert opened.password == "hunter2"  # a bit that base64 does not use


@pytest.mark.parametrize("keys", [[], ["too-short"], [NEW, "too-short"], [""]])
def test_a_key_that_is_none_is_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError):
        CredentialVault(keys)


def test_a_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    (key,) = load_or_create_keys(tmp_path)

    CredentialVault([key])
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == key


def test_later_starts_find_the_same_key(tmp_path: Path) -> None:
    assert load_or_create_keys(tmp_path) == load_or_create_keys(tmp_path)


@pytest.mark.parametrize("is_there", [False, True], ids=["no file", "an empty file"])
def test_processes_that_start_at_once_share_one_key(tmp_path: Path, is_there: bool) -> None:
    starters = 8
    for attempt in range(40):
        data_dir = tmp_path / str(attempt)
        data_dir.mkdir()
        if is_there:
            (data_dir / "credentials.key").touch(0o600)
        at_once = Barrier(starters)

        def start(data_dir: Path = data_dir, at_once: Barrier = at_once) -> str:
            at_once.wait(30)
            return load_or_create_keys(data_dir)[0]

        with ThreadPoolExecutor(starters) as pool:
            keys = {future.result() for future in [pool.submit(start) for _ in range(starters)]}

        assert keys == set(load_or_create_keys(data_dir))


def test_a_line_feed_that_an_editor_left_is_not_part_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").write_text(f"{OLD}\n")

    assert load_or_create_keys(tmp_path) == [OLD]


def test_the_key_file_may_hold_several_keys_newest_first(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").write_text(f"{NEW}\n{OLD}\n")

    assert load_or_create_keys(tmp_path) == [NEW, OLD]


def test_a_key_file_with_something_else_in_it_is_refused_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").write_text(f"{NEW}\nhunter2\n")

    with pytest.raises(ConfigurationError, match=r"credentials\.key") as caught:
        load_or_create_keys(tmp_path)
    assert "hunter2" not in str(caught.value)
    (tmp_path / "credentials.key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"credentials\.key"):
        load_or_create_keys(tmp_path)


def test_resealing_changes_the_key_and_not_the_secret() -> None:
    sealed = CredentialVault([OLD]).seal(Credentials(password="hunter2"))
    rotated = CredentialVault([NEW, OLD])
    anew = rotated.reseal(sealed)

    assert anew is not None
    assert CredentialVault([NEW]).open(anew).password == "hunter2"
    assert rotated.reseal(anew) is None
    with pytest.raises(CredentialsUnreadable):
        CredentialVault([NEW]).reseal(sealed)


def test_a_key_file_that_a_crash_left_empty_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").touch(0o600)

    (key,) = load_or_create_keys(tmp_path)

    CredentialVault([key])
    assert load_or_create_keys(tmp_path) == [key]
