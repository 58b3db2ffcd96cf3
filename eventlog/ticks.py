"""What cron does, as it says itself: when it last looked, which chores were due and were asked for,
and how often Redis did not let it.

It is kept in Redis beside what the workers tell, as cron serves nothing either. Counts only grow,
until the log's Redis is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis import Redis

from eventlog import keys

_SEEN = "seen"
_ERRORS = "errors"
_CHORES = "chores "


class _Pipeline(Protocol):
    def hgetall(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Ticks:
    """`seen` is when cron last looked whether a chore is due, in milliseconds since 1970, `None`
    where it was never heard of; `chores` counts by their names those that were due and that a
    worker was asked for, `errors` the looks at which Redis was away or refused.
    """

    seen: int | None
    errors: int = 0
    chores: Mapping[str, int] = field(default_factory=dict[str, int])


def add(redis: "Redis", told: Ticks) -> None:
    """Add what was counted since it was last told. Raises what Redis raises; it is then not known
    whether it was added.
    """
    with redis.pipeline(transaction=True) as pipeline:
        if told.seen is not None:
            pipeline.hset(keys.CRON, _SEEN, told.seen)
        if told.errors:
            pipeline.hincrby(keys.CRON, _ERRORS, told.errors)
        for chore, count in told.chores.items():
            pipeline.hincrby(keys.CRON, f"{_CHORES}{chore}", count)
        pipeline.execute()


def ask(pipeline: _Pipeline) -> None:
    pipeline.hgetall(keys.CRON)


def read(found: Mapping[bytes, bytes]) -> Ticks:
    """Read what Redis answered."""
    told = {name.decode(): int(value) for name, value in found.items()}
    chores = {
        name.removeprefix(_CHORES): count
        for name, count in told.items()
        if name.startswith(_CHORES)
    }
    return Ticks(told.get(_SEEN), told.get(_ERRORS, 0), chores)
