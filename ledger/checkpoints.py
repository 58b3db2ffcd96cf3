"""How far projections have taken the ledger."""

from collections.abc import Iterable

from sqlalchemy import Connection

from ledger.bulk import upsert_rows
from ledger.tables import checkpoints


def move(connection: Connection, projections: Iterable[str], partition: int, offset: int) -> None:
    """Move the checkpoints of these projections, in the transaction that writes their rows."""
    upsert_rows(
        connection,
        checkpoints,
        [
            {"projection": projection, "partition": partition, "offset": offset}
            for projection in projections
        ],
    )
