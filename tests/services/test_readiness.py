"""Asking whether the server is ready costs the database one question a second at most."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import readiness
from services.readiness import Readiness
from utils.errors import DatabaseUnavailable


class Storage:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_there = True
        self.may_answer = threading.Event()
        self.may_answer.set()

    def check(self) -> None:
        self.asked += 1
        assert self.may_answer.wait(30)
        if not self.is_there:
            raise DatabaseUnavailable("it is away")


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEEP_S", 3_600.0)


@pytest.mark.usefixtures("kept")
def test_many_who_ask_share_one_answer(storage: Storage) -> None:
    ready = Readiness(storage.check)
    storage.may_answer.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ready.check) for _ in range(8)]
        storage.may_answer.set()
        for future in asked:
            future.result()
    ready.check()
    assert storage.asked == 1


@pytest.mark.usefixtures("kept")
def test_a_refusal_is_shared_as_well(storage: Storage) -> None:
    ready = Readiness(storage.check)
    storage.is_there = False
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable, match="it is away"):
            ready.check()
    assert storage.asked == 1


def test_after_its_time_the_storage_is_asked_anew(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEEP_S", 0.0)
    ready = Readiness(storage.check)
    ready.check()
    storage.is_there = False
    with pytest.raises(DatabaseUnavailable):
        ready.check()
    storage.is_there = True
    ready.check()
    assert storage.asked == 3
