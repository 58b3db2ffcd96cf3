"""One attempt to append a turn: all partitions' scripts in one pipeline, and what the answers
settle. What is not settled by it may be attempted again, under the same ids.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from eventlog.append import Script, evalsha, is_certain, is_demoted, load_script, read_reply
from eventlog.chunks import (
    Answered,
    Chunk,
    Turn,
    chunks_of,
    drop_settled,
    positions,
    share_out,
    take_error,
    take_verdicts,
)
from eventlog.losses import Losses
from eventlog.replicas import Replicas
from runtime.failpoints import Reach

_LOST = (RedisConnectionError, RedisTimeoutError, OSError, asyncio.TimeoutError)

log = structlog.get_logger()


class Sender:
    """The one connection on which an API process appends; its parameters are the batcher's."""

    def __init__(
        self,
        pool: ConnectionPool,
        ring: Callable[[set[int]], None],
        gate: Callable[[], str | None],
        losses: Losses,
        replicas: Replicas | None,
        reach: Reach,
    ) -> None:
        self._pool = pool
        self._ring = ring
        self._gate = gate
        self._losses = losses
        self._replicas = replicas
        self._reach = reach
        self._script: Script = load_script()
        self._connection: AbstractConnection | None = None

    async def attempt(self, turn: Turn) -> None:
        """Send a turn once, and take out of it what is settled by that."""
        try:
            connection = await self._connect()
        except (*_LOST, RedisError) as error:
            await self.disconnect()
            for chunk in chunks_of(turn):
                chunk.why = f"the log is not to be reached: {error}"
            return
        try:
            await self._send(connection, turn)
        except _LOST as error:
            await self.disconnect()
            for chunk in chunks_of(turn):
                chunk.why = f"the log's answer did not come: {error}"
        finally:
            drop_settled(turn)

    async def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _send(self, connection: AbstractConnection, turn: Turn) -> None:
        self._reach("api.before_append")
        calls = self._calls(turn)
        sent_before = {chunk: chunk.maybe_sent for chunk in chunks_of(turn)}
        for chunk in sent_before:
            chunk.maybe_sent = True
        await connection.send_packed_command(connection.pack_commands(calls))
        bells: set[int] = set()
        answered: list[Answered] = []
        errors: list[ResponseError] = []
        try:
            for partition, chunks in turn.items():
                try:
                    reply = cast("Any", await connection.read_response())
                except ResponseError as error:
                    errors.append(error)
                    _take_error(partition, chunks, error, sent_before)
                    continue
                self._reach("api.after_append")
                rings, verdicts = read_reply(partition, reply)
                if rings:
                    bells.add(partition)
                answered += self._settle(share_out(chunks, verdicts), sent_before)
        finally:
            if bells:
                self._reach("api.before_ring")
                self._ring(bells)
        if self._replicas is not None and answered:
            await self._confirm(self._replicas, connection, answered, sent_before)
        await self._mend(connection, errors)

    def _calls(self, turn: Turn) -> list[tuple[Any, ...]]:
        closed = self._gate()
        return [
            evalsha(
                self._script,
                partition,
                [each for chunk in chunks for each in chunk.submissions],
                closed,
                self._losses.floor(partition),
            )
            for partition, chunks in turn.items()
        ]

    def _settle(
        self, answered: Sequence[Answered], sent_before: Mapping[Chunk, bool], *, safe: bool = False
    ) -> list[Answered]:
        """Settle what is answered, and return what replicas must have first unless it is `safe`."""
        left: list[Answered] = []
        for each in answered:
            on_the_log = positions(each[1])
            if self._replicas is not None and on_the_log and not safe:
                left.append(each)
            else:
                take_verdicts(each, sent_before)
                self._losses.acknowledged(on_the_log)
        return left

    async def _confirm(
        self,
        replicas: Replicas,
        connection: AbstractConnection,
        answered: Sequence[Answered],
        sent_before: Mapping[Chunk, bool],
    ) -> None:
        """Settle what is on the log once the replicas have it; else it is to be sent again."""
        now = asyncio.get_running_loop().time()
        deadline = min(chunk.deadline or now for chunk, _ in answered)
        lack = await replicas.lack(connection, deadline - now)
        if lack is None:
            self._settle(answered, sent_before, safe=True)
            return
        for chunk, _ in answered:
            chunk.why = lack

    async def _mend(self, connection: AbstractConnection, errors: Sequence[ResponseError]) -> None:
        if any(is_demoted(error) for error in errors):
            await self.disconnect()
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


def _take_error(
    partition: int,
    chunks: Sequence[Chunk],
    error: ResponseError,
    sent_before: Mapping[Chunk, bool],
) -> None:
    if not is_certain(error):
        log.error("append unanswered", partition=partition, error=str(error))
    for chunk in chunks:
        take_error(chunk, error, sent_before)
