"""Appends that arrive together go to Redis together: one pipeline and one fsync per turn.

The client library repeats nothing here. What has no certain answer is repeated by us, under the
same command ids, until it is five seconds old.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
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
    """Some commands of one request for one partition; `maybe_sent` once their fate is not ours."""

    partition: int
    submissions: Sequence[Submission]
    deadline: float
    verdicts: asyncio.Future[list[Verdict]] = field(repr=False)
    maybe_sent: bool = False

    def settle(self, verdicts: list[Verdict]) -> None:
        if not self.verdicts.done():
            self.verdicts.set_result(verdicts)

    def give_up(self, why: str) -> None:
        verdict = Unknown(why) if self.maybe_sent else NotAppended(why)
        self.settle([verdict] * len(self.submissions))


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
        self._give_up_after = give_up_after
        self._ring = ring
        self._script: Script = load_script()
        self._waiting: dict[int, deque[_Chunk]] = defaultdict(deque)
        self._waiting_commands = 0
        self._arrived = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="append")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what still waits, then stop."""
        if self._task is not None:
            while self._waiting_commands and not self._task.done():
                await asyncio.wait([self._task], timeout=_PAUSE)
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
            if isinstance(answer[-1], NotAppended | Unknown):
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
        self._arrived.set()
        return await pending.verdicts

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while turn := self._take_turn():
                try:
                    await self._send_until_settled(turn)
                except Exception as error:
                    # A defect of ours must not leave requests waiting for ever.
                    log.exception("append failed")
                    for chunks in turn.values():
                        for chunk in chunks:
                            chunk.give_up(f"{type(error).__name__}: {error}")
                    await self._disconnect()
                finally:
                    self._waiting_commands -= sum(
                        len(chunk.submissions) for chunks in turn.values() for chunk in chunks
                    )

    def _take_turn(self) -> dict[int, list[_Chunk]]:
        """Take what waits, in order, up to the limit per partition."""
        turn: dict[int, list[_Chunk]] = {}
        for partition, waiting in list(self._waiting.items()):
            taken: list[_Chunk] = []
            commands = 0
            while waiting and (not taken or commands + len(waiting[0].submissions) <= _TURN):
                chunk = waiting.popleft()
                commands += len(chunk.submissions)
                taken.append(chunk)
            turn[partition] = taken
            if waiting:
                self._arrived.set()
            else:
                del self._waiting[partition]
        return turn

    async def _send_until_settled(self, turn: dict[int, list[_Chunk]]) -> None:
        loop = asyncio.get_running_loop()
        unsettled = dict(turn)
        why = "the log did not answer"
        while unsettled:
            for partition, chunks in list(unsettled.items()):
                young = [each for each in chunks if each.deadline > loop.time()]
                for chunk in chunks:
                    if chunk not in young:
                        chunk.give_up(why)
                unsettled[partition] = young
                if not young:
                    del unsettled[partition]
            if not unsettled:
                return
            try:
                connection = await self._connect()
            except (*_LOST, RedisError) as error:
                why = f"the log is not to be reached: {error}"
                await self._disconnect()
                await asyncio.sleep(_PAUSE)
                continue
            try:
                await self._send(connection, unsettled)
            except _LOST as error:
                why = f"the log's answer did not come: {error}"
                await self._disconnect()
            if unsettled:
                await asyncio.sleep(_PAUSE)

    async def _send(
        self, connection: AbstractConnection, unsettled: dict[int, list[_Chunk]]
    ) -> None:
        """Send all partitions' appends at once and settle, and remove, those that are answered."""
        order = list(unsettled)
        calls = [
            evalsha(
                self._script,
                partition,
                [each for chunk in unsettled[partition] for each in chunk.submissions],
            )
            for partition in order
        ]
        sent_before = {
            partition: any(chunk.maybe_sent for chunk in unsettled[partition])
            for partition in order
        }
        for chunks in unsettled.values():
            for chunk in chunks:
                chunk.maybe_sent = True
        await connection.send_packed_command(connection.pack_commands(calls))
        bells: set[int] = set()
        script_missing = False
        try:
            for partition in order:
                try:
                    reply = await _answer(connection)
                except ResponseError as error:
                    script_missing |= isinstance(error, NoScriptError)
                    self._take_error(partition, unsettled, error, sent_before[partition])
                else:
                    rings = self._take_reply(partition, unsettled.pop(partition), reply)
                    if rings:
                        bells.add(partition)
        finally:
            if bells:
                self._ring(bells)
        if script_missing:
            await self._load_script(connection)

    def _take_reply(self, partition: int, chunks: list[_Chunk], reply: Any) -> bool:
        rings, appended = read_reply(partition, reply)
        start = 0
        for chunk in chunks:
            end = start + len(chunk.submissions)
            chunk.settle(list(appended[start:end]))
            start = end
        return rings

    def _take_error(
        self,
        partition: int,
        unsettled: dict[int, list[_Chunk]],
        error: ResponseError,
        sent_before: bool,
    ) -> None:
        """Settle a certain refusal; leave what is uncertain, or only passing, to be repeated."""
        if not is_certain(error):
            log.error("append unanswered", partition=partition, error=str(error))
            return
        for chunk in unsettled[partition]:
            chunk.maybe_sent = sent_before
        if is_passing(error) or sent_before:
            return
        for chunk in unsettled.pop(partition):
            chunk.give_up(f"the log refused: {error}")

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


async def _answer(connection: AbstractConnection) -> Any:
    return cast("Any", await connection.read_response())
