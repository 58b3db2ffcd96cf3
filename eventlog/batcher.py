"""Appends that arrive together go to Redis together: one pipeline and one fsync per turn.

The client library repeats nothing here. What has no certain answer is repeated by us, under the
same command ids, until it is five seconds old.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from eventlog.append import (
    NotAppended,
    Script,
    Submission,
    Unknown,
    Verdict,
    evalsha,
    is_certain,
    is_demoted,
    is_passing,
    load_script,
    read_reply,
)

GIVE_UP_AFTER = 5.0
CHUNK = 256
# Commands per partition and turn, and commands that may wait for their turn at all.
_TURN = 1024
_WAITING_LIMIT = 50_000
_PAUSE = 0.02

_LOST = (RedisConnectionError, RedisTimeoutError, OSError, asyncio.TimeoutError)

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Chunk:
    """Some commands of one request for one partition; `maybe_sent` once their fate is not ours.

    `why` tells what stood in the way so far.
    """

    partition: int
    submissions: Sequence[Submission]
    deadline: float
    verdicts: asyncio.Future[list[Verdict]] = field(repr=False)
    maybe_sent: bool = False
    why: str = "the log did not answer"

    def settle(self, verdicts: list[Verdict]) -> None:
        if not self.verdicts.done():
            self.verdicts.set_result(verdicts)

    def give_up(self, why: str) -> None:
        verdict = Unknown(why) if self.maybe_sent else NotAppended(why)
        self.settle([verdict] * len(self.submissions))


_Turn = dict[int, list[_Chunk]]


class Batcher:
    """The only writer to the log in an API process.

    `ring` is called, in the event loop, with the partitions whose bell was down. What has no
    certain answer after `give_up_after` seconds is given up.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        ring: Callable[[set[int]], None],
        give_up_after: float = GIVE_UP_AFTER,
    ) -> None:
        self._pool = pool
        self._ring = ring
        self._give_up_after = give_up_after
        self._script: Script = load_script()
        self._waiting: dict[int, deque[_Chunk]] = defaultdict(deque)
        self._waiting_commands = 0
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="append")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what still waits, then stop."""
        if self._task is not None:
            await self._idle.wait()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._connection is not None:
            await self._connection.disconnect()

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
        pending = _Chunk(partition, chunk, loop.time() + self._give_up_after, loop.create_future())
        self._waiting[partition].append(pending)
        self._waiting_commands += len(chunk)
        self._idle.clear()
        self._arrived.set()
        try:
            return await pending.verdicts
        finally:
            self._waiting_commands -= len(chunk)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while turn := self._take_turn():
                try:
                    await self._attempt(turn)
                except Exception as error:
                    # A defect of ours must not leave requests waiting for ever.
                    log.exception("append failed")
                    for chunk in _chunks(turn):
                        chunk.give_up(f"{type(error).__name__}: {error}")
                    turn.clear()
                    await self._disconnect()
                if turn:
                    self._put_back(turn)
                    await asyncio.sleep(_PAUSE)
            self._idle.set()

    def _take_turn(self) -> _Turn:
        """Take what waits, in order, up to the limit per partition; give up what is too old."""
        now = asyncio.get_running_loop().time()
        turn: _Turn = {}
        for partition, waiting in list(self._waiting.items()):
            taken: list[_Chunk] = []
            commands = 0
            while waiting and (not taken or commands + len(waiting[0].submissions) <= _TURN):
                chunk = waiting.popleft()
                if chunk.deadline <= now:
                    chunk.give_up(chunk.why)
                    continue
                commands += len(chunk.submissions)
                taken.append(chunk)
            if taken:
                turn[partition] = taken
            if not waiting:
                del self._waiting[partition]
        return turn

    def _put_back(self, turn: _Turn) -> None:
        """Let what has no certain answer go first in its partition's next turn."""
        for partition, chunks in turn.items():
            self._waiting[partition].extendleft(reversed(chunks))

    async def _attempt(self, turn: _Turn) -> None:
        """Send a turn once, and take out of it what is settled by that."""
        try:
            connection = await self._connect()
        except (*_LOST, RedisError) as error:
            await self._disconnect()
            for chunk in _chunks(turn):
                chunk.why = f"the log is not to be reached: {error}"
            return
        try:
            await self._send(connection, turn)
        except _LOST as error:
            await self._disconnect()
            for chunk in _chunks(turn):
                chunk.why = f"the log's answer did not come: {error}"

    async def _send(self, connection: AbstractConnection, turn: _Turn) -> None:
        """Send all partitions' appends at once and read their answers."""
        order = list(turn)
        calls = [
            evalsha(
                self._script,
                partition,
                [each for chunk in turn[partition] for each in chunk.submissions],
            )
            for partition in order
        ]
        sent_before = {chunk: chunk.maybe_sent for chunk in _chunks(turn)}
        for chunk in sent_before:
            chunk.maybe_sent = True
        await connection.send_packed_command(connection.pack_commands(calls))
        bells: set[int] = set()
        errors: list[ResponseError] = []
        try:
            for partition in order:
                try:
                    reply = await _answer(connection)
                except ResponseError as error:
                    errors.append(error)
                    _take_error(partition, turn, error, sent_before)
                else:
                    if _take_reply(partition, turn.pop(partition), reply):
                        bells.add(partition)
        finally:
            if bells:
                self._ring(bells)
        if any(is_demoted(error) for error in errors):
            await self._disconnect()
        elif any(isinstance(error, NoScriptError) for error in errors):
            await self._load_script(connection)

    async def _connect(self) -> AbstractConnection:
        if self._connection is None:
            connection = self._pool.make_connection()
            self._connection = connection
            await connection.connect()
            await self._load_script(connection)
        return self._connection

    async def _load_script(self, connection: AbstractConnection) -> None:
        await connection.send_command("SCRIPT", "LOAD", self._script.text)
        await connection.read_response()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _chunks(turn: _Turn) -> list[_Chunk]:
    return [chunk for chunks in turn.values() for chunk in chunks]


def _take_reply(partition: int, chunks: list[_Chunk], reply: Any) -> bool:
    """Settle a partition's chunks, and say whether its bell was down."""
    rings, verdicts = read_reply(partition, reply)
    start = 0
    for chunk in chunks:
        end = start + len(chunk.submissions)
        chunk.settle(verdicts[start:end])
        start = end
    return rings


def _take_error(
    partition: int, turn: _Turn, error: ResponseError, sent_before: Mapping[_Chunk, bool]
) -> None:
    """Settle a certain refusal; leave what is uncertain, or only passing, to be sent again."""
    certain = is_certain(error)
    if not certain:
        log.error("append unanswered", partition=partition, error=str(error))
    left: list[_Chunk] = []
    for chunk in turn.pop(partition):
        chunk.why = f"the log refused: {error}"
        if certain:
            # This time it was not written; what an earlier time may have done stays open.
            chunk.maybe_sent = sent_before[chunk]
        if certain and not chunk.maybe_sent and not is_passing(error):
            chunk.give_up(chunk.why)
        else:
            left.append(chunk)
    if left:
        turn[partition] = left


async def _answer(connection: AbstractConnection) -> Any:
    return cast("Any", await connection.read_response())
