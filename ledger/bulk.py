"""Many rows in one statement: bound as one JSON document on PostgreSQL, one prepared statement run
over all rows on SQLite.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ledger.prepared import Prepared

# The parameter that holds all rows on PostgreSQL.
_DOCUMENT = "document"

Row = Mapping[str, Any]
# Given the columns of the new row, tells the new values of those that change.
Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
Overwrite = Callable[[Columns], Mapping[str, ColumnElement[Any]]]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that must be new; a row that is there already is an error."""
    if rows:
        _write(connection, _inserting(table, tuple(rows[0])), rows)


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], overwrite: Overwrite | None = None
) -> None:
    """Insert rows or overwrite those with the same primary key; keys must differ among the rows.

    `overwrite` says what is overwritten of a row that is there; without it all of it is. It has to
    be a function of a module, as what it comes to is kept, and to make no parameters.
    """
    if rows:
        _write(connection, _upserting(table, tuple(rows[0]), overwrite), rows)


def update_rows(connection: Connection, table: Table, by: str, rows: Sequence[Row]) -> None:
    """Overwrite what rows have, in those with the same value in the column `by`; such values differ
    among the rows, and one that no row has changes nothing.
    """
    if rows:
        _write(connection, _updating(table, by, tuple(rows[0])), rows)


def among(
    connection: Connection, column: Column[Any], values: Sequence[str] | Sequence[int]
) -> ColumnElement[bool]:
    """Say `column IN values` with one parameter, however many values there are; on PostgreSQL they
    are texts.
    """
    if connection.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(literal(list(values), postgresql.ARRAY(Text)))


def _write(connection: Connection, statement: Prepared, rows: Sequence[Row]) -> None:
    """Write rows whose members all have the same names."""
    if connection.dialect.name == "sqlite":
        statement.run_over(connection, rows)
    else:
        statement.run(connection, {_DOCUMENT: orjson.dumps(list(rows)).decode()})


@cache
def _inserting(table: Table, names: tuple[str, ...]) -> Prepared:
    def build(dialect_name: str) -> ClauseElement:
        if dialect_name == "sqlite":
            return sqlite.insert(table).values({name: bindparam(name) for name in names})
        return postgresql.insert(table).from_select(names, _from_json(table, names))

    return Prepared(build)


@cache
def _upserting(table: Table, names: tuple[str, ...], overwrite: Overwrite | None) -> Prepared:
    key = [column.name for column in table.primary_key]

    def changed(new: Columns) -> Mapping[str, ColumnElement[Any]]:
        return {each: new[each] for each in names if each not in key}

    def build(dialect_name: str) -> ClauseElement:
        change = overwrite or changed
        if dialect_name == "sqlite":
            insert = sqlite.insert(table)
            valued = insert.values({name: bindparam(name) for name in names})
            return valued.on_conflict_do_update(index_elements=key, set_=change(insert.excluded))
        from_rows = postgresql.insert(table).from_select(names, _from_json(table, names))
        return from_rows.on_conflict_do_update(index_elements=key, set_=change(from_rows.excluded))

    return Prepared(build)


@cache
def _updating(table: Table, by: str, names: tuple[str, ...]) -> Prepared:
    changed = [name for name in names if name != by]

    def build(dialect_name: str) -> ClauseElement:
        if dialect_name == "sqlite":
            mine = table.update().where(table.c[by] == bindparam(by))
            return mine.values({name: bindparam(name) for name in changed})
        new = _from_json(table, names).subquery("new")
        mine = table.update().where(table.c[by] == new.c[by])
        return mine.values({name: new.c[name] for name in changed})

    return Prepared(build)


def _from_json(table: Table, names: Sequence[str]) -> Select[Any]:
    source = (
        func.json_to_recordset(cast(bindparam(_DOCUMENT, type_=Text), postgresql.JSON))
        .table_valued(*(Column(name, table.c[name].type) for name in names))
        .render_derived(name="rows", with_types=True)
    )
    return select(*(source.c[name] for name in names))
