"""What waits on the log, counted across epochs."""

import asyncio

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from eventlog import backlog, keys
from eventlog.backlog import Extent
from runtime.positions import Position

ENDS = {1: 10, 2: 20, 3: 30}


def at(epoch: int, n: int) -> Position:
    return Position(0, epoch, n)


@pytest.mark.parametrize(
    ("head", "done", "waiting"),
    [
        (None, None, 0),
        (None, at(1, 5), 0),
        (at(4, 7), at(4, 7), 0),
        (at(4, 7), at(4, 2), 5),
        (at(4, 7), at(4, 9), 0),
        (at(4, 7), at(3, 30), 7),
        (at(4, 7), at(3, 28), 9),
        (at(4, 7), at(1, 4), 6 + 20 + 30 + 7),
        (at(4, 0), at(3, 28), 2),
        (at(4, 7), None, 10 + 20 + 30 + 7),
        (at(2, 3), at(3, 1), 0),
        # Set back: its end is behind what the ledger had taken of it.
        (at(4, 7), at(3, 35), 7),
    ],
)
def test_what_waits_is_counted(head: Position | None, done: Position | None, waiting: int) -> None:
    assert Extent(head, done).waiting(ENDS) == waiting


def test_all_partitions_of_a_server_are_counted(redis: "Redis", valkey_url: str) -> None:
    redis.hset(keys.head(0), mapping={"run_id": "x", "epoch": 5, "n": 4})
    redis.set(keys.done(0), "5-1")
    redis.hset(keys.head(2), mapping={"run_id": "x", "epoch": 9, "n": 2})
    redis.hset(keys.epochs(2), "8", 100)
    redis.set(keys.done(2), "8-60")

    async def main() -> list[int]:
        async with AsyncRedis.from_url(valkey_url) as client:
            async with client.pipeline(transaction=False) as pipeline:
                backlog.ask(pipeline, 3)
                answers = await pipeline.execute()
            return await backlog.count(client, backlog.read(answers))

    assert asyncio.run(main()) == [3, 0, 42]
