"""How far projections have taken the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select

from ledger.bulk import Columns, upsert_rows
from ledger.tables import checkpoints
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Taken:
    """A projection has taken a partition up to this offset of the ledger, and with it the log up to
    this position at least.
    """

    projection: str
    position: Position
    offset: int


def move(connection: Connection, moved: Iterable[Taken]) -> None:
    """Move the checkpoints of projections, in the transaction that writes their rows."""
    upsert_rows(connection, checkpoints, [_row(each) for each in moved])


def detach(
    connection: Connection, errors: Mapping[str, str], position: Position, offset: int
) -> None:
    """Keep why projections stay behind: where they are, or here if they have no checkpoint yet."""
    for projection, error in errors.items():
        stays = read(connection, projection, position.partition)
        upsert_rows(
            connection,
            checkpoints,
            [_row(stays or Taken(projection, position, offset)) | {"error": error}],
        )


def read(connection: Connection, projection: str, partition: int) -> Taken | None:
    """Tell how far a projection has taken a partition."""
    row = connection.execute(
        select(checkpoints.c.epoch, checkpoints.c.n, checkpoints.c.offset).where(
            checkpoints.c.projection == projection, checkpoints.c.partition == partition
        )
    ).one_or_none()
    if row is None:
        return None
    return Taken(projection, Position(partition, row.epoch, row.n), row.offset)


def hold(connection: Connection, projection: str, partition: int) -> Taken:
    """Take a projection's checkpoint for this transaction and tell how far it is, so that whoever
    has read events before can see whether somebody else has taken them meanwhile.
    """
    nowhere = Taken(projection, Position(partition, 0, 0), 0)
    upsert_rows(connection, checkpoints, [_row(nowhere)], _as_it_is)
    return read(connection, projection, partition) or nowhere


def total(connection: Connection, projection: str) -> int:
    """Count the events that a projection has taken, of all partitions."""
    taken = select(func.sum(checkpoints.c.offset)).where(checkpoints.c.projection == projection)
    return int(connection.scalar(taken) or 0)


def forget(connection: Connection, projection: str) -> None:
    """Let a projection begin anew."""
    connection.execute(delete(checkpoints).where(checkpoints.c.projection == projection))


def _as_it_is(_: Columns) -> Mapping[str, ColumnElement[Any]]:
    """Write a row that is there as it is: on PostgreSQL that takes it for the transaction."""
    return {"offset": checkpoints.c.offset}


def _row(taken: Taken) -> dict[str, Any]:
    return {
        "projection": taken.projection,
        "partition": taken.position.partition,
        "offset": taken.offset,
        "error": None,
        "epoch": taken.position.epoch,
        "n": taken.position.n,
    }
