"""Routers that answer a lot: not more at once than there is room for, and none of a home's size waits for them."""

import threading

import pytest

from server import Runtime
from services import large_answers
from services.context import RouterContext
from services.large_answers import LARGE, room_for
from simulator.router import SimulatedRouter
from utils.errors import ReadingPutOff, TooManyLargeAnswers

HALF = b"x" * (LARGE // 2 + 1)


def test_more_large_answers_than_there_is_room_for_wait_and_small_ones_do_not() -> None:
    most, running, done = [0], [0], []
    lock, both_in, go_on = threading.Lock(), threading.Barrier(3), threading.Event()

    def work(number: int) -> None:
        with room_for(HALF, HALF):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            if number < 2:
                both_in.wait(30)
            go_on.wait(30)
            with lock:
                running[0] -= 1
                done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    both_in.wait(30)
    threads += [threading.Thread(target=work, args=(number,)) for number in range(2, 6)]
    for thread in threads[2:]:
        thread.start()
    with room_for(HALF, b""):
        pass
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert most == [2]
    assert sorted(done) == list(range(6))


def test_who_waits_for_too_long_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_answers, "_PATIENCE_S", 0.01)
    with room_for(HALF, HALF), room_for(HALF, HALF), pytest.raises(TooManyLargeAnswers), room_for(HALF, HALF):
        pass
    assert issubclass(TooManyLargeAnswers, ReadingPutOff)
    with room_for(HALF, HALF):
        pass  # given back, also after an error


def test_long_lists_of_devices_need_room_too(
    runtime: Runtime, context: RouterContext, router: SimulatedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        router.add_host(f"02:11:22:33:44:{number:02x}", f"192.168.1.{number + 2}", "x" * 60)
    monkeypatch.setattr(large_answers, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(large_answers, "LARGE", 1_500)
    with room_for(HALF), room_for(HALF):
        with pytest.raises(TooManyLargeAnswers):
            runtime.collector.collect(context)
        failed = [check for check in runtime.routers.test(context) if not check.ok]
        assert [check.check for check in failed] == ["devices"]
        assert failed[0].message == TooManyLargeAnswers().message
    runtime.collector.collect(context)
    assert all(check.ok for check in runtime.routers.test(context))
