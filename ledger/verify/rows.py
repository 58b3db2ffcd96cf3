"""Tables with one row per item, compared with the items that the events make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from domain.item import Item
from ledger.verify.difference import Difference

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class View:
    """A table with the columns `item_id`, its key, and `partition`, and what an item's row is."""

    table: Table
    make_row: Callable[[Item, int], Mapping[str, Any]]


def first_difference(
    connection: Connection,
    view: View,
    partition: int,
    items: Mapping[str, Item],
    advance: Callable[[int], None],
) -> Difference | None:
    """Compare a partition's rows with its items: none other, none missing, none too many.
    `advance` hears how many were compared since it last heard.
    """
    name = view.table.name
    met: set[str] = set()
    last: str | None = None
    while rows := _following(connection, view.table, partition, last):
        for row in rows:
            last = item_id = str(row["item_id"])
            item = items.get(item_id)
            if item is None:
                return Difference(partition, name, None, dict(row), item_id=item_id)
            met.add(item_id)
            for column, value in view.make_row(item, partition).items():
                if row[column] != value:
                    return Difference(
                        partition, f"{name}.{column}", value, row[column], item_id=item_id
                    )
        advance(len(rows))
    missing = next((item for item_id, item in items.items() if item_id not in met), None)
    if missing is None:
        return None
    return Difference(
        partition, name, dict(view.make_row(missing, partition)), None, item_id=missing.id
    )


def _following(
    connection: Connection, table: Table, partition: int, last: str | None
) -> Sequence[RowMapping]:
    """Read the next rows by key: nothing large is held, on either side, however large the table."""
    statement = (
        select(table)
        .where(table.c.partition == partition)
        .order_by(table.c.item_id)
        .limit(_AT_ONCE)
    )
    if last is not None:
        statement = statement.where(table.c.item_id > last)
    return connection.execute(statement).mappings().all()
