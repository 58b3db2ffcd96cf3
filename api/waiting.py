"""Requests that wait for the outcome of their command, woken by notices from the workers."""

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from eventlog import keys, notices
from eventlog.append import Submission
from eventlog.batcher import Batcher
from eventlog.codec import encode
from eventlog.envelope import Ask
from eventlog.notices import Notice
from runtime.ending import end

_PAUSE = 0.1
# Seconds of silence after which the server is asked, and after which the connection is dead.
_SILENCE = 5.0
_DEAD_AFTER = 12.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waited:
    """A command whose outcome somebody waits for, with the item it leaves behind or without."""

    command_id: str
    partition: int
    fingerprint: str
    with_item: bool

    @property
    def key(self) -> tuple[str, str]:
        """What a notice is matched by: another payload under the same id is another question."""
        return self.command_id, self.fingerprint


class Waiters:
    """All that wait in this process. `instance` is the name the workers send notices to."""

    def __init__(self, redis: Redis, batcher: Batcher) -> None:
        self.instance = uuid.uuid4().hex
        self._redis = redis
        self._batcher = batcher
        self._waiting: dict[tuple[str, str], list[tuple[Waited, asyncio.Future[Notice]]]] = (
            defaultdict(list)
        )
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="notices")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end([self._task, *self._asking])
        await self._redis.aclose()

    @property
    def count(self) -> int:
        """How many commands somebody waits for."""
        return len(self._waiting)

    @contextlib.contextmanager
    def expect(self, waited: Sequence[Waited]) -> Generator[list[asyncio.Future[Notice]]]:
        """Give a future for the outcome of each command; to be entered before they are appended."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Notice]] = []
        for each in waited:
            future: asyncio.Future[Notice] = loop.create_future()
            self._waiting[each.key].append((each, future))
            futures.append(future)
        try:
            yield futures
        finally:
            for each, future in zip(waited, futures, strict=True):
                self._forget(each, future)

    def ask(self, asked: Sequence[Waited]) -> None:
        """Have the workers tell again what became of commands that were accepted before."""
        task = asyncio.create_task(self._ask(asked), name="ask")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, asked: Sequence[Waited]) -> None:
        by_partition: dict[int, list[Submission]] = defaultdict(list)
        for each in asked:
            ask = Ask(
                str(uuid.uuid4()),
                each.command_id,
                each.fingerprint,
                self.instance,
                each.with_item,
            )
            question = Submission(ask.id, encode(ask), "", promises=False)
            by_partition[each.partition].append(question)
        await asyncio.gather(
            *(self._batcher.append(partition, asks) for partition, asks in by_partition.items())
        )

    async def _listen(self) -> None:
        troubled = False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(keys.outcomes(self.instance))
                    # What was told while nobody listened is asked for again.
                    self.ask([waited for each in self._waiting.values() for waited, _ in each])
                    if troubled:
                        log.info("notices are heard again")
                    troubled = False
                    await self._hear_all(pubsub)
            except (RedisError, OSError) as error:
                if not troubled:
                    log.warning("notices are not heard", error=str(error))
                troubled = True
            await asyncio.sleep(_PAUSE)  # before the next try

    async def _hear_all(self, pubsub: PubSub) -> None:
        """Hear until the connection ends. One that is silent is asked whether it still lives."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while True:
            message = cast("dict[str, Any] | None", await pubsub.get_message(timeout=_SILENCE))
            if message is not None:
                heard_at = loop.time()
                if message["type"] == "message":
                    self._hear(message["data"])
            elif loop.time() - heard_at > _DEAD_AFTER:
                raise RedisConnectionError("the connection for notices is silent")
            else:
                await pubsub.ping()

    def _hear(self, message: bytes) -> None:
        try:
            told = notices.read(message, self.instance)
        except (ValueError, KeyError, TypeError):
            # Of another release, or of somebody else: whoever waits for it asks again or gives up.
            log.exception("a notice can not be read")
            return
        for notice in told:
            key = notice.outcome.command_id, notice.fingerprint
            for _, future in self._waiting.get(key, ()):
                if not future.done():
                    future.set_result(notice)

    def _forget(self, waited: Waited, future: asyncio.Future[Notice]) -> None:
        remaining = self._waiting[waited.key]
        remaining.remove((waited, future))
        if not remaining:
            del self._waiting[waited.key]
