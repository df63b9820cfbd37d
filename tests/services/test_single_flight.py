"""Whoever asks while the work runs, or shortly after, shares its outcome."""

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.single_flight import SingleFlight
from utils.errors import RouterTimeout

LONG = 3_600.0


class Work:
    """Counts how often it was done; its outcome names the turn."""

    def __init__(self) -> None:
        self.turns = 0

    def __call__(self) -> str:
        self.turns += 1
        return f"turn {self.turns}"


class SeenKey:
    """A key that tells when somebody found it in the table: he shares that flight from then on."""

    def __init__(self, seen: threading.Semaphore) -> None:
        self._seen = seen

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        self._seen.release()
        return isinstance(other, SeenKey)


def share(work: Callable[[], str], callers: int) -> list[str | BaseException]:
    """What each of many callers gets who all ask while ``work`` runs; nothing is kept afterwards."""
    flights: SingleFlight[SeenKey, str] = SingleFlight()
    seen = threading.Semaphore(0)
    is_running, may_end = threading.Event(), threading.Event()

    def slow() -> str:
        is_running.set()
        assert may_end.wait(30)
        return work()

    with ThreadPoolExecutor(callers) as pool:
        first = pool.submit(flights.run, SeenKey(seen), slow)
        assert is_running.wait(30)
        others = [pool.submit(flights.run, SeenKey(seen), slow) for _ in range(callers - 1)]
        for _ in others:
            assert seen.acquire(timeout=30)
        may_end.set()
        return [future.exception() or future.result() for future in (first, *others)]


def test_callers_at_the_same_time_share_one_result() -> None:
    work = Work()

    assert share(work, 8) == ["turn 1"] * 8
    assert work.turns == 1


def test_callers_at_the_same_time_share_one_failure() -> None:
    turns = []

    def fail() -> str:
        turns.append(1)
        raise ConnectionError("no route")

    outcomes = share(fail, 8)

    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 8
    assert len(turns) == 1


def test_the_others_wait_only_so_long_and_the_work_goes_on() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG, wait_s=0.01)
    is_running, may_end = threading.Event(), threading.Event()

    def hang() -> str:
        is_running.set()
        assert may_end.wait(30)
        return "at last"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flights.run, "r1", hang)
        assert is_running.wait(30)
        for _ in range(3):
            with pytest.raises(RouterTimeout):
                flights.run("r1", Work())
        may_end.set()
        assert first.result() == "at last"
    assert flights.run("r1", Work()) == "at last"


def test_a_timeout_of_the_work_itself_is_shared_as_it_is() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)

    def fail() -> str:
        raise TimeoutError("its own")

    for _ in range(2):
        with pytest.raises(TimeoutError, match="its own"):
            flights.run("r1", fail)


def test_nothing_is_kept_unless_asked_for() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    work = Work()

    assert [flights.run("r1", work), flights.run("r1", work)] == ["turn 1", "turn 2"]


def test_a_result_is_kept_as_long_as_asked_for() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)
    work = Work()

    assert [flights.run("r1", work), flights.run("r1", work)] == ["turn 1", "turn 1"]


def test_a_failure_is_kept_as_well_so_that_a_dead_router_is_waited_for_once() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)

    def fail() -> str:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        flights.run("r1", fail)
    with pytest.raises(ConnectionError):
        flights.run("r1", Work())


def test_each_key_has_its_own_flight() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)
    work = Work()

    assert [flights.run("r1", work), flights.run("r2", work)] == ["turn 1", "turn 2"]


def test_one_keys_work_may_wait_for_anothers() -> None:
    flights: SingleFlight[str, str] = SingleFlight()

    assert flights.run("r1", lambda: flights.run("r2", Work())) == "turn 1"


def test_a_published_result_serves_whoever_asks() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)
    flights.run("r1", Work())
    flights.publish("r1", "from elsewhere")

    assert flights.run("r1", Work()) == "from elsewhere"


def test_a_published_result_is_not_kept_where_nothing_is() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    flights.publish("r1", "from elsewhere")

    assert flights.run("r1", Work()) == "turn 1"


def test_what_was_under_way_does_not_replace_what_was_published_meanwhile() -> None:
    """What is published came about later than the work began: it is the newer of the two."""
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)

    def overtaken() -> str:
        flights.publish("r1", "published meanwhile")
        return "begun before"

    assert flights.run("r1", overtaken) == "begun before"
    assert flights.run("r1", Work()) == "published meanwhile"


def test_what_is_known_to_be_out_of_date_is_forgotten_and_nothing_newer_with_it() -> None:
    work = Work()
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)
    first = flights.run("r", work)
    assert flights.run("r", work) == first
    flights.forget("r", first)
    second = flights.run("r", work)
    assert second == "turn 2"
    flights.forget("r", first)
    flights.forget("another", first)
    assert flights.run("r", work) == second
    assert work.turns == 2


def test_a_failure_that_is_kept_and_work_that_runs_are_not_forgotten() -> None:
    flights: SingleFlight[str, str] = SingleFlight(keep_s=LONG)

    def runs() -> str:
        flights.forget("r", "anything")
        raise OSError("first")

    for _ in range(2):
        with pytest.raises(OSError, match="first"):
            flights.run("r", runs)
        flights.forget("r", "anything")


def test_what_failed_is_let_go_of_with_its_error() -> None:
    """A router's endless answer must not stay in memory until somebody looks for garbage."""
    read = []

    class Answer:
        pass

    def fails() -> None:
        answer = Answer()
        read.append(weakref.ref(answer))
        raise ValueError("too much")

    flights: SingleFlight[str, None] = SingleFlight()
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            flights.run("home", fails)
        assert read[0]() is None
    finally:
        gc.enable()
