"""Waiting until replicas of the log's Redis have what the primary has acknowledged."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

_BARRIER = ("SET", "itemledger:barrier", "1")
# Seconds that the server is told to wait, at first and at most, and how much later than that its
# answer may come.
_FIRST_PATIENCE = 0.004
_LONGEST_PATIENCE = 1.0
_GRACE = 2.0
# How a server says that it can not wait for disks: an old one, and one without an AOF of its own.
_ONLY_MEMORY = ("unknown command", "appendonly is disabled")


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many must have a command, on disk where the servers can tell, before it is accepted."""

    count: int

    async def lack(self, connection: AbstractConnection, seconds: float) -> str | None:
        """Wait until they have all that this connection has written or was answered; say what is
        missing when they have not in time.

        Raises what the connection raises.
        """
        clock = asyncio.get_running_loop().time
        until, patience = clock() + seconds, _FIRST_PATIENCE
        try:
            # The server waits for the last write of this very connection. A command that is
            # answered as known wrote nothing, and was perhaps written by a connection that is gone:
            # a write of our own behind it makes the wait cover it.
            have = await self._have(connection, patience, [_BARRIER])
            while have < self.count and clock() < until:
                # A replica tells how far its disk is when it is asked, which is before it has
                # synced what it was just sent, and else once a second: so it is asked again soon.
                patience = min(2 * patience, _LONGEST_PATIENCE)
                have = await self._have(connection, min(patience, until - clock()))
        except ResponseError as error:
            return f"the log can not wait for its replicas: {error}"
        if have >= self.count:
            return None
        return f"{have} replicas of the log's Redis have it in time and {self.count} must"

    async def _have(
        self,
        connection: AbstractConnection,
        patience: float,
        before: Sequence[Sequence[Any]] = (),
    ) -> int:
        # Never 0: that would be for ever.
        wait = max(1, int(patience * 1000))
        try:
            told = await _ask(connection, wait, [*before, ("WAITAOF", 1, self.count, wait)])
        except ResponseError as error:
            if not any(each in str(error) for each in _ONLY_MEMORY):
                raise
            return int(await _ask(connection, wait, [("WAIT", self.count, wait)]))
        here, there = map(int, told)
        return there if here else 0


async def _ask(connection: AbstractConnection, wait: int, calls: Sequence[Sequence[Any]]) -> Any:
    """Send commands at once and return the last one's answer; raise the first one's error."""
    await connection.send_packed_command(connection.pack_commands(calls))
    refused: ResponseError | None = None
    answer: Any = None
    for _ in calls:
        try:
            answer = cast("Any", await connection.read_response(timeout=wait / 1000 + _GRACE))
        except ResponseError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return answer
