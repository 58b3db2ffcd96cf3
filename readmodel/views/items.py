"""The items view: every item as it stands, rendered once when it changes and served as it is.

Reads every event, as each moves the version. One row per item, in the partition of the item.
"""

from typing import Any, get_args

import orjson
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql import ClauseElement

from domain.events import Event
from domain.item import Item
from ledger.bulk import Values, inserting, updating, upserting
from ledger.changes import Changes
from ledger.projections import Slot, name_of
from ledger.single import raw
from ledger.tables import gaps, partitions, projections
from readmodel.views.view import ORDERED, View, in_slots, metadata
from runtime.times import rfc3339

NAME = "items"


def _table(slot: Slot) -> Table:
    return Table(
        name_of(NAME, slot),
        metadata,
        Column("item_id", ORDERED, primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        # Names sort case-folded in code-point order, equal on every engine.
        Column("name_key", ORDERED, nullable=False),
        Column("price", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("deleted_at", BigInteger),
        Column("body", Text, nullable=False),
        Index(None, "name_key", "item_id"),
        Index(None, "price", "item_id"),
        Index(None, "updated_at", "item_id"),
        Index(None, "currency", "item_id"),
    )


TABLES = in_slots(_table)


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


_NEW = {slot: inserting(table) for slot, table in TABLES.items()}
_CHANGED = {slot: upserting(table) for slot, table in TABLES.items()}
# SQLite writes the places in an index anew of whatever column a statement names: what is repriced
# keeps those by name and currency, a third of the work. PostgreSQL gives every version of a row new
# places in all of them.
_REPRICED = {
    slot: updating(
        table, "item_id", ("item_id", "version", "price", "updated_at", "deleted_at", "body")
    )
    for slot, table in TABLES.items()
}


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    """Write each touched item as it is now."""
    partition_of = {each.event.item_id: each.partition for each in changes.events}
    new: list[Values] = []
    changed: list[Values] = []
    repriced: list[Values] = []
    by_column = connection.dialect.name == "sqlite"
    for item_id, item in changes.after.items():
        before = changes.before.get(item_id)
        if before is None:
            new.append(_values(item, partition_of[item_id]))
        elif by_column and (before.name, before.currency) == (item.name, item.currency):
            repriced.append(_moved(item))
        else:
            changed.append(_values(item, partition_of[item_id]))
    _NEW[slot].write(connection, new)
    _CHANGED[slot].write(connection, changed)
    _REPRICED[slot].write(connection, repriced)


def _moved(item: Item) -> Values:
    """Make what a change of the price, or of anything that no list is sorted by, moves of a row."""
    return (item.id, item.version, item.price, item.updated_at, item.deleted_at, render(item))


def _values(item: Item, partition: int) -> Values:
    """Make the row of an item."""
    return (
        item.id,
        partition,
        item.version,
        item.name.casefold(),
        item.price,
        item.currency,
        item.updated_at,
        item.deleted_at,
        render(item),
    )


def row(item: Item, partition: int) -> dict[str, Any]:
    """Name the values of an item's row."""
    return dict(zip(_NEW[1].names, _values(item, partition), strict=True))


VIEW = View(
    NAME,
    frozenset(get_args(Event)),
    {slot: [table] for slot, table in TABLES.items()},
    project,
    row=row,
    by_item=True,
)


def _by_id() -> Select[int, int | None, str]:
    """Read one item from the slot that is live: one statement, so one snapshot."""
    one, two = TABLES[1], TABLES[2]
    wanted: BindParameter[str] = bindparam("item_id")
    columns = [func.coalesce(one.c[name], two.c[name]).label(name) for name in _OF_ONE]
    found = projections.outerjoin(
        one, and_(projections.c.live == 1, one.c.item_id == wanted)
    ).outerjoin(two, and_(projections.c.live == 2, two.c.item_id == wanted))  # noqa: PLR2004
    return select(*columns).select_from(found).where(projections.c.view == NAME)


_OF_ONE = ("version", "deleted_at", "body")
_BY_ID = _by_id()


def with_checkpoint(dialect_name: str) -> ClauseElement:
    """Read the same for `ledger.single`, and in the same snapshot how far the ledger has taken the
    partition of the item: epoch, n, offset and hash, what is in step with it, and the last position
    of the epoch that is lost. On PostgreSQL of several items, whose ids have commas between them.
    """
    one, two = TABLES[1], TABLES[2]
    given: BindParameter[str] = bindparam("item_id", type_=Text())
    several = dialect_name == "postgresql"
    wanted: ColumnElement[Any] = (
        any_(func.string_to_array(given, literal_column("','"))) if several else given
    )

    def of_item(name: str) -> ColumnElement[Any]:
        return func.coalesce(one.c[name], two.c[name])

    def text(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return raw(dialect_name, column)

    lost = (
        select(func.max(gaps.c.to_n))
        .where(
            gaps.c.partition == partitions.c.partition,
            gaps.c.from_epoch == partitions.c.epoch,
            gaps.c.kind == literal_column("'lost'"),
        )
        .scalar_subquery()
    )
    is_live = {slot: projections.c.live == literal_column(str(slot)) for slot in TABLES}
    found = (
        projections.outerjoin(one, and_(is_live[1], one.c.item_id == wanted))
        .outerjoin(two, and_(is_live[2], two.c.item_id == wanted))
        .join(partitions, partitions.c.partition == of_item("partition"))
    )
    columns = (
        *(text(of_item("item_id")), of_item("version"), of_item("deleted_at")),
        *(text(of_item("body")), projections.c.live),
        *(partitions.c.partition, partitions.c.epoch, partitions.c.n, partitions.c.offset),
        *(
            text(partitions.c.hash),
            text(partitions.c.in_step),
            func.coalesce(lost, literal_column("0")),
        ),
    )
    is_this = projections.c.view == literal_column(f"'{NAME}'")
    return select(*columns).select_from(found).where(is_this)


def find(connection: Connection, item_id: str) -> Row[int, int | None, str] | None:
    """Read version, deleted_at and body of one item, deleted ones too."""
    found: Row[int, int | None, str] | None
    found = connection.execute(_BY_ID, {"item_id": item_id}).one_or_none()
    return None if found is None or found.version is None else found
