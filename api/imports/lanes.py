"""How many rows of imports wait in each partition: so few that nobody else's command waits long."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from eventlog import keys
from runtime.positions import Position

ROWS_LIMIT = 500

# Seconds between two looks: soon after something has moved, later while nothing does.
_SOON, _LATER, _AWAY = 0.002, 0.02, 0.25

log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """What waits in a partition: rows by the position of their entry, and rows on their way."""

    waiting: deque[tuple[Position, int]] = field(default_factory=deque[tuple[Position, int]])
    rows: int = 0


class Lanes:
    """Shared by all imports that this process feeds. A row has left its lane once it is applied,
    which the workers' marks tell; they are looked at only while somebody waits for it.
    """

    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._lanes = [_Lane() for _ in range(partitions)]
        self._moved = asyncio.Condition()
        self._waiters = 0
        self._looking: asyncio.Task[None] | None = None

    async def room(self, partition: int, rows: int) -> None:
        """Wait until so many rows more may be in a partition, and count them; more than may ever
        be there at once wait until there are none.
        """
        lane = self._lanes[partition]
        if lane.rows and lane.rows + rows > ROWS_LIMIT:
            await self._until(lambda: not lane.rows or lane.rows + rows <= ROWS_LIMIT)
        lane.rows += rows

    def put(self, position: Position, rows: int) -> None:
        """Say at which position the rows are that there was room for."""
        self._lanes[position.partition].waiting.append((position, rows))

    def drop(self, partition: int, rows: int) -> None:
        """Say that rows that there was room for have not come."""
        self._lanes[partition].rows -= rows

    async def applied(self, positions: Iterable[Position]) -> None:
        """Wait until everything up to these positions has left its lane."""
        left = list(positions)

        def gone() -> bool:
            left[:] = [each for each in left if self._waits(each)]
            return not left

        await self._until(gone)

    def _waits(self, position: Position) -> bool:
        waiting = self._lanes[position.partition].waiting
        return bool(waiting) and waiting[0][0] <= position

    async def _until(self, condition: Callable[[], bool]) -> None:
        self._waiters += 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(), name="lanes")
            async with self._moved:
                await self._moved.wait_for(condition)
        finally:
            self._waiters -= 1

    async def _look(self) -> None:
        pause = _SOON
        while self._waiters:
            try:
                moved = await self._read()
            except (RedisError, OSError) as error:
                log.warning("the log does not tell what is applied", error=str(error))
                pause = _AWAY
            else:
                pause = _SOON if moved else min(1.5 * pause, _LATER)
            # Whatever it was: rows that were dropped make room, too.
            async with self._moved:
                self._moved.notify_all()
            await asyncio.sleep(pause)

    async def _read(self) -> bool:
        """Take what is applied out of its lane; say whether there was anything."""
        asked = [number for number, lane in enumerate(self._lanes) if lane.waiting]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for partition in asked:
                pipeline.get(keys.done(partition))
            answers: list[Any] = await pipeline.execute() if asked else []
        moved = False
        for partition, answer in zip(asked, answers, strict=True):
            if answer is not None:
                done = Position.from_stream_id(partition, answer.decode())
                moved |= self._leave(self._lanes[partition], done)
        return moved

    def _leave(self, lane: _Lane, done: Position) -> bool:
        before = lane.rows
        while lane.waiting and lane.waiting[0][0] <= done:
            lane.rows -= lane.waiting.popleft()[1]
        return lane.rows != before
