"""A read-only look at the log: is a command still in it, and how far does it go."""

from dataclasses import dataclass

from redis import Redis

from eventlog import keys


@dataclass(frozen=True, slots=True)
class LogHead:
    """The last position given out in a partition; epoch and n are 0 before the first."""

    partition: int
    epoch: int
    n: int


class LogInspector:
    """Reads the log without ever changing it."""

    def __init__(self, redis: "Redis", partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions

    def is_waiting(self, command_id: str, partition: int | None = None) -> bool:
        """Say whether the log remembers the command; without a partition all are asked."""
        asked = range(self._partitions) if partition is None else [partition]
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in asked:
                pipeline.exists(keys.command(each, command_id))
            return any(pipeline.execute())

    def heads(self) -> list[LogHead]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for partition in range(self._partitions):
                pipeline.hmget(keys.head(partition), ["epoch", "n"])
            return [
                LogHead(partition, int(epoch or 0), int(n or 0))
                for partition, (epoch, n) in enumerate(pipeline.execute())
            ]

    def ping(self) -> None:
        """Raises redis.RedisError where the log is not to be had."""
        self._redis.ping()
