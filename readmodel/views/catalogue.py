"""The items view as a whole: how much it is, where it stands in the ledger, and all its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, cast, func, select

from ledger.projections import Slot, name_of
from ledger.tables import checkpoints, partitions
from readmodel.views.items import NAME, TABLES


@dataclass(frozen=True, slots=True)
class Extent:
    """How many items there are, and how many bytes their documents have in UTF-8."""

    count: int
    size: int


def place(connection: Connection, slot: Slot) -> tuple[int, ...]:
    """Tell how far the items are taken: of each partition, the last event that is in them."""
    taken = (
        select(func.coalesce(checkpoints.c.offset, 0))
        .select_from(partitions)
        .outerjoin(
            checkpoints,
            (checkpoints.c.partition == partitions.c.partition)
            & (checkpoints.c.projection == name_of(NAME, slot)),
        )
        .order_by(partitions.c.partition)
    )
    return tuple(connection.scalars(taken))


def extent(connection: Connection, slot: Slot, *, include_deleted: bool) -> Extent:
    items = TABLES[slot]
    size = (
        func.octet_length(items.c.body)
        if connection.dialect.name == "postgresql"
        # SQLite has that function since 3.43 only.
        else func.length(cast(items.c.body, LargeBinary))
    )
    statement = select(func.count(), func.coalesce(func.sum(size), 0)).where(
        *_shown(items, include_deleted=include_deleted)
    )
    count, total = connection.execute(statement).one()
    return Extent(count, int(total))


def bodies(
    connection: Connection, slot: Slot, after: str | None, most: int, *, include_deleted: bool
) -> Sequence[tuple[str, str]]:
    """Read the next items by id: each with its document."""
    items = TABLES[slot]
    statement = (
        select(items.c.item_id, items.c.body)
        .where(*_shown(items, include_deleted=include_deleted))
        .order_by(items.c.item_id)
        .limit(most)
    )
    if after is not None:
        statement = statement.where(items.c.item_id > after)
    return [(item_id, body) for item_id, body in connection.execute(statement)]


def _shown(items: Table, *, include_deleted: bool) -> list[ColumnElement[bool]]:
    return [] if include_deleted else [items.c.deleted_at.is_(None)]
