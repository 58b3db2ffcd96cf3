"""How far projections have taken the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger.bulk import upsert_rows
from ledger.tables import checkpoints


@dataclass(frozen=True, slots=True)
class Taken:
    """A projection has taken a partition up to this offset of the ledger."""

    projection: str
    partition: int
    offset: int


def move(connection: Connection, moved: Iterable[Taken]) -> None:
    """Move the checkpoints of projections, in the transaction that writes their rows."""
    upsert_rows(
        connection,
        checkpoints,
        [
            {
                "projection": each.projection,
                "partition": each.partition,
                "offset": each.offset,
                "error": None,
            }
            for each in moved
        ],
    )


def detach(connection: Connection, errors: Mapping[str, str], partition: int, offset: int) -> None:
    """Keep why projections stay behind: at this offset where they have no checkpoint yet."""
    for projection, error in errors.items():
        stays = read(connection, projection, partition)
        upsert_rows(
            connection,
            checkpoints,
            [
                {
                    "projection": projection,
                    "partition": partition,
                    "offset": offset if stays is None else stays,
                    "error": error,
                }
            ],
        )


def read(connection: Connection, projection: str, partition: int) -> int | None:
    """Tell the ledger offset up to which a projection has taken a partition."""
    return connection.scalar(
        select(checkpoints.c.offset).where(
            checkpoints.c.projection == projection, checkpoints.c.partition == partition
        )
    )
