"""The last state of items, for decide, and any earlier state, folded from events."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from domain.evolve import fold
from domain.item import Item
from ledger.bulk import among, upsert_rows
from ledger.codec import decode
from ledger.tables import events, heads


def load(connection: Connection, item_ids: Sequence[str]) -> dict[str, Item]:
    """Load the heads of those items that exist."""
    found = connection.execute(select(heads).where(among(connection, heads.c.item_id, item_ids)))
    return {row["item_id"]: _item(row) for row in found.mappings()}


def store(connection: Connection, items: Iterable[Item], partition: int) -> None:
    upsert_rows(connection, heads, [_row(item, partition) for item in items])


def at_version(connection: Connection, item_id: str, version: int) -> Item | None:
    """Fold an item's events up to a version; `None` where there are none."""
    found = connection.execute(
        select(events.c.type, events.c.data, events.c.recorded_at, events.c.effective_at)
        .where(events.c.item_id == item_id, events.c.version <= version)
        .order_by(events.c.version)
    )
    return fold(
        decode(type_name, data, item_id, recorded_at, effective_at)
        for type_name, data, recorded_at, effective_at in found
    )


def _item(row: RowMapping) -> Item:
    return Item(
        row["item_id"],
        row["name"],
        row["description"],
        row["price"],
        row["currency"],
        row["version"],
        row["created_at"],
        row["updated_at"],
        row["deleted_at"],
        row["effective_at"],
    )


def _row(item: Item, partition: int) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "partition": partition,
        "version": item.version,
        "name": item.name,
        "description": item.description,
        "price": item.price,
        "currency": item.currency,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "deleted_at": item.deleted_at,
        "effective_at": item.effective_at,
    }
