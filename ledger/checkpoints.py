"""How far projections have taken the ledger."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from ledger.bulk import upsert_rows
from ledger.tables import checkpoints


def move(connection: Connection, projections: Iterable[str], partition: int, offset: int) -> None:
    """Move the checkpoints of these projections, in the transaction that writes their rows."""
    upsert_rows(
        connection,
        checkpoints,
        [
            {"projection": projection, "partition": partition, "offset": offset, "error": None}
            for projection in projections
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
