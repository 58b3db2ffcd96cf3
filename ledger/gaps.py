"""Positions that were given out by the log and never reached the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ledger.bulk import upsert_rows
from ledger.tables import gaps
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Gap:
    """The positions of one epoch from `first_n` to `last_n`, both missing."""

    partition: int
    epoch: int
    first_n: int
    last_n: int


def between(last: Position, following: Position, epoch_ends: Mapping[int, int]) -> list[Gap]:
    """List what is missing between the last position taken and the one that is to follow.

    `epoch_ends` tells how far every ended epoch went.
    """
    partition = last.partition
    if following.epoch == last.epoch:
        missing = [Gap(partition, last.epoch, last.n + 1, following.n - 1)]
    else:
        ended = {
            epoch: n for epoch, n in epoch_ends.items() if last.epoch <= epoch < following.epoch
        }
        missing = [
            Gap(partition, epoch, last.n + 1 if epoch == last.epoch else 1, end)
            for epoch, end in sorted(ended.items())
        ]
        missing.append(Gap(partition, following.epoch, 1, following.n - 1))
    return [gap for gap in missing if gap.first_n <= gap.last_n]


def record(connection: Connection, found: Iterable[Gap], now: int) -> None:
    upsert_rows(
        connection,
        gaps,
        [
            {
                "partition": gap.partition,
                "from_epoch": gap.epoch,
                "from_n": gap.first_n,
                "to_epoch": gap.epoch,
                "to_n": gap.last_n,
                "noticed_at": now,
            }
            for gap in found
        ],
    )
