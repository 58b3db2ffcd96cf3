"""Hands: threads for what takes a while, made when there is work for them."""

import asyncio
import threading

import pytest

from readmodel.front.hands import Hands

LONG = 30.0


def test_what_is_done_comes_back_and_what_fails_is_raised() -> None:
    async def run() -> None:
        hands = Hands(2)
        assert await hands.do(lambda: 7) == 7
        with pytest.raises(LookupError):
            await hands.do(lambda: {}["nothing"])
        assert await hands.do(threading.get_ident) != threading.get_ident()

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_there_are_as_many_threads_as_work_under_way_and_no_more_than_may_be() -> None:
    async def run() -> None:
        hands, go = Hands(3), threading.Event()
        for _ in range(5):
            await hands.do(lambda: None)
        assert hands._threads == 1
        waiting = [hands.do(lambda: go.wait(LONG)) for _ in range(8)]
        assert hands._threads == 3
        go.set()
        assert await asyncio.gather(*waiting) == [True] * 8

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_where_no_more_threads_are_to_be_had_those_that_there_are_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        hands, go = Hands(3), threading.Event()
        monkeypatch.setattr(threading.Thread, "start", none)
        with pytest.raises(RuntimeError):
            hands.do(lambda: None)
        monkeypatch.setattr(threading.Thread, "start", start)
        first = hands.do(lambda: go.wait(LONG))
        monkeypatch.setattr(threading.Thread, "start", none)
        second = hands.do(lambda: 2)
        go.set()
        assert await asyncio.gather(first, second) == [True, 2]
        monkeypatch.setattr(threading.Thread, "start", start)
        again = [hands.do(lambda: None) for _ in range(3)]
        assert hands._threads == 3
        await asyncio.gather(*again)

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_who_gives_up_waiting_takes_no_hand_from_the_others() -> None:
    async def run() -> None:
        hands, go, done = Hands(1), threading.Event(), threading.Event()
        first = hands.do(lambda: go.wait(LONG))
        second = hands.do(done.set)
        first.cancel()
        second.cancel()
        go.set()
        assert await hands.do(lambda: done.wait(LONG))
        assert hands._under_way == 0

    asyncio.run(asyncio.wait_for(run(), LONG))
