"""A read-only look at the log: is a command still in it, how far does it go, how safely is it kept,
and who works at it.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, ResponseError

from eventlog import durability, keys, workers
from eventlog.clients import asking_client_of_threads
from eventlog.durability import LogDurability
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


@dataclass(frozen=True, slots=True)
class Checkup:
    """How safely the log is kept, `None` where its Redis does not tell, and who works at it."""

    durability: LogDurability | None
    workers: list[Report]


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

    def checkup(self, now: int) -> Checkup:
        """Look at the log's Redis and at the workers that were heard of not long before `now`."""
        with self._look() as pipeline:
            pipeline.hgetall(keys.WORKERS)
            durability.ask(pipeline)
            # A user who may not ask for everything is no reason to say nothing.
            reported, *told = pipeline.execute(raise_on_error=False)
            if isinstance(reported, RedisError):
                raise reported
        gone = now - workers.GONE_AFTER * 1000
        here = [each for each in workers.read(reported) if each.seen >= gone]
        try:
            return Checkup(durability.read(told), here)
        except ResponseError:
            return Checkup(None, here)

    def waiting_since(self, taken: Iterable[Position]) -> dict[int, int]:
        """Tell when the first command after each of these positions was received; left out where
        there is none, or it does not say so.
        """
        positions = list(taken)
        if not positions:
            return {}
        with self._look() as pipeline:
            for each in positions:
                pipeline.xrange(keys.log(each.partition), min=f"({each.stream_id}", count=1)
            answers: list[Any] = pipeline.execute()
        found = {
            each.partition: _received_at(entries[0][1])
            for each, entries in zip(positions, answers, strict=True)
            if entries
        }
        return {partition: at for partition, at in found.items() if at is not None}

    def close(self) -> None:
        self._redis.close()

    @contextmanager
    def _look(self) -> "Generator[Pipeline]":
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                yield pipeline
        except (RedisError, OSError) as error:
            raise LogUnavailable(str(error)) from error


def _received_at(fields: Any) -> int | None:
    try:
        received = orjson.loads(fields[b"c"]).get("at")
    except (ValueError, KeyError, AttributeError):
        # Not one of ours; the worker sees to it.
        return None
    return received if isinstance(received, int) else None


def inspect_log(url: str, partitions: int) -> LogInspector:
    """Make an inspector that connects when it is first asked."""
    return LogInspector(asking_client_of_threads(url), partitions)
