"""Every transaction of a worker is told, and where each began the one before has ended."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis

from domain.commands import CreateItem, PatchItem
from eventlog import keys, moves
from eventlog.envelope import Atomic
from eventlog.moves import Move
from eventlog.partition import partition_of
from ledger import partitions
from runtime.row_ids import row_id
from tests.waiting import until
from tests.worker.world import NOW, World, envelope, heard_so_far
from worker.moves import point_of

_SECONDS = 30.0


class Told:
    """Hears what workers tell."""

    def __init__(self, redis: "Redis", channel: str, pubsub: Any) -> None:
        self._heard = partial(heard_so_far, redis, channel, pubsub)

    def moves(self) -> list[Move]:
        heard = [each for data in self._heard() for each in moves.read(data)]
        return [each for each in heard if isinstance(each, Move)]


@contextmanager
def told(world: World) -> Iterator[Told]:
    channel = keys.moves(world.redis.connection_pool.connection_kwargs.get("db") or 0)
    with world.redis.pubsub() as pubsub:
        pubsub.subscribe(channel)
        until(lambda: pubsub.get_message(timeout=1) is not None, _SECONDS, "to be subscribed")
        yield Told(world.redis, channel, pubsub)


def create(item_id: str) -> Any:
    return envelope(f"create-{item_id}", CreateItem(item_id, NOW, item_id, None, 1, "EUR"))


def drained(world: World) -> None:
    drain = world.drain()
    for partition in range(world.reader.partitions):
        while not drain.partition(partition):
            pass


def chained(world: World, heard: list[Move]) -> None:
    """See that there is no gap in what was told, and that it ends where the ledger is."""
    by_partition: dict[int, list[Move]] = defaultdict(list)
    for each in heard:
        by_partition[each.after.partition].append(each)
    ledger = partitions.read(world.engine, range(world.reader.partitions))
    for partition, told in by_partition.items():
        for one, other in pairwise(told):
            assert one.after.point == other.before
        assert told[-1].after.point == point_of(ledger[partition])


def test_a_batch_tells_which_items_it_changed(world: World) -> None:
    with told(world) as listener:
        world.append(create("lamp"), create("cup"))
        world.append(envelope("again", PatchItem("cup", NOW, price=1)))
        drained(world)
        world.append(envelope("change", PatchItem("cup", NOW, price=2)))
        drained(world)
        heard = listener.moves()
    assert [set(each.items) for each in heard] == [{"lamp", "cup"}, {"cup"}]
    assert heard[0].after.in_step == {"items"}
    chained(world, heard)


def test_commands_that_change_nothing_move_the_ledger_all_the_same(world: World) -> None:
    with told(world) as listener:
        world.append(create("lamp"))
        drained(world)
        world.append(envelope("same", PatchItem("lamp", NOW, price=1)))
        drained(world)
        heard = listener.moves()
    assert [each.items for each in heard] == [("lamp",), ()]
    chained(world, heard)


def test_commands_that_are_taken_one_by_one_are_told_one_by_one(
    world: World, allergic: Any
) -> None:
    with told(world) as listener:
        world.append(create("lamp"), create("cup"))
        drained(world)
        world.append(
            envelope("one", PatchItem("lamp", NOW, price=2)),
            envelope("bad", PatchItem("cup", NOW, price=13)),
            envelope("two", PatchItem("lamp", NOW, price=3)),
        )
        drained(world)
        chained(world, listener.moves())


def test_an_atomic_batch_tells_of_every_partition_it_touched(two_partitions: World) -> None:
    world = two_partitions
    ids = [f"item-{number}" for number in range(6)]
    rows = [replace(create(each), id=row_id("atomic", n)) for n, each in enumerate(ids)]
    with told(world) as listener:
        world.append(Atomic("atomic", tuple(rows)), partition=partition_of(ids[0], 2))
        drained(world)
        heard = listener.moves()
    assert {each.after.partition: set(each.items) for each in heard} == {
        partition: {each for each in ids if partition_of(each, 2) == partition}
        for partition in (0, 1)
    }
    chained(world, heard)


@pytest.mark.parametrize("in_step", [True, False])
def test_a_view_that_does_not_take_the_batch_is_not_named(world: World, *, in_step: bool) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of the view")

    with told(world) as listener:
        world.append(create("lamp"))
        drain = world.drain() if in_step else world.drain({"items": broken})
        drain.partition(0)
        (heard,) = listener.moves()
    assert heard.after.in_step == ({"items"} if in_step else frozenset())
