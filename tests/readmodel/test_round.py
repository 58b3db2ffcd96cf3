"""Followers on a loop: each gets what it follows, and none stands in anybody's way."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from domain.events import ItemRepriced
from ledger import tables
from readmodel.feed import portions as portions_module
from readmodel.feed import stream as stream_module
from readmodel.feed.awaited import Round
from readmodel.feed.stream import Follower, Streams
from readmodel.front.hands import Hands
from readmodel.views import changes
from readmodel.views.changes import Wanted
from tests.readmodel.test_stream import ALL, AT, Harness, created, frames, offsets

LONG = 60.0
HANDS = 4


@dataclass(slots=True)
class Followed:
    """A follower, what it has got, and the places in the ledger that it was told."""

    task: asyncio.Task[None]
    is_cut_off: bool = False
    got: list[int] = field(default_factory=list[int])
    ids: list[str] = field(default_factory=list[str])


class Rounds:
    """Followers over a real ledger; `heartbeat` in seconds."""

    def __init__(self, engine: Engine, heartbeat: float = LONG) -> None:
        self.harness = Harness(engine)
        pulse, portions = self.harness.pulse, self.harness.portions
        self.streams = Streams(portions, pulse, 1000, heartbeat)
        self.round = Round(portions, pulse, Hands(HANDS), heartbeat)

    def follow(
        self,
        wanted: Wanted = ALL,
        *,
        stays: Callable[[], bool | None] = lambda: True,
        takes: Callable[[], Awaitable[None]] | None = None,
    ) -> Followed:
        leave = self.streams.enter()
        assert leave is not None
        first = self.harness.first(wanted)
        follower = Follower(self.streams, first, wanted, lambda: bool(stays()), stays, leave)

        async def send(data: bytes) -> None:
            read = list(frames(data))
            followed.got += offsets(read)
            followed.ids += [each.id for each in read]
            if takes is not None:
                await takes()

        def abort() -> None:
            followed.is_cut_off = True
            followed.task.cancel()

        followed = Followed(asyncio.ensure_future(self.round.feed(follower, send, abort)))
        return followed


@pytest.fixture
def rounds(engine: Engine) -> Iterator[Rounds]:
    made = Rounds(engine)
    yield made
    made.harness.pulse.close()


def run(doing: Coroutine[Any, Any, None]) -> None:
    async def within() -> None:
        await asyncio.wait_for(doing, LONG)
        # Nobody is left over.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(within())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  the outer deadline ends it
        await asyncio.sleep(0.005)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Remember from which place each portion was read."""
    read, reads = changes.read, list[object]()

    def counting(*given: Any) -> Any:
        reads.append(given[1])
        return read(*given)

    monkeypatch.setattr(portions_module.changes, "read", counting)
    return reads


def test_hundreds_get_everything_once_and_cost_few_readings_and_no_threads(
    ledger: Any, rounds: Rounds, reads: list[object]
) -> None:
    ledger.add(created(1))

    async def follow() -> None:
        following = [rounds.follow() for _ in range(300)]
        await until(lambda: all(each.got for each in following))
        before, threads = len(reads), threading.active_count()
        ledger.add(created(2), created(3))
        await until(lambda: all(len(each.got) == 3 for each in following))
        assert [each.got for each in following] == [[1, 2, 3]] * 300
        assert len(reads) - before <= 5
        assert threading.active_count() <= threads + HANDS

    run(follow())


def test_nobody_misses_anything_or_meets_it_twice_while_others_write(
    ledger: Any, rounds: Rounds
) -> None:
    ledger.add(created(1))
    wanted = Wanted(None, "item-2")
    over = threading.Event()

    def write() -> None:
        for number in range(2, 62):
            ledger.add(created(number))
            over.wait(0.003)

    async def follow() -> None:
        following = [rounds.follow() for _ in range(40)]
        one = rounds.follow(wanted)
        await asyncio.to_thread(write)
        await until(lambda: all(len(each.got) == 61 for each in following) and one.got)
        assert [each.got for each in following] == [list(range(1, 62))] * 40
        assert one.got == [2]

    run(follow())


def test_who_takes_nothing_holds_up_nobody_and_goes_on_from_its_place(
    ledger: Any, rounds: Rounds
) -> None:
    ledger.add(created(1))

    async def follow() -> None:
        takes = asyncio.Event()

        async def slowly() -> None:
            await takes.wait()

        slow, quick = rounds.follow(takes=slowly), rounds.follow()
        await until(lambda: quick.got)
        ledger.add(*(created(number) for number in range(2, 11)))
        await until(lambda: len(quick.got) == 10)
        assert slow.got == []
        takes.set()
        await until(lambda: len(slow.got) == 10)
        assert slow.got == quick.got

    run(follow())


def test_a_heartbeat_moves_the_place_past_what_is_not_wanted(ledger: Any, engine: Engine) -> None:
    ledger.add(created(1))
    rounds = Rounds(engine, heartbeat=0.05)

    async def follow() -> None:
        read = rounds.harness.portions.cursors.read
        other = rounds.follow(Wanted(("ItemDeleted",)))
        await until(lambda: other.ids)
        ledger.add(ItemRepriced("item-1", AT, AT, 7, "EUR"))
        # Heartbeats of before the ledger was seen to move repeat the place.
        await until(lambda: read(other.ids[-1]) == (2,))
        assert other.got == []

    run(follow())
    rounds.harness.pulse.close()


def test_who_may_not_stay_is_let_go_and_where_that_takes_time_a_hand_asks(
    ledger: Any, rounds: Rounds
) -> None:
    ledger.add(created(1))
    loops = threading.get_ident()
    asked = list[int]()

    def stays() -> bool | None:
        if threading.get_ident() == loops:
            return None
        asked.append(threading.get_ident())
        return False

    async def follow() -> None:
        at_once, later = rounds.follow(stays=lambda: False), rounds.follow(stays=stays)
        await until(lambda: at_once.got and later.got)
        ledger.add(created(2))
        await asyncio.gather(at_once.task, later.task)
        assert (at_once.got, later.got, len(asked)) == ([1], [1], 1)

    run(follow())


def test_who_may_not_stay_and_takes_nothing_is_cut_off(ledger: Any, engine: Engine) -> None:
    ledger.add(created(1))
    rounds = Rounds(engine, heartbeat=0.02)

    async def never() -> None:
        await asyncio.Event().wait()

    def fails() -> bool | None:
        raise LookupError("a defect")

    may, loops = [True, True], threading.get_ident()

    def by_hand() -> bool | None:
        return None if threading.get_ident() == loops else may[1]

    async def follow() -> None:
        stays, leaves = (rounds.follow(stays=lambda n=n: may[n], takes=never) for n in (0, 1))
        later = rounds.follow(stays=by_hand, takes=never)
        broken = rounds.follow(stays=fails, takes=never)
        await until(lambda: broken.is_cut_off)
        assert not leaves.is_cut_off
        may[1] = False
        await until(lambda: leaves.is_cut_off and later.is_cut_off)
        await until(lambda: len(rounds.round._sending) == 1)
        assert not stays.is_cut_off

    run(follow())
    rounds.harness.pulse.close()


def test_a_database_that_is_away_for_a_while_ends_no_stream(
    ledger: Any, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(created(1))
    monkeypatch.setattr(stream_module, "_AWAY", 0.01)
    read, failures = changes.read, [OperationalError("SELECT", {}, Exception("away"))]

    def away(*given: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(*given)

    async def follow() -> None:
        following = [rounds.follow() for _ in range(20)]
        await until(lambda: all(each.got for each in following))
        monkeypatch.setattr(portions_module.changes, "read", away)
        ledger.add(created(2))
        await until(lambda: all(len(each.got) == 2 for each in following))
        assert failures == []

    run(follow())


def test_the_end_lets_everybody_go_at_once(ledger: Any, rounds: Rounds) -> None:
    ledger.add(created(1))

    async def follow() -> None:
        following = [rounds.follow() for _ in range(50)]
        await until(lambda: all(each.got for each in following))
        await asyncio.to_thread(rounds.harness.pulse.close)
        await asyncio.gather(*(each.task for each in following))

    run(follow())


def set_to(ledger: Any, offset: int) -> None:
    """Have the ledger stand there, whatever it holds."""
    with ledger.engine.begin() as connection:
        connection.execute(tables.partitions.update().values(offset=offset))


def test_who_has_seen_more_than_there_is_of_a_ledger_that_was_set_back_is_let_go(
    ledger: Any, rounds: Rounds
) -> None:
    """It would go on in silence once the ledger had grown past its place."""
    ledger.add(created(1), created(2))

    async def follow() -> None:
        ahead = rounds.follow()
        await until(lambda: rounds.round._waiting and rounds.round._ledger)
        set_to(ledger, 1)
        await ahead.task
        at_its_head = rounds.follow()
        await until(lambda: rounds.round._waiting)
        set_to(ledger, 2)
        await until(lambda: len(at_its_head.got) == 2)
        assert ahead.got == at_its_head.got == [1, 2]

    run(follow())


def test_who_comes_while_the_ledger_is_set_back_is_let_go_by_the_first_look(
    ledger: Any, rounds: Rounds
) -> None:
    ledger.add(created(1), created(2))

    async def follow() -> None:
        ahead = rounds.follow()
        # Nobody has looked yet.
        set_to(ledger, 1)
        await ahead.task
        assert ahead.got == [1, 2]

    run(follow())


def test_who_goes_away_leaves_nothing_behind(ledger: Any, rounds: Rounds) -> None:
    ledger.add(created(1))

    async def follow() -> None:
        following = [rounds.follow() for _ in range(20)]
        await until(lambda: len(rounds.round._waiting) == 20)
        for each in following:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in following), return_exceptions=True)
        assert not rounds.round._waiting
        assert not rounds.round._sending
        assert rounds.round._asking is not None
        await until(rounds.round._asking.done)
        # And nobody looks at the ledger for them.
        assert not rounds.harness.pulse._watchers
        assert rounds.harness.portions._head is None
        again = rounds.follow()
        await until(lambda: again.got)
        ledger.add(created(2))
        await until(lambda: len(again.got) == 2)

    run(follow())


def test_what_many_wait_for_is_read_once_also_where_the_first_one_goes_away(
    ledger: Any, rounds: Rounds, reads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(created(1))
    begun, go = threading.Event(), threading.Event()
    after = rounds.harness.portions.after

    def held(*given: Any) -> Any:
        begun.set()
        assert go.wait(LONG)
        return after(*given)

    async def follow() -> None:
        following = [rounds.follow() for _ in range(8)]
        await until(lambda: len(rounds.round._waiting) == 8)
        monkeypatch.setattr(rounds.harness.portions, "after", held)
        before = len(reads)
        ledger.add(created(2))
        await asyncio.to_thread(begun.wait, LONG)
        await until(lambda: not rounds.round._waiting and not rounds.round._line)
        following.pop(0).task.cancel()
        go.set()
        await until(lambda: all(len(each.got) == 2 for each in following))
        assert len(reads) - before == 1

    run(follow())
