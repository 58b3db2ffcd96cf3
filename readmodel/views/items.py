"""The items view: every item as it stands, rendered once when it changes and served as it is.

Reads every event. One row per item, in the partition of the item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    Table,
    Text,
    bindparam,
    literal,
    select,
    tuple_,
)

from domain.item import Item
from ledger.bulk import among, upsert_rows
from ledger.recorded import Recorded
from ledger.tables import metadata
from runtime.times import rfc3339

NAME = "items"

# Code-point order on every engine: PostgreSQL's "C" collation, SQLite's own default.
_ordered = Text().with_variant(Text(collation="C"), "postgresql")

# `name_key` sorts names case-folded in code-point order, equal on every engine.
items = Table(
    "items",
    metadata,
    Column("item_id", _ordered, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name_key", _ordered, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("body", Text, nullable=False),
    Index(None, "name_key", "item_id"),
    Index(None, "price", "item_id"),
    Index(None, "updated_at", "item_id"),
)


def render(item: Item) -> str:
    """Write the item as the JSON document that both services answer with."""
    return orjson.dumps(
        {
            "id": item.id,
            "name": item.name,
            "description": item.description,
            "price": item.price,
            "currency": item.currency,
            "version": item.version,
            "created_at": rfc3339(item.created_at),
            "updated_at": rfc3339(item.updated_at),
            "deleted_at": None if item.deleted_at is None else rfc3339(item.deleted_at),
        }
    ).decode()


def row(item: Item, partition: int, body: str) -> dict[str, Any]:
    """Make the row of an item; `body` is the item as `render` writes it."""
    return {
        "item_id": item.id,
        "partition": partition,
        "version": item.version,
        "name_key": item.name.casefold(),
        "price": item.price,
        "currency": item.currency,
        "updated_at": item.updated_at,
        "deleted_at": item.deleted_at,
        "body": body,
    }


def project(
    connection: Connection, events: Sequence[Recorded], items_after: Mapping[str, Item]
) -> None:
    """Take a batch of one partition's events; `items_after` holds each touched item as it is now.

    Taking the same events again changes nothing.
    """
    partition_of = {each.event.item_id: each.partition for each in events}
    upsert_rows(
        connection,
        items,
        [
            row(item, partition_of[item_id], render(item))
            for item_id, item in items_after.items()
            if item_id in partition_of
        ],
    )


SortField = Literal["id", "name", "price", "updated_at"]
Key = Sequence[str | int]

_SORT_COLUMNS: dict[SortField, Column[Any]] = {
    "id": items.c.item_id,
    "name": items.c.name_key,
    "price": items.c.price,
    "updated_at": items.c.updated_at,
}


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list.

    Equal values follow the id in the same direction: one index, read forwards or backwards, has it.
    """

    field: SortField = "id"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items a list has; `None` does not filter. Bounds are inclusive."""

    price_min: int | None = None
    price_max: int | None = None
    currency: str | None = None
    updated_since: int | None = None
    ids: tuple[str, ...] | None = None
    include_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list: the rendered items, and the key of the last one where more follow."""

    bodies: list[str]
    last: list[str | int] | None


_BY_ID = select(items.c.version, items.c.deleted_at, items.c.body).where(
    items.c.item_id == bindparam("item_id")
)


def find(connection: Connection, item_id: str) -> Row[int, int | None, str] | None:
    """Read version, deleted_at and body of one item, deleted ones too."""
    return connection.execute(_BY_ID, {"item_id": item_id}).one_or_none()


def page(connection: Connection, chosen: Filter, sort: Sort, limit: int, after: Key | None) -> Page:
    """Read up to `limit` items that follow the key `after`.

    An item that changes its place between two pages may be met twice or not at all; every other
    one is met exactly once, whatever is inserted meanwhile.
    """
    columns = _key_columns(sort)
    directed = [each.desc() if sort.descending else each.asc() for each in columns]
    statement = (
        select(items.c.body, *columns)
        .where(*_conditions(connection, chosen))
        .order_by(*directed)
        .limit(limit + 1)
    )
    if after is not None:
        here = tuple_(*columns)
        there = tuple_(
            *(literal(value, column.type) for column, value in zip(columns, after, strict=True))
        )
        statement = statement.where(here < there if sort.descending else here > there)
    rows = connection.execute(statement).all()
    full = rows[:limit]
    return Page([each[0] for each in full], list(full[-1][1:]) if len(rows) > limit else None)


def _key_columns(sort: Sort) -> list[Column[Any]]:
    if sort.field == "id":
        return [items.c.item_id]
    return [_SORT_COLUMNS[sort.field], items.c.item_id]


def _conditions(connection: Connection, chosen: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.price_min is not None:
        conditions.append(items.c.price >= chosen.price_min)
    if chosen.price_max is not None:
        conditions.append(items.c.price <= chosen.price_max)
    if chosen.currency is not None:
        conditions.append(items.c.currency == chosen.currency)
    if chosen.updated_since is not None:
        conditions.append(items.c.updated_at >= chosen.updated_since)
    if chosen.ids is not None:
        conditions.append(among(connection, items.c.item_id, chosen.ids))
    if not chosen.include_deleted:
        conditions.append(items.c.deleted_at.is_(None))
    return conditions
