"""The last state of items, for decide, and any earlier state, rebuilt from events."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from domain.evolve import fold
from domain.item import Item
from ledger.bulk import upsert_rows
from ledger.codec import decode
from ledger.prepared import Prepared, among, listed
from ledger.tables import events, heads

_last_of_each_type = (
    select(func.max(events.c.version).label("version"))
    .where(events.c.item_id == bindparam("item_id"), events.c.version <= bindparam("version"))
    .group_by(events.c.type)
    .subquery()
)

_DECIDING = (
    select(events.c.type, events.c.data, events.c.recorded_at, events.c.effective_at)
    .join(_last_of_each_type, events.c.version == _last_of_each_type.c.version)
    .where(events.c.item_id == bindparam("item_id"))
    .order_by(events.c.version)
)

_LOAD = Prepared(lambda dialect: select(heads).where(among(dialect, heads.c.item_id, "ids")))


def load(connection: Connection, item_ids: Sequence[str]) -> dict[str, Item]:
    """Load the heads of those items that exist."""
    found = _LOAD.run(connection, {"ids": listed(connection, item_ids)})
    return {row["item_id"]: _item(row) for row in found.mappings()}


def store(connection: Connection, items: Iterable[tuple[Item, int]]) -> None:
    """Insert or overwrite the heads of these items, each with its partition."""
    upsert_rows(connection, heads, [_row(item, partition) for item, partition in items])


def at_version(connection: Connection, item_id: str, version: int) -> Item | None:
    """Rebuild the item as it was at a version it has reached; `None` before its first event.

    Every event overwrites what earlier ones of its type said, so the last of each type is enough:
    a handful of events, however long the history.
    """
    found = connection.execute(_DECIDING, {"item_id": item_id, "version": version})
    item = fold(
        decode(type_name, data, item_id, recorded_at, effective_at)
        for type_name, data, recorded_at, effective_at in found
    )
    return None if item is None else replace(item, version=version)


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
