"""Positions that were given out by the log and are not in it any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from ledger.bulk import upsert_rows
from ledger.tables import gaps
from runtime.positions import Position

Kind = Literal["lost", "kept"]


@dataclass(frozen=True, slots=True)
class Gap:
    """The positions of one epoch from `first_n` to `last_n`, both missing from the log.

    `kept` where the ledger had taken them before the log lost them, else `lost`.
    """

    partition: int
    epoch: int
    first_n: int
    last_n: int
    kind: Kind = "lost"


def between(last: Position, following: Position, epoch_ends: Mapping[int, int]) -> list[Gap]:
    """List what is missing between the last position taken and the one that is to follow.

    `epoch_ends` tells how far every ended epoch went.
    """
    partition = last.partition
    if following.epoch == last.epoch:
        return _not_empty([Gap(partition, last.epoch, last.n + 1, following.n - 1)])
    ended = {epoch: n for epoch, n in epoch_ends.items() if last.epoch <= epoch < following.epoch}
    missing = [
        Gap(partition, epoch, last.n + 1 if epoch == last.epoch else 1, end)
        for epoch, end in sorted(ended.items())
    ]
    missing.append(Gap(partition, following.epoch, 1, following.n - 1))
    return [*kept(last, epoch_ends), *_not_empty(missing)]


def kept(last: Position, epoch_ends: Mapping[int, int]) -> list[Gap]:
    """List what the ledger has taken of an epoch that ended before: the log came back without it.

    For a `last` whose epoch has ended.
    """
    end = epoch_ends.get(last.epoch, 0)
    return _not_empty([Gap(last.partition, last.epoch, end + 1, last.n, "kept")])


def beyond(acknowledged: Position, end: int) -> list[Gap]:
    """List what was acknowledged beyond the end of an epoch that neither log nor ledger has."""
    return _not_empty(
        [Gap(acknowledged.partition, acknowledged.epoch, end + 1, acknowledged.n, "lost")]
    )


def record(connection: Connection, found: Sequence[Gap], now: int) -> list[Gap]:
    """Record gaps, and return those that were not recorded before."""
    known = {
        gap
        for partition in {each.partition for each in found}
        for gap in recorded(connection, partition)
    }
    fresh = [gap for gap in found if gap not in known]
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
                "kind": gap.kind,
            }
            for gap in fresh
        ],
    )
    return fresh


def recorded(connection: Connection, partition: int) -> list[Gap]:
    """List the gaps of a partition, in the order of their positions."""
    statement = (
        select(gaps).where(gaps.c.partition == partition).order_by(gaps.c.from_epoch, gaps.c.from_n)
    )
    return [
        Gap(partition, row["from_epoch"], row["from_n"], row["to_n"], row["kind"])
        for row in connection.execute(statement).mappings()
    ]


def swallowed(connection: Connection, position: Position) -> bool:
    """Say whether a recorded gap tells that the command at this position is lost."""
    statement = select(gaps.c.from_n).where(
        gaps.c.partition == position.partition,
        gaps.c.from_epoch == position.epoch,
        gaps.c.from_n <= position.n,
        gaps.c.to_n >= position.n,
        gaps.c.kind == "lost",
    )
    return connection.execute(statement).first() is not None


def _not_empty(found: list[Gap]) -> list[Gap]:
    return [gap for gap in found if gap.first_n <= gap.last_n]
