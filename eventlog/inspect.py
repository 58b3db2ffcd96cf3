"""A read-only look at the log: is a command still in it, and how far does it go."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from eventlog import keys
from eventlog.clients import asking_client_of_threads


class LogUnavailable(Exception):
    """The log is not to be had at the moment."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The last position given out in a partition; epoch and n are 0 before the first."""

    partition: int
    epoch: int
    n: int


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

    def heads(self) -> list[LogHead]:
        with self._look() as pipeline:
            for partition in range(self._partitions):
                pipeline.hmget(keys.head(partition), ["epoch", "n"])
            answers: list[Any] = pipeline.execute()
        return [
            LogHead(partition, int(epoch or 0), int(n or 0))
            for partition, (epoch, n) in enumerate(answers)
        ]

    def ping(self) -> None:
        with self._look() as pipeline:
            pipeline.ping()
            pipeline.execute()

    @contextmanager
    def _look(self) -> "Generator[Pipeline]":
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                yield pipeline
        except (RedisError, OSError) as error:
            raise LogUnavailable(str(error)) from error


def inspect_log(url: str, partitions: int) -> LogInspector:
    """Make an inspector that connects when it is first asked."""
    return LogInspector(asking_client_of_threads(url), partitions)
