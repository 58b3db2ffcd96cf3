"""Waiting for the ledger: woken when it moves on, and only then."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from ledger import partitions, tables
from ledger.engines import reading_engine, writing_engine
from readmodel.presence import Presence
from readmodel.pulse import Ledger, Pulse
from runtime.positions import Position
from tests.engines import put_away
from tests.waiting import until

LONG = 60.0
PARTITIONS = 3


@pytest.fixture
def writer(database_url: str) -> Iterator[Engine]:
    made = writing_engine(database_url)
    partitions.lay_out(made, PARTITIONS)
    yield made
    made.dispose()


@pytest.fixture
def pulse(database_url: str, writer: Engine) -> Iterator[Pulse]:
    engine = reading_engine(database_url)
    made = Pulse(engine)
    yield made
    made.close()
    put_away(engine)


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(600) as pool:
        yield pool


def move(writer: Engine, partition: int, **to: int) -> None:
    table = tables.partitions
    with writer.begin() as connection:
        connection.execute(update(table).where(table.c.partition == partition).values(**to))


def waiting(pulse: Pulse, count: int) -> None:
    until(lambda: len(pulse._waiters) == count, 30, f"{count} wait")


def test_who_waits_is_woken_when_any_partition_moves_on(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    woken = others.submit(pulse.wait_beyond, (0, 0, 0), LONG)
    waiting(pulse, 1)
    move(writer, 2, offset=1)
    assert woken.result() is True


def test_what_has_happened_before_is_not_waited_for(pulse: Pulse, writer: Engine) -> None:
    move(writer, 1, offset=5)
    assert pulse.wait_beyond((0, 4, 0), LONG) is True


def test_a_place_of_before_there_were_partitions_waits_for_the_first_event(
    pulse: Pulse, writer: Engine
) -> None:
    assert pulse.wait_beyond((), 0.05) is False
    move(writer, 0, offset=1)
    assert pulse.wait_beyond((), LONG) is True


def test_who_has_waited_long_enough_is_told_that_nothing_came(pulse: Pulse) -> None:
    assert pulse.wait_beyond((0, 0, 0), 0.05) is False
    assert pulse._waiters == set()


def test_a_position_of_the_log_can_be_waited_for(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    position = Position(1, 7, 3)

    def is_taken(ledger: Ledger) -> bool:
        return ledger.has_taken(position)

    move(writer, 1, epoch=7, n=2)
    move(writer, 0, epoch=7, n=9)
    assert pulse.wait_for(is_taken, 0.05) is False
    woken = others.submit(pulse.wait_for, is_taken, LONG)
    move(writer, 1, epoch=8, n=1)
    assert woken.result() is True


def test_only_those_are_woken_who_have_cause(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    first = others.submit(pulse.wait_for, lambda ledger: ledger.offsets[0] > 0, LONG)
    second = others.submit(pulse.wait_for, lambda ledger: ledger.offsets[1] > 0, LONG)
    waiting(pulse, 2)
    move(writer, 1, offset=1)
    assert second.result() is True
    assert not first.done()
    move(writer, 0, offset=1)
    assert first.result() is True


def test_one_look_is_taken_for_hundreds(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = counted(pulse, monkeypatch)
    all_of_them = [others.submit(pulse.wait_beyond, (0, 0, 0), LONG) for _ in range(500)]
    waiting(pulse, 500)
    looked(looks, 2)
    move(writer, 0, offset=1)
    assert all(each.result() for each in all_of_them)
    assert looks.count(1) == 1


def test_nobody_looks_while_nobody_waits(
    pulse: Pulse, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, client = counted(pulse, monkeypatch), Presence()
    waits = others.submit(pulse.wait_beyond, (0, 0, 0), LONG, 0.0, client)
    looked(looks, 1)
    client.leave()
    assert waits.result() is False
    parked(pulse)
    before = len(looks)
    assert pulse._thread is not None
    assert pulse._thread.is_alive()
    # As long as a dozen looks would take.
    assert threading.Event().wait(0.2) is False
    assert len(looks) == before


def test_what_a_look_saw_before_somebody_came_is_not_told_to_him(
    pulse: Pulse, writer: Engine
) -> None:
    """A ledger that is set back: what the pulse knew of it is not so any more."""
    move(writer, 0, offset=9)
    assert pulse.wait_beyond((0, 0, 0), LONG) is True
    move(writer, 0, offset=2)
    assert pulse.wait_beyond((2, 0, 0), 0.05) is False


def test_a_database_that_is_away_for_a_while_is_waited_for(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tried = pulse._read, threading.Event()

    def away() -> Ledger:
        tried.set()
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(pulse, "_read", away)
    woken = others.submit(pulse.wait_beyond, (0, 0, 0), LONG)
    assert tried.wait(30)
    move(writer, 0, offset=1)
    assert not woken.done()
    monkeypatch.setattr(pulse, "_read", read)
    assert woken.result() is True


def test_a_defect_does_not_end_the_thread(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tried = pulse._read, threading.Event()

    def defective() -> Ledger:
        tried.set()
        raise ZeroDivisionError

    monkeypatch.setattr(pulse, "_read", defective)
    woken = others.submit(pulse.wait_beyond, (0, 0, 0), LONG)
    assert tried.wait(30)
    monkeypatch.setattr(pulse, "_read", read)
    move(writer, 0, offset=1)
    assert woken.result() is True


def test_an_error_of_what_is_awaited_is_raised_to_who_awaits_it_and_to_nobody_else(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    def fails(ledger: Ledger) -> bool:
        raise ZeroDivisionError

    other = others.submit(pulse.wait_beyond, (0, 0, 0), LONG)
    with pytest.raises(ZeroDivisionError):
        pulse.wait_for(fails, LONG)
    assert not other.done()
    move(writer, 0, offset=1)
    assert other.result() is True


def test_who_rests_is_not_woken_before(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    move(writer, 0, offset=1)
    asked: list[float] = []

    def awaited(ledger: Ledger) -> bool:
        asked.append(time.monotonic())
        return True

    begun = time.monotonic()
    assert pulse.wait_for(awaited, LONG, rest=0.2) is True
    assert asked[0] - begun >= 0.2


def test_nobody_is_asked_twice_about_the_same_ledger(
    pulse: Pulse, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looks = list[int](), counted(pulse, monkeypatch)

    def awaited(ledger: Ledger) -> bool:
        asked.append(len(looks))
        return False

    waits = others.submit(pulse.wait_for, awaited, LONG)
    # Each one is told before the next look.
    looked(looks, 4)
    pulse.close()
    assert waits.result() is False
    assert len(asked) == 1


def test_who_watches_is_told_of_what_has_changed_and_of_the_end(
    pulse: Pulse, writer: Engine
) -> None:
    told = SimpleQueue[Ledger | None]()
    pulse.watch(told.put)
    first = told.get(timeout=LONG)
    move(writer, 0, offset=1)
    second = told.get(timeout=LONG)
    assert first is not None
    assert second is not None
    assert (first.is_beyond((0, 0, 0)), second.is_beyond((0, 0, 0))) == (False, True)
    pulse.close()
    assert told.get(timeout=LONG) is None
    assert told.empty()


def test_nobody_looks_for_who_does_not_watch_any_more(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = counted(pulse, monkeypatch)
    told = SimpleQueue[Ledger | None]()
    unwatch = pulse.watch(told.put)
    assert told.get(timeout=LONG) is not None
    unwatch()
    parked(pulse)
    before = len(looks)
    assert threading.Event().wait(0.1) is False
    assert len(looks) == before


def test_a_closed_pulse_lets_everybody_go(pulse: Pulse, others: ThreadPoolExecutor) -> None:
    woken = [others.submit(pulse.wait_beyond, (0, 0, 0), LONG) for _ in range(20)]
    waiting(pulse, 20)
    pulse.close()
    assert [each.result() for each in woken] == [False] * 20
    assert pulse._thread is not None
    assert not pulse._thread.is_alive()
    assert pulse.wait_beyond((0, 0, 0), LONG) is False


def test_who_leaves_is_waited_for_no_longer_and_others_are(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    client = Presence()
    gone = others.submit(pulse.wait_beyond, (0, 0, 0), LONG, 0.0, client)
    stays = others.submit(pulse.wait_beyond, (0, 0, 0), LONG, 0.0, Presence())
    waiting(pulse, 2)
    client.leave()
    assert gone.result() is False
    assert not stays.done()
    # Nor for anything else that is to be waited for on their behalf.
    assert pulse.wait_beyond((0, 0, 0), LONG, 0.0, client) is False
    move(writer, 0, offset=1)
    assert stays.result() is True


def test_no_event_is_missed_between_two_waits(
    pulse: Pulse, writer: Engine, others: ThreadPoolExecutor
) -> None:
    """Many follow one writer, each as fast as it can; a lost wake-up would leave one behind."""
    last = 60

    def follow() -> int:
        seen = 0
        while seen < last:
            if not pulse.wait_beyond((seen, 0, 0), LONG):
                return seen
            seen = pulse._read().offsets[0]
        return seen

    following = [others.submit(follow) for _ in range(8)]
    for offset in range(1, last + 1):
        move(writer, 0, offset=offset)
    assert [each.result() for each in following] == [last] * 8


def counted(pulse: Pulse, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tell of each look what it saw in all."""
    looks: list[int] = []
    read: Callable[[], Ledger] = pulse._read

    def counting() -> Ledger:
        ledger = read()
        looks.append(sum(ledger.offsets.values()))
        return ledger

    monkeypatch.setattr(pulse, "_read", counting)
    return looks


def looked(looks: list[int], more: int) -> None:
    """Wait for so many more looks. The second of them, and all later ones, are for everybody who
    waits now: of one that is under way it was decided before for whom it is.
    """
    before = len(looks)
    until(lambda: len(looks) >= before + more, 30, f"{more} more looks")


def parked(pulse: Pulse) -> None:
    """Wait until the thread waits for somebody who waits."""
    condition: Any = pulse._changed
    until(lambda: len(condition._waiters) == 1, 30, "the thread is parked")
