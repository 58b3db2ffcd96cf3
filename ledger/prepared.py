"""Statements that are built and compiled once, and then handed to the driver as text.

SQLAlchemy builds and looks a statement up anew with every execution, which for our small batches
costs more than running it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Values) -> CursorResult[*tuple[Any, ...]]:
        return connection.exec_driver_sql(*self.written(connection.dialect, values))

    def written(self, dialect: Dialect, values: Values) -> tuple[str, Any]:
        """Write the statement as the driver takes it, and its parameters."""
        compiled = self._of(dialect)
        order, given = compiled.order, {**compiled.own, **values}
        return compiled.text, given if order is None else tuple([given[name] for name in order])

    def run_over(
        self, connection: Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run once for each of the rows, whose values have these names. For drivers that count
        parameters by their place.
        """
        compiled = self._of(connection.dialect)
        order = compiled.order
        if order is None:
            raise AssertionError(f"{connection.dialect.name} names its parameters")
        if tuple(order) != tuple(names):
            rows = list(map(_picking([names.index(name) for name in order]), rows))
        connection.exec_driver_sql(compiled.text, rows)

    def _of(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._build(dialect.name).compile(dialect=dialect)
            order = compiled.positiontup if compiled.positional else None
            own = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = _Compiled(str(compiled), order, own)
        return found


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as the driver takes it: the parameters in their order, where they have no names,
    and the values that are its own.
    """

    text: str
    order: Sequence[str] | None
    own: Values


def _picking(places: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    return itemgetter(*places)


def among(dialect_name: str, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Say `column IN parameter`, the parameter being a list as `listed` makes it."""
    if dialect_name == "sqlite":
        each = func.json_each(bindparam(parameter, type_=Text)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(parameter, type_=postgresql.ARRAY(column.type)))


def listed(connection: Connection, values: Sequence[str] | Sequence[int]) -> Any:
    """Make the one parameter that holds all these values."""
    document = orjson.dumps(list(values)).decode()
    if connection.dialect.name == "sqlite":
        return document
    # PostgreSQL writes lists as JSON does but for their brackets and what is escaped with a letter;
    # the driver would write them value by value.
    return list(values) if "\\" in document else f"{{{document[1:-1]}}}"
