"""A batcher that is run for the length of some work, and what it stored."""

import asyncio
from collections.abc import Callable, Coroutine

from redis import Redis

from eventlog import keys
from eventlog.append import Submission
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool


def commands(*names: str) -> list[Submission]:
    return [Submission(name, name.encode(), "f") for name in names]


def stored(redis: "Redis", partition: int = 0) -> list[str]:
    return [fields[b"c"].decode() for _, fields in redis.xrange(keys.log(partition))]


def run(
    url: str,
    work: Callable[[Batcher], Coroutine[None, None, None]],
    ring: Callable[[set[int]], None] = lambda _: None,
    give_up_after: float = 5.0,
) -> None:
    async def main() -> None:
        async with Batcher(appending_pool(url), ring, give_up_after) as batcher:
            await work(batcher)

    asyncio.run(main())
