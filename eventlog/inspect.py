"""A read-only look at the log: is a command still in it, how far does it go, how safely is it kept,
and who works at it.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, ResponseError

from eventlog import backlog, durability, import_state, keys, tally, ticks, workers
from eventlog.backlog import Extent
from eventlog.clients import asking_client_of_threads
from eventlog.durability import LogDurability
from eventlog.tally import Tally
from eventlog.ticks import Ticks
from eventlog.workers import Report
from runtime.positions import Position


class LogUnavailable(Exception):
    """The log is not to be had at the moment."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The last position given out in a partition; epoch and n are 0 before the first."""

    partition: int
    epoch: int
    n: int

    def extent(self, taken: Position | None) -> Extent:
        """Put beside it how far the ledger has taken the partition."""
        head = Position(self.partition, self.epoch, self.n) if self.epoch else None
        return Extent(head, taken)


@dataclass(frozen=True, slots=True)
class Checkup:
    """How safely the log is kept, `None` where its Redis does not tell, and who works at it: the
    `workers` that were heard of in the last seconds, and how many are `silent`, having reported
    before and not signed off.
    """

    durability: LogDurability | None
    workers: list[Report]
    silent: int

    @property
    def short_of_memory(self) -> bool:
        """Say whether nothing is accepted since the log's Redis has too little memory left."""
        return self._uses(durability.MEMORY_LIMIT)

    @property
    def full(self) -> bool:
        """Say whether Redis refuses what the workers write, so that they are not heard of."""
        return self._uses(100)

    def _uses(self, percent: int) -> bool:
        facts = self.durability
        if facts is None or not facts.maxmemory:
            return False
        return facts.used_memory * 100 > facts.maxmemory * percent


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first command that waits in a partition; `received` is when, in milliseconds since 1970,
    `None` where it does not say so.
    """

    position: Position
    received: int | None


@dataclass(frozen=True, slots=True)
class ImportFed:
    """How far the feeder of an import is: when it was last heard of, after how many rows."""

    beat: int
    rows: int


class LogInspector:
    """Reads the log without ever changing it. Every look raises LogUnavailable where it can not."""

    def __init__(self, redis: "Redis", partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions

    def is_waiting(self, command_id: str, partition: int | None = None) -> bool:
        """Say whether the log remembers the command; without a partition all are asked."""
        asked = range(self._partitions) if partition is None else [partition]
        with self._look() as pipeline:
            for each in asked:
                pipeline.exists(keys.command(each, command_id))
            return any(pipeline.execute())

    def has_lost(self, position: Position) -> bool:
        """Say whether the position's epoch has ended before it."""
        with self._look() as pipeline:
            pipeline.hget(keys.head(position.partition), "epoch")
            pipeline.hget(keys.epochs(position.partition), str(position.epoch))
            newest, end = pipeline.execute()
        return int(newest or 0) > position.epoch and int(end or 0) < position.n

    def heads(self) -> list[LogHead]:
        with self._look() as pipeline:
            for partition in range(self._partitions):
                pipeline.hmget(keys.head(partition), ["epoch", "n"])
            answers: list[Any] = pipeline.execute()
        return [
            LogHead(partition, int(epoch or 0), int(n or 0))
            for partition, (epoch, n) in enumerate(answers)
        ]

    def lags(self, heads: Sequence[LogHead], taken: Mapping[int, Position]) -> dict[int, int]:
        """Count by partition the commands that wait after these positions, over all epochs."""
        extents = {each.partition: each.extent(taken.get(each.partition)) for each in heads}
        spanning = [partition for partition, extent in extents.items() if extent.spans_epochs]
        ends = self._epoch_ends(spanning) if spanning else {}
        return {
            partition: extent.waiting(ends.get(partition, {}))
            for partition, extent in extents.items()
        }

    def _epoch_ends(self, partitions: Sequence[int]) -> dict[int, dict[int, int]]:
        with self._look() as pipeline:
            for partition in partitions:
                pipeline.hgetall(keys.epochs(partition))
            answers: list[Any] = pipeline.execute()
        return {
            partition: backlog.epoch_ends(found)
            for partition, found in zip(partitions, answers, strict=True)
        }

    def checkup(self, now: int) -> Checkup:
        """Look at the log's Redis and at the workers that were heard of not long before `now`."""
        with self._look() as pipeline:
            pipeline.hgetall(keys.WORKERS)
            durability.ask(pipeline)
            # A user who may not ask for everything is no reason to say nothing.
            reported, *told = pipeline.execute(raise_on_error=False)
            if isinstance(reported, RedisError):
                raise reported
        known = [each for each in workers.read(reported) if workers.is_remembered(each, now)]
        gone = now - workers.GONE_AFTER * 1000
        here = [each for each in known if each.seen >= gone]
        silent = len(known) - len(here)
        try:
            return Checkup(durability.read(told), here, silent)
        except ResponseError:
            return Checkup(None, here, silent)

    def first_waiting(self, taken: Iterable[Position]) -> dict[int, Waiting]:
        """Find the first command after each of these positions, by partition; left out where there
        is none.
        """
        positions = list(taken)
        if not positions:
            return {}
        with self._look() as pipeline:
            for each in positions:
                pipeline.xrange(keys.log(each.partition), min=f"({each.stream_id}", count=1)
            answers: list[Any] = pipeline.execute()
        return {
            each.partition: _waiting(each.partition, *entries[0])
            for each, entries in zip(positions, answers, strict=True)
            if entries
        }

    def tally(self) -> Tally:
        """Tell what the workers have counted so far."""
        with self._look() as pipeline:
            tally.ask(pipeline)
            (found,) = pipeline.execute()
        return tally.read(found)

    def ticks(self) -> Ticks:
        """Tell what cron says of itself."""
        with self._look() as pipeline:
            ticks.ask(pipeline)
            (found,) = pipeline.execute()
        return ticks.read(found)

    def imports_fed(self, import_ids: Sequence[str]) -> dict[str, ImportFed]:
        """Tell of imports how far their feeders are; left out where nothing is known."""
        with self._look() as pipeline:
            for each in import_ids:
                pipeline.hgetall(keys.import_state(each))
            answers: list[Any] = pipeline.execute()
        found = zip(import_ids, map(import_state.read, answers), strict=True)
        return {each: ImportFed(state.beat, state.rows) for each, state in found if state}

    def close(self) -> None:
        self._redis.close()

    @contextmanager
    def _look(self) -> "Generator[Pipeline]":
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                yield pipeline
        except (RedisError, OSError) as error:
            raise LogUnavailable(str(error)) from error


def _waiting(partition: int, entry_id: bytes, fields: Any) -> Waiting:
    position = Position.from_stream_id(partition, entry_id.decode())
    try:
        received = orjson.loads(fields[b"c"]).get("at")
    except (ValueError, KeyError, AttributeError):
        # Not one of ours; the worker sees to it.
        return Waiting(position, None)
    return Waiting(position, received if isinstance(received, int) else None)


def inspect_log(url: str, partitions: int) -> LogInspector:
    """Make an inspector that connects when it is first asked."""
    return LogInspector(asking_client_of_threads(url), partitions)
