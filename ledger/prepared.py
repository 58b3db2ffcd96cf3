"""Statements that are built and compiled once, and then handed to the driver as text.

SQLAlchemy builds and looks a statement up anew with every execution, which for our small batches
costs more than running it.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

Values = Mapping[str, Any]


class Prepared:
    """A statement with bind parameters; `build` gets the name of the dialect it is for.

    Values go to the driver as they are: for columns of text and whole numbers, and lists as
    `listed` makes them.
    """

    def __init__(self, build: Callable[[str], ClauseElement]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, Sequence[str] | None]] = {}

    def run(self, connection: Connection, values: Values) -> CursorResult[Any]:
        text, order = self._of(connection.dialect)
        if order is None:
            return connection.exec_driver_sql(text, dict(values))
        return connection.exec_driver_sql(text, tuple(values[name] for name in order))

    def run_over(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Run once for each of the rows."""
        text, order = self._of(connection.dialect)
        if order is None:
            connection.exec_driver_sql(text, [dict(row) for row in rows])
        elif len(order) == 1:
            connection.exec_driver_sql(text, [(row[order[0]],) for row in rows])
        else:
            # Thousands of rows come this way: no generator for each of them.
            connection.exec_driver_sql(text, list(map(itemgetter(*order), rows)))

    def _of(self, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._build(dialect.name).compile(dialect=dialect)
            order = compiled.positiontup if compiled.positional else None
            found = self._compiled[dialect.name] = (str(compiled), order)
        return found


def among(dialect_name: str, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Say `column IN parameter`, the parameter being a list as `listed` makes it."""
    if dialect_name == "sqlite":
        each = func.json_each(bindparam(parameter, type_=Text)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(parameter, type_=postgresql.ARRAY(column.type)))


def listed(connection: Connection, values: Sequence[str] | Sequence[int]) -> Any:
    """Make the one parameter that holds all these values."""
    if connection.dialect.name == "sqlite":
        return orjson.dumps(list(values)).decode()
    return list(values)
