"""Appends that arrive together go to Redis together: one pipeline and one fsync per turn.

The client library repeats nothing here. What has no certain answer is repeated by us, under the
same command ids, until it is five seconds old.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Self

import structlog
from redis.asyncio import ConnectionPool

from eventlog.append import NotAppended, Submission, Unknown, Verdict
from eventlog.chunks import Chunk, Turn, chunks_of
from eventlog.losses import Losses
from eventlog.replicas import Replicas
from eventlog.sender import Sender
from runtime.ending import end
from runtime.failpoints import Reach, nowhere
from runtime.measures import Histogram

GIVE_UP_AFTER = 5.0
CHUNK = 256
# Commands per partition and turn, and commands that may wait for their turn at all.
_TURN = 1024
_WAITING_LIMIT = 50_000
_PAUSE = 0.02
_SIZES = tuple(float(2**power) for power in range(12))

log = structlog.get_logger()


def always_open() -> None:
    """Accept, whatever comes."""


class Batcher:
    """The only writer to the log in an API process.

    `ring` is called, in the event loop, with the partitions whose bell was down. What has no
    certain answer after `give_up_after` seconds is given up. `gate` gives the reason for which
    nothing new is accepted, if there is one; `losses` remembers what was acknowledged; `replicas`,
    where there are any to wait for, must have a command before it is. `seconds` and `sizes` tell
    how long turns took and how many entries they had.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        ring: Callable[[set[int]], None],
        give_up_after: float = GIVE_UP_AFTER,
        *,
        gate: Callable[[], str | None] = always_open,
        losses: Losses | None = None,
        replicas: Replicas | None = None,
        reach: Reach = nowhere,
    ) -> None:
        self._sender = Sender(pool, ring, gate, losses or Losses(), replicas, reach)
        self.seconds = Histogram()
        self.sizes = Histogram(_SIZES)
        self._give_up_after = give_up_after
        self._waiting: dict[int, deque[Chunk]] = defaultdict(deque)
        self._waiting_commands = 0
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="append")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what still waits, then stop."""
        if self._task is not None:
            await self._idle.wait()
            await end([self._task])
        await self._sender.disconnect()

    @property
    def waiting(self) -> int:
        """How many commands are not settled yet."""
        return self._waiting_commands

    async def append(self, partition: int, submissions: Sequence[Submission]) -> list[Verdict]:
        """Append in order and return a verdict for each; later ones wait for the earlier.

        After a chunk that was not accepted whole the rest is not sent, so that the order of an
        item's commands can not break.
        """
        verdicts: list[Verdict] = []
        for start in range(0, len(submissions), CHUNK):
            chunk = submissions[start : start + CHUNK]
            answer = await self._append_chunk(partition, chunk)
            verdicts += answer
            if any(isinstance(each, NotAppended | Unknown) for each in answer):
                rest = len(submissions) - len(verdicts)
                verdicts += [NotAppended("an earlier part of the batch was not accepted")] * rest
                break
        return verdicts

    async def _append_chunk(self, partition: int, chunk: Sequence[Submission]) -> list[Verdict]:
        if self._waiting_commands > _WAITING_LIMIT:
            return [NotAppended("too many commands wait to be written")] * len(chunk)
        loop = asyncio.get_running_loop()
        pending = Chunk(partition, chunk, loop.create_future())
        self._waiting[partition].append(pending)
        self._waiting_commands += pending.commands
        self._idle.clear()
        self._arrived.set()
        try:
            return await pending.verdicts
        finally:
            self._waiting_commands -= pending.commands

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while turn := self._take_turn():
                self.sizes.observe(sum(each.commands for each in chunks_of(turn)))
                begun = asyncio.get_running_loop().time()
                try:
                    await self._sender.attempt(turn)
                except Exception as error:
                    # A defect of ours must not leave requests waiting for ever.
                    log.exception("append failed")
                    for chunk in chunks_of(turn):
                        chunk.give_up(f"{type(error).__name__}: {error}")
                    turn.clear()
                    await self._sender.disconnect()
                self.seconds.observe(asyncio.get_running_loop().time() - begun)
                if turn:
                    self._put_back(turn)
                    await asyncio.sleep(_PAUSE)  # before the next try
            self._idle.set()

    def _take_turn(self) -> Turn:
        """Take what waits, in order, up to the limit per partition; give up what is too old."""
        now = asyncio.get_running_loop().time()
        turn: Turn = {}
        for partition, waiting in list(self._waiting.items()):
            taken: list[Chunk] = []
            commands = 0
            while waiting and (not taken or commands + waiting[0].commands <= _TURN):
                chunk = waiting.popleft()
                if chunk.deadline is None:
                    # From its first try on: a burst that waits for its turn is not the log's fault.
                    chunk.deadline = now + self._give_up_after
                if chunk.deadline <= now:
                    chunk.give_up(chunk.why)
                    continue
                commands += chunk.commands
                taken.append(chunk)
            if taken:
                turn[partition] = taken
            if not waiting:
                del self._waiting[partition]
        return turn

    def _put_back(self, turn: Turn) -> None:
        """Let what has no certain answer go first in its partition's next turn."""
        for partition, chunks in turn.items():
            self._waiting[partition].extendleft(reversed(chunks))
