"""Many rows in one statement: bound as one JSON document on PostgreSQL, one prepared statement run
over all rows on SQLite.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
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

Row = Mapping[str, Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that must be new; a row that is there already is an error."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _run_over(connection, sqlite.insert(table), rows)
    else:
        names, source, document = _from_json(table, rows)
        connection.execute(
            postgresql.insert(table).from_select(names, source), {"document": document}
        )


def upsert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows or overwrite those with the same primary key; keys must differ among the rows."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    if connection.dialect.name == "sqlite":
        insert = sqlite.insert(table)
        overwrite = {each: insert.excluded[each] for each in rows[0] if each not in key}
        _run_over(
            connection, insert.on_conflict_do_update(index_elements=key, set_=overwrite), rows
        )
    else:
        names, source, document = _from_json(table, rows)
        statement = postgresql.insert(table).from_select(names, source)
        changed = {each: statement.excluded[each] for each in names if each not in key}
        connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_=changed),
            {"document": document},
        )


def among(
    connection: Connection, column: Column[str], values: Sequence[str]
) -> ColumnElement[bool]:
    """Say `column IN values` with one parameter, however many values there are."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(literal(list(values), postgresql.ARRAY(Text)))


def _from_json(table: Table, rows: Sequence[Row]) -> tuple[list[str], Any, str]:
    names = list(rows[0])
    source = (
        func.json_to_recordset(cast(bindparam("document", type_=Text), postgresql.JSON))
        .table_valued(*(Column(name, table.c[name].type) for name in names))
        .render_derived(name="rows", with_types=True)
    )
    return names, select(*(source.c[name] for name in names)), orjson.dumps(list(rows)).decode()


def _run_over(connection: Connection, insert: sqlite.Insert, rows: Sequence[Row]) -> None:
    """Prepare once and run over all rows, whose members all have the same names in the same order.

    The driver takes plain values of our columns as they are: going through SQLAlchemy's parameters
    row by row would cost as much as the insert.
    """
    compiled = insert.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    values = itemgetter(*(compiled.positiontup or ()))
    connection.exec_driver_sql(str(compiled), [values(row) for row in rows])
