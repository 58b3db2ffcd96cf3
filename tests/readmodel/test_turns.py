"""Turns: few work at once, in the order they came; those who wait leave theirs to others."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from readmodel.turns import Turns
from tests.waiting import until

LONG = 30.0


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


class Works:
    """An application that works until it is let go, and remembers who came in which order."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = threading.Semaphore(0)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.begun.append(environ["number"])
        assert self.go.acquire(timeout=LONG)
        return []


def queued(turns: Turns, count: int) -> None:
    until(lambda: len(turns._queue) == count, LONG, f"{count} stand in the queue")


def test_no_more_work_than_may_and_the_others_follow_in_the_order_they_came(
    others: ThreadPoolExecutor,
) -> None:
    turns, works = Turns(working=2, waiting=0), Works()
    app = turns.around(works)
    sent: list[Any] = []
    for number in range(6):
        sent.append(others.submit(app, {"number": number}, None))
        until(lambda n=number: len(works.begun) + len(turns._queue) == n + 1, LONG, "it came")
    assert sorted(works.begun) == [0, 1]
    for done in range(1, 5):
        works.go.release()
        until(lambda n=done: len(works.begun) == n + 2, LONG, "the next one works")
    for _ in range(2):
        works.go.release()
    assert [each.result() for each in sent] == [[]] * 6
    assert works.begun[2:] == [2, 3, 4, 5]


def test_a_turn_is_given_back_by_who_fails() -> None:
    turns = Turns(working=1, waiting=0)

    def fails(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            turns.around(fails)({}, None)


def test_who_waits_lets_another_one_work_and_takes_a_turn_again(
    others: ThreadPoolExecutor,
) -> None:
    turns = Turns(working=1, waiting=1)
    come, works = threading.Event(), Works()

    def waits(environ: Any, start_response: Any) -> Iterable[bytes]:
        with turns.waiting() as may_wait:
            assert may_wait
            assert come.wait(LONG)
        works.begun.append(-1)
        return []

    waiting = others.submit(turns.around(waits), {}, None)
    until(lambda: turns._free == 1, LONG, "it waits")
    working = others.submit(turns.around(works), {"number": 7}, None)
    until(lambda: works.begun == [7], LONG, "another one works")
    come.set()
    queued(turns, 1)
    assert works.begun == [7]
    works.go.release()
    assert working.result() == waiting.result() == []
    assert works.begun == [7, -1]
    assert turns._free == 1


def test_polls_that_wait_leave_the_others_their_places() -> None:
    turns = Turns(working=1, waiting=1, polling=1)
    with turns.waiting(polls=True) as first, turns.waiting(polls=True) as second:
        turns.take()
        with turns.waiting() as may_wait:
            assert (first, second, may_wait) == (True, False, True)
        turns.give()


def test_one_more_than_may_wait_goes_on_at_once_with_its_turn(others: ThreadPoolExecutor) -> None:
    turns = Turns(working=1, waiting=1)
    come = threading.Event()

    def waits(environ: Any, start_response: Any) -> Iterable[bytes]:
        with turns.waiting() as may_wait:
            if may_wait:
                come.wait(LONG)
            return [b"waited" if may_wait else b"not"]

    first = others.submit(turns.around(waits), {}, None)
    until(lambda: turns._free == 1, LONG, "it waits")
    assert turns.around(waits)({}, None) == [b"not"]
    come.set()
    assert first.result() == [b"waited"]
    assert turns.around(waits)({}, None) == [b"waited"]
