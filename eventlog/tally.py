"""What the workers have counted, all of them together: what became of commands, and how long that
took.

It is kept in Redis, as workers serve nothing themselves and come and go. Whoever reads it sees it
only grow, until the log's Redis is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis import Redis

from eventlog import keys
from runtime.measures import Spread

# Seconds. Healthy is the lower half; the upper half tells an outage by its length.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_FIELDS = (*(f"delay le {each:g}" for each in BOUNDS), "delay longer")
_TOTAL = "delay ms"
_OUTCOMES = "outcomes "


class _Pipeline(Protocol):
    def hgetall(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """`delays` are seconds from a command's receipt to the commit that made it visible; `outcomes`
    counts what became of commands, by its status.
    """

    delays: Spread
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])


def add(redis: "Redis", counted: Tally) -> None:
    """Add what one process has counted since it last did. Raises what Redis raises; it is then not
    known whether it was added.
    """
    with redis.pipeline(transaction=True) as pipeline:
        for name, count in zip(_FIELDS, counted.delays.counts, strict=True):
            if count:
                pipeline.hincrby(keys.TALLY, name, count)
        for status, count in counted.outcomes.items():
            pipeline.hincrby(keys.TALLY, f"{_OUTCOMES}{status}", count)
        pipeline.hincrby(keys.TALLY, _TOTAL, round(counted.delays.total * 1000))
        pipeline.execute()


def ask(pipeline: _Pipeline) -> None:
    pipeline.hgetall(keys.TALLY)


def read(found: Mapping[bytes, bytes]) -> Tally:
    """Read what Redis answered."""
    counts = {name.decode(): int(value) for name, value in found.items()}
    delays = Spread(BOUNDS, [counts.get(name, 0) for name in _FIELDS], counts.get(_TOTAL, 0) / 1000)
    outcomes = {
        name.removeprefix(_OUTCOMES): count
        for name, count in counts.items()
        if name.startswith(_OUTCOMES)
    }
    return Tally(delays, outcomes)
