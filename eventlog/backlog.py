"""How many commands are on the log and not yet applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from eventlog import keys
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Extent:
    """The last position given out in a partition, and how far the ledger is said to have it."""

    head: Position | None
    done: Position | None

    @property
    def spans_epochs(self) -> bool:
        """Say whether the ends of ended epochs are needed to count."""
        return self.head is not None and (self.done is None or self.done.epoch < self.head.epoch)

    def waiting(self, epoch_ends: Mapping[int, int]) -> int:
        """Count what waits; `epoch_ends` tells how far every ended epoch went."""
        if self.head is None:
            return 0
        epoch, n = (0, 0) if self.done is None else (self.done.epoch, self.done.n)
        if epoch >= self.head.epoch:
            return max(0, self.head.n - n) if epoch == self.head.epoch else 0
        older = sum(
            max(0, end - n) if ended == epoch else end
            for ended, end in epoch_ends.items()
            if epoch <= ended < self.head.epoch
        )
        return older + self.head.n


def ask(pipeline: Pipeline, partitions: int) -> int:
    """Queue the questions for all partitions and return how many they are."""
    for partition in range(partitions):
        pipeline.hmget(keys.head(partition), ["epoch", "n"])
        pipeline.get(keys.done(partition))
    return 2 * partitions


def read(answers: list[Any]) -> list[Extent]:
    """Read the answers, in the order of the questions."""
    extents: list[Extent] = []
    for partition in range(len(answers) // 2):
        (epoch, n), done = answers[2 * partition : 2 * partition + 2]
        extents.append(
            Extent(
                None if epoch is None else Position(partition, int(epoch), int(n or 0)),
                None if done is None else Position.from_stream_id(partition, done.decode()),
            )
        )
    return extents


def epoch_ends(found: Mapping[Any, Any]) -> dict[int, int]:
    """Read, from a partition's hash of ended epochs, how far each of them went."""
    return {int(epoch): int(n) for epoch, n in found.items()}


async def count(redis: Redis, extents: list[Extent]) -> list[int]:
    """Count what waits in each partition. Raises what Redis raises."""
    counts: list[int] = []
    for partition, extent in enumerate(extents):
        found: Any = (
            await redis.hgetall(keys.epochs(partition))  # pyright: ignore[reportGeneralTypeIssues]
            if extent.spans_epochs
            else {}
        )
        counts.append(extent.waiting(epoch_ends(found)))
    return counts
