"""How far the ledger took the epochs of the log that it has left behind."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from ledger.bulk import upsert_rows
from ledger.tables import epochs, partitions
from runtime.positions import Position


def leave(connection: Connection, last_taken: Iterable[Position]) -> None:
    """Keep the last position taken in each of these epochs of one partition."""
    upsert_rows(
        connection,
        epochs,
        [{"partition": each.partition, "epoch": each.epoch, "n": each.n} for each in last_taken],
    )


def taken(connection: Connection, partition: int, epoch: int) -> int:
    """Tell how far the ledger took an epoch: 0 where it took nothing of it."""
    current = connection.execute(
        select(partitions.c.epoch, partitions.c.n).where(partitions.c.partition == partition)
    ).one_or_none()
    if current is not None and current.epoch == epoch:
        return current.n
    left = connection.scalar(
        select(epochs.c.n).where(epochs.c.partition == partition, epochs.c.epoch == epoch)
    )
    return left or 0


def is_left(connection: Connection, position: Position) -> bool:
    """Say whether the ledger is past the position's epoch and took nothing there or beyond it."""
    current = connection.scalar(
        select(partitions.c.epoch).where(partitions.c.partition == position.partition)
    )
    if current is None or position.epoch >= current:
        return False
    return position.n > taken(connection, position.partition, position.epoch)
