"""What an API process saw acknowledged, to notice when Redis comes back without it.

Its memory is one number per partition and epoch. A head in another epoch than before says that
the earlier epochs have ended; each has its end on record with the log, and what was acknowledged
beyond the end is lost. The worker is told so, and makes a gap of it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis

from eventlog import keys
from runtime.positions import Position

# Epochs of a partition that are remembered: one begins with every restart of Redis.
_EPOCHS = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loss:
    """Of an ended epoch: its end on record, and the last n that was acknowledged beyond it."""

    partition: int
    epoch: int
    end: int
    acknowledged: int


class Losses:
    """The memory of one API process; `floor` is what no append may fall behind."""

    def __init__(self) -> None:
        self._acknowledged: dict[int, dict[int, int]] = defaultdict(dict)
        self._seen: dict[int, Position] = {}
        # The epoch of the head at which all that is remembered was compared, per partition.
        self._compared: dict[int, int] = {}
        self._said: set[Loss] = set()

    def acknowledged(self, positions: Sequence[Position]) -> None:
        """Remember what the log answered for."""
        # The last ones first: what is before them is then no news.
        for position in reversed(positions):
            epochs = self._acknowledged[position.partition]
            if position.n > epochs.get(position.epoch, 0):
                epochs[position.epoch] = position.n
                if position.epoch < self._compared.get(position.partition, 0):
                    # Heard of only after its epoch was compared.
                    del self._compared[position.partition]
                if len(epochs) > _EPOCHS:
                    del epochs[min(epochs)]
                self.seen(position)

    def seen(self, head: Position) -> None:
        """Remember that positions up to this one were given out."""
        before = self._seen.get(head.partition)
        if before is None or before < head:
            self._seen[head.partition] = head

    def floor(self, partition: int) -> Position | None:
        """Tell the last position that is known to have been given out."""
        return self._seen.get(partition)

    async def report(self, redis: Redis, heads: Sequence[Position]) -> list[Loss]:
        """Compare what was acknowledged with the ends of the epochs before these heads, and tell
        the worker of what is lost; return what was not found before.

        Raises what Redis raises; then the same is found and told the next time. A head that is
        missing, or behind what was acknowledged, has ended no epoch yet: the fence is put up by
        the next append or by a worker, and then it shows.
        """
        due = [head for head in heads if self._compared.get(head.partition) != head.epoch]
        found: list[Loss] = []
        for head in due:
            # Noted before: what is acknowledged meanwhile takes the note away again.
            self._compared[head.partition] = head.epoch
            try:
                losses = await self._compare(redis, head)
                await _tell(redis, losses)
            except BaseException:
                self._compared.pop(head.partition, None)
                raise
            found += [each for each in losses if each not in self._said]
        self._say(found)
        return found

    async def _compare(self, redis: Redis, head: Position) -> list[Loss]:
        epochs = self._acknowledged[head.partition]
        ended = [epoch for epoch in epochs if epoch < head.epoch]
        if not ended:
            return []
        ends: Any = await redis.hmget(keys.epochs(head.partition), [str(each) for each in ended])
        return [
            Loss(head.partition, epoch, int(end or 0), epochs[epoch])
            for epoch, end in zip(ended, ends, strict=True)
            if epochs[epoch] > int(end or 0)
        ]

    def _say(self, found: Sequence[Loss]) -> None:
        for each in found:
            self._said.add(each)
            log.error(
                "the log lost what it had acknowledged",
                partition=each.partition,
                epoch=each.epoch,
                first=each.end + 1,
                last=each.acknowledged,
            )


async def _tell(redis: Redis, losses: Sequence[Loss]) -> None:
    """Tell the worker of the losses of one partition; to tell it twice changes nothing."""
    if losses:
        beyond: dict[Any, float] = {str(each.epoch): each.acknowledged for each in losses}
        await redis.zadd(keys.lost(losses[0].partition), beyond, gt=True)
