"""How many rows of imports wait in each partition: so few that nobody else's command waits long."""

import asyncio
import math
import time
from bisect import insort
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
# However slow the workers are: with fewer at once they would only be slower.
ROWS_LEAST = 200
# Where nobody else sends commands: two of the largest batches, for one is being applied meanwhile.
ROWS_ALONE = 4 * ROWS_LIMIT

# Seconds that rows are meant to wait. A command of somebody else's waits for those that are being
# applied and for those that stand before it: twice as long. Alone, they may wait longer.
_WAIT, _WAIT_ALONE = 0.035, 0.2
# Seconds without anybody else's command after which imports are alone.
_QUIET = 2.0
# Seconds between two looks: soon after something has moved, later while nothing does.
_SOON, _LATER, _AWAY = 0.002, 0.01, 0.25

log = structlog.get_logger()


class Lost(Exception):
    """The log came back without rows that it had taken; `str()` says what to do."""

    def __init__(self) -> None:
        super().__init__("the log lost rows; send the file again under the same Idempotency-Key")


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """Rows that wait at a position, since a moment; none where only somebody waits for it."""

    position: Position
    rows: int
    since: float


@dataclass(slots=True)
class _Lane:
    """What waits in a partition, and how many rows that is with those on their way."""

    waiting: deque[_Entry] = field(default_factory=deque[_Entry])
    rows: int = 0
    last: Position | None = None
    # By epoch, the n from which on what waited is lost.
    lost: dict[int, int] = field(default_factory=dict[int, int])


class Lanes:
    """Shared by all imports that this process feeds. A row has left its lane once it is applied,
    which the workers' marks tell, or is lost; that is looked at only while somebody waits for it.
    `limit` is how many rows may be in a lane; it follows the workers' speed. `fed` counts the rows
    that were put on the log.
    """

    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._lanes = [_Lane() for _ in range(partitions)]
        self._moved = asyncio.Condition()
        self._waiters = 0
        self._looking: asyncio.Task[None] | None = None
        self.limit = ROWS_LIMIT // 2
        self.fed = 0
        # When a command of somebody else was last met; at first none has been.
        self._met = -math.inf

    async def room(self, partition: int, rows: int) -> None:
        """Wait until so many rows more may be in a partition, and count them; more than may ever
        be there at once wait until there are none.
        """
        lane = self._lanes[partition]
        if lane.rows and lane.rows + rows > self.limit:
            await self._until(lambda: not lane.rows or lane.rows + rows <= self.limit)
        lane.rows += rows

    def put(self, position: Position, rows: int) -> None:
        """Say at which position the rows are that there was room for."""
        now = time.monotonic()
        lane = self._lanes[position.partition]
        lane.waiting.append(_Entry(position, rows, now))
        self.fed += rows
        # Positions have no gaps: what lies between two of ours is somebody else's.
        if lane.last is None or (lane.last.epoch, lane.last.n + 1) != (position.epoch, position.n):
            self._met = now
        lane.last = position

    def drop(self, partition: int, rows: int) -> None:
        """Say that rows that there was room for have not come."""
        self._lanes[partition].rows -= rows

    def require(self, positions: Iterable[Position]) -> None:
        """Raise Lost where what was put at one of these positions is known to be lost."""
        for each in positions:
            if each.n >= self._lanes[each.partition].lost.get(each.epoch, math.inf):
                raise Lost

    async def applied(self, positions: Iterable[Position]) -> None:
        """Wait until everything up to these positions is applied. Raises Lost."""
        now = time.monotonic()
        asked = [(self._lanes[each.partition].waiting, _Entry(each, 0, now)) for each in positions]
        for waiting, entry in asked:
            insort(waiting, entry, key=lambda other: other.position)
        try:
            await self._until(lambda: not any(entry in waiting for waiting, entry in asked))
        finally:
            for waiting, entry in asked:
                if entry in waiting:
                    waiting.remove(entry)
        self.require(entry.position for _, entry in asked)

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
            await asyncio.sleep(pause)  # between two looks at what is applied

    async def _read(self) -> bool:
        """Take what is applied or lost out of its lane; say whether there was anything."""
        asked = [number for number, lane in enumerate(self._lanes) if lane.waiting]
        if not asked:
            return False
        async with self._redis.pipeline(transaction=False) as pipeline:
            for partition in asked:
                pipeline.get(keys.done(partition))
                pipeline.hget(keys.head(partition), "epoch")
            answers: list[Any] = await pipeline.execute()
        now, waited = time.monotonic(), 0.0
        for partition, told, epoch in zip(asked, answers[::2], answers[1::2], strict=True):
            done = Position.from_stream_id(partition, "0-0" if told is None else told.decode())
            await self._lose(partition, done, max(done.epoch, int(epoch or 0)))
            waited = max(waited, self._leave(self._lanes[partition], done, now))
        if waited:
            self._follow(waited, alone=now - self._met > _QUIET)
        return waited > 0

    async def _lose(self, partition: int, done: Position, newest: int) -> None:
        """Take out what lies beyond the end of an epoch that is over: nobody will ever apply it."""
        lane = self._lanes[partition]
        suspects = [
            each
            for each in lane.waiting
            if (at := each.position).epoch < newest and (at.epoch != done.epoch or at > done)
        ]
        if not suspects:
            return
        over = sorted({each.position.epoch for each in suspects})
        told: Any = await self._redis.hmget(keys.epochs(partition), list(map(str, over)))
        ends = {epoch: int(end or 0) for epoch, end in zip(over, told, strict=True)}
        for each in suspects:
            epoch, n = each.position.epoch, each.position.n
            if n > ends[epoch] and each in lane.waiting:
                lane.waiting.remove(each)
                lane.rows -= each.rows
                lane.lost[epoch] = min(n, lane.lost.get(epoch, n))
                log.error("rows of imports are lost", position=each.position.token, rows=each.rows)

    def _leave(self, lane: _Lane, done: Position, now: float) -> float:
        """Take out what is applied; return for how long the oldest of it has waited."""
        waited = 0.0
        while lane.waiting and lane.waiting[0].position <= done:
            entry = lane.waiting.popleft()
            lane.rows -= entry.rows
            if entry.rows:
                waited = max(waited, now - entry.since)
        return waited

    def _follow(self, waited: float, *, alone: bool) -> None:
        """Let fewer rows wait where they wait for too long, and more where they need not."""
        meant, most = (_WAIT_ALONE, ROWS_ALONE) if alone else (_WAIT, ROWS_LIMIT)
        if waited > meant or self.limit > most:
            self.limit = max(ROWS_LEAST, int(0.9 * self.limit))
        elif waited < meant / 2:
            self.limit = min(most, int(1.1 * self.limit) + 1)
