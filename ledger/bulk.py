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
# The values of a row, in the order of the names that its writer was made with.
Values = tuple[Any, ...]
# Given the columns of the new row, tells the new values of those that change.
Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
Overwrite = Callable[[Columns], Mapping[str, ColumnElement[Any]]]


Named = Callable[[Sequence[Values]], list[dict[str, Any]]]


class Writer:
    """A statement that is compiled once and run over many rows: tuples with the values of the
    columns `names`, or of all columns of the table.
    """

    def __init__(
        self,
        table: Table,
        names: Sequence[str] | None,
        build: Callable[[Table, Sequence[str], str], ClauseElement],
    ) -> None:
        # SQLAlchemy's names are a kind of text of their own, which no document takes as a key.
        self.names = tuple(map(str, table.columns.keys() if names is None else names))
        self._statement = Prepared(lambda dialect_name: build(table, self.names, dialect_name))
        self._named: Named | None = None

    def write(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Write rows, if there are any."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            self._statement.run_over(connection, self.names, rows)
        else:
            if self._named is None:
                self._named = _naming(self.names)
            document = orjson.dumps(self._named(rows)).decode()
            self._statement.run(connection, {_DOCUMENT: document})


def inserting(table: Table, names: Sequence[str] | None = None) -> Writer:
    """Insert rows that must be new; a row that is there already is an error."""
    return Writer(table, names, _insert)


def upserting(
    table: Table, names: Sequence[str] | None = None, overwrite: Overwrite | None = None
) -> Writer:
    """Insert rows or overwrite those with the same primary key; keys must differ among the rows.

    `overwrite` says what is overwritten of a row that is there, and makes no parameters; without it
    all of it is.
    """

    def build(table: Table, names: Sequence[str], dialect_name: str) -> ClauseElement:
        return _upsert(table, names, dialect_name, overwrite)

    return Writer(table, names, build)


def updating(table: Table, by: str, names: Sequence[str]) -> Writer:
    """Overwrite what rows have, in those with the same value in the column `by`; such values differ
    among the rows, and one that no row has changes nothing.
    """

    def build(table: Table, names: Sequence[str], dialect_name: str) -> ClauseElement:
        return _update(table, by, names, dialect_name)

    return Writer(table, names, build)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that must be new, whose members all have the same names."""
    if rows:
        _write(connection, _inserting(table, tuple(rows[0])), rows)


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], overwrite: Overwrite | None = None
) -> None:
    """Insert rows or overwrite those with the same primary key, as `upserting` does. `overwrite`
    has to be a function of a module, as what it comes to is kept.
    """
    if rows:
        _write(connection, _upserting(table, tuple(rows[0]), overwrite), rows)


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


@cache
def _inserting(table: Table, names: tuple[str, ...]) -> Writer:
    return inserting(table, names)


@cache
def _upserting(table: Table, names: tuple[str, ...], overwrite: Overwrite | None) -> Writer:
    return upserting(table, names, overwrite)


def _write(connection: Connection, writer: Writer, rows: Sequence[Row]) -> None:
    writer.write(connection, [tuple(row[name] for name in writer.names) for row in rows])


def _naming(names: Sequence[str]) -> Named:
    """Write the function that names the values of rows: what makes dictionaries of pairs takes
    twice as long, and there are five rows of a command.
    """
    places = [f"value_{place}" for place in range(len(names))]
    members = ", ".join(f"{name!r}: {place}" for name, place in zip(names, places, strict=True))
    text = f"lambda rows: [{{{members}}} for ({', '.join(places)},) in rows]"
    return eval(text)  # noqa: S307  names of columns


def _insert(table: Table, names: Sequence[str], dialect_name: str) -> ClauseElement:
    if dialect_name == "sqlite":
        return sqlite.insert(table).values({name: bindparam(name) for name in names})
    return postgresql.insert(table).from_select(list(names), _from_json(table, names))


def _upsert(
    table: Table, names: Sequence[str], dialect_name: str, overwrite: Overwrite | None
) -> ClauseElement:
    key = [column.name for column in table.primary_key]

    def changed(new: Columns) -> Mapping[str, ColumnElement[Any]]:
        return {each: new[each] for each in names if each not in key}

    change = overwrite or changed
    if dialect_name == "sqlite":
        insert = sqlite.insert(table)
        valued = insert.values({name: bindparam(name) for name in names})
        return valued.on_conflict_do_update(index_elements=key, set_=change(insert.excluded))
    from_rows = postgresql.insert(table).from_select(list(names), _from_json(table, names))
    return from_rows.on_conflict_do_update(index_elements=key, set_=change(from_rows.excluded))


def _update(table: Table, by: str, names: Sequence[str], dialect_name: str) -> ClauseElement:
    changed = [name for name in names if name != by]
    if dialect_name == "sqlite":
        mine = table.update().where(table.c[by] == bindparam(by))
        return mine.values({name: bindparam(name) for name in changed})
    new = _from_json(table, names).subquery("new")
    mine = table.update().where(table.c[by] == new.c[by])
    return mine.values({name: new.c[name] for name in changed})


def _from_json(table: Table, names: Sequence[str]) -> Select[Any]:
    source = (
        func.json_to_recordset(cast(bindparam(_DOCUMENT, type_=Text), postgresql.JSON))
        .table_valued(*(Column(name, table.c[name].type) for name in names))
        .render_derived(name="rows", with_types=True)
    )
    return select(*(source.c[name] for name in names))
