"""An item at one of its versions, as pages show it."""

from typing import Any

import orjson
from sqlalchemy import Connection

from domain.item import Item
from ledger import heads
from readmodel.views import items


def at(connection: Connection, item_id: str, version: int) -> Item:
    """Read it. Raises LookupError where a version that there is has no events."""
    item = heads.at_version(connection, item_id, version)
    if item is None:
        raise LookupError(f"item {item_id} has a version {version} and no events up to it")
    return item


def document(item: Item) -> dict[str, Any]:
    """Write it as the API does."""
    return orjson.loads(items.render(item))
