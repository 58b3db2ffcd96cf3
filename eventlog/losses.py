"""What an API process saw acknowledged, to notice when Redis comes back without it.

Its memory is one number per partition and epoch. A head in another epoch than before says that
the earlier epochs have ended; each has its end on record with the log, and what was acknowledged
beyond the end is lost. So is what was acknowledged beyond a head that was read afterwards. The
worker is told so, and makes a gap of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis

from eventlog import keys
from eventlog.witness import Witness
from runtime.positions import Position

# Per partition, of every epoch, the last n that was acknowledged.
Acknowledged = Mapping[int, Mapping[int, int]]

# Epochs of a partition that are remembered: one begins with every restart of Redis.
_EPOCHS = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loss:
    """Of an epoch: its end on record, and the last n that was acknowledged beyond it."""

    partition: int
    epoch: int
    end: int
    acknowledged: int


class Losses:
    """The memory of one API process; `floor` is what no append may fall behind. `witness` keeps it
    for the next process.
    """

    def __init__(self, witness: Witness | None = None) -> None:
        self._acknowledged: dict[int, dict[int, int]] = defaultdict(dict)
        self._seen: dict[int, Position] = {}
        # The epoch of the head at which all that is remembered was compared, per partition.
        self._compared: dict[int, int] = {}
        self._said: set[Loss] = set()
        self._witness = witness
        if witness is not None:
            self.acknowledged(sorted(witness.read()))

    def acknowledged(self, positions: Sequence[Position]) -> None:
        """Remember what the log answered for."""
        # The last ones first: what is before them is then no news.
        for position in reversed(positions):
            epochs = self._acknowledged[position.partition]
            if position.n > epochs.get(position.epoch, 0):
                epochs[position.epoch] = position.n
                if self._witness is not None:
                    self._witness.keep(position)
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

    def so_far(self) -> Acknowledged:
        """Tell what was acknowledged until now, to be compared with heads that are read later."""
        return {partition: dict(epochs) for partition, epochs in self._acknowledged.items()}

    async def report(
        self, redis: Redis, heads: Sequence[Position], before: Acknowledged
    ) -> list[Loss]:
        """Compare what was acknowledged with the ends of the epochs before these heads, and what
        was acknowledged `before` they were read with the heads themselves, where one that is not
        among them is missing. Tell the worker of what is lost; return what was not found before.

        Raises what Redis raises; then the same is found and told the next time. What is lost
        beyond a head is told until a worker or the next append has put up the fence.
        """
        found = await self._behind(redis, heads, before)
        self._say(found)
        return found + await self._ended(redis, heads)

    async def _behind(
        self, redis: Redis, heads: Sequence[Position], before: Acknowledged
    ) -> list[Loss]:
        read = {head.partition: head for head in heads}
        found: list[Loss] = []
        for partition, epochs in before.items():
            head = read.get(partition, Position(partition, 0, 0))
            losses = [
                Loss(partition, epoch, end, n)
                for epoch, n in epochs.items()
                if epoch >= head.epoch and n > (end := head.n if epoch == head.epoch else 0)
            ]
            if head.epoch == 0:
                losses = await self._compare(redis, partition, epochs, list(epochs))
            await _tell(redis, losses)
            found += [each for each in losses if each not in self._said]
        return found

    async def _ended(self, redis: Redis, heads: Sequence[Position]) -> list[Loss]:
        due = [head for head in heads if self._compared.get(head.partition) != head.epoch]
        found: list[Loss] = []
        for head in due:
            # Noted before: what is acknowledged meanwhile takes the note away again.
            self._compared[head.partition] = head.epoch
            try:
                epochs = self._acknowledged[head.partition]
                ended = [epoch for epoch in epochs if epoch < head.epoch]
                losses = await self._compare(redis, head.partition, epochs, ended)
                await _tell(redis, losses)
            except BaseException:
                self._compared.pop(head.partition, None)
                raise
            found += [each for each in losses if each not in self._said]
        self._say(found)
        return found

    async def _compare(
        self, redis: Redis, partition: int, epochs: Mapping[int, int], ended: Sequence[int]
    ) -> list[Loss]:
        if not ended:
            return []
        ends: Any = await redis.hmget(keys.epochs(partition), [str(each) for each in ended])
        return [
            Loss(partition, epoch, int(end or 0), epochs[epoch])
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
