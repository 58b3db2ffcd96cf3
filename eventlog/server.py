"""What a Redis or Valkey says of itself: who it is, what it is set to, and how late it is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError, ResponseError

from eventlog import durability, layout
from eventlog.clients import asking_client_of_threads
from eventlog.durability import LogDurability
from eventlog.inspect import LogUnavailable
from runtime.times import now_ms


@dataclass(frozen=True, slots=True)
class Server:
    """`kind` is Redis or Valkey, `skew` how far its clock is before ours, in milliseconds.
    `durability` is `None` where it may not be asked. `partitions` is `None` before the first start.
    """

    kind: str
    version: tuple[int, ...]
    skew: int
    durability: LogDurability | None
    partitions: int | None


def examine(url: str) -> Server:
    """Look at a server without changing it. Raises LogUnavailable where it does not answer."""
    try:
        with asking_client_of_threads(url) as redis:
            told: Mapping[str, Any] = redis.info("server")
            before = now_ms()
            seconds, microseconds = redis.time()
            skew = seconds * 1000 + microseconds // 1000 - (before + now_ms()) // 2
            with redis.pipeline(transaction=False) as pipeline:
                durability.ask(pipeline)
                answers: list[Any] = pipeline.execute(raise_on_error=False)
            partitions = layout.stored_count(redis)
    except (RedisError, OSError, ValueError) as error:
        raise LogUnavailable(str(error)) from error
    try:
        facts = durability.read(answers)
    except ResponseError:
        facts = None
    kind = "Valkey" if "valkey_version" in told else "Redis"
    version = str(told.get("valkey_version", told["redis_version"]))
    return Server(kind, _numbers(version), skew, facts, partitions)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split(".") if each.isdigit())
