"""What lists of any table of items have in common: their order, their filters, and where they are
cut.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, literal, tuple_

from ledger.bulk import among
from readmodel.views.chosen import Filter, Key, Sort


def stretch(
    statement: Select[Any],
    columns: Sequence[Column[Any]],
    sort: Sort,
    limit: int,
    after: Key | None,
) -> Select[Any]:
    """Order a list by its key, and cut out what follows `after`: one row more than the limit."""
    directed = [each.desc() if sort.descending else each.asc() for each in columns]
    statement = statement.order_by(*directed).limit(limit + 1)
    if after is None:
        return statement
    here = tuple_(*columns)
    there = tuple_(
        *(literal(value, column.type) for column, value in zip(columns, after, strict=True))
    )
    return statement.where(here < there if sort.descending else here > there)


def key_columns(table: Table, sort: Sort) -> list[Column[Any]]:
    """Find what a list is ordered by: the last of them is the id."""
    if sort.field == "id":
        return [table.c.item_id]
    return [table.c["name_key" if sort.field == "name" else sort.field], table.c.item_id]


def matching(connection: Connection, table: Table, chosen: Filter) -> list[ColumnElement[bool]]:
    """Say which rows a list has, words apart."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.price_min is not None:
        conditions.append(table.c.price >= chosen.price_min)
    if chosen.price_max is not None:
        conditions.append(table.c.price <= chosen.price_max)
    if chosen.currency is not None:
        conditions.append(table.c.currency == chosen.currency)
    if chosen.updated_since is not None:
        conditions.append(table.c.updated_at >= chosen.updated_since)
    if chosen.ids is not None:
        conditions.append(among(connection, table.c.item_id, chosen.ids))
    if not chosen.include_deleted:
        conditions.append(table.c.deleted_at.is_(None))
    return conditions
