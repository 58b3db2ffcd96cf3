"""Views whose rows are not one per item: made anew from the events, beside the database, and
compared row by row.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Column, Connection, String, Table, create_engine, func, select, text

from ledger.changes import Changes
from ledger.verify.advance import Advance, counted
from ledger.verify.difference import Difference

_AT_ONCE = 2_000
# In the order in which SQLite sorts them.
_KINDS: Sequence[type] = (type(None), int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Projected:
    """A view: its tables, what `make` makes beside them, and how it takes changes into them."""

    tables: Sequence[Table]
    make: Callable[[Connection], None]
    project: Callable[[Connection, Changes], None]


class MadeAnew:
    """Takes the events of all partitions into tables of its own."""

    def __init__(self, connection: Connection, views: Mapping[str, Projected]) -> None:
        """Make the tables, empty, where `connection` leads."""
        self._connection = connection
        self._views = views
        for view in views.values():
            for table in view.tables:
                table.create(connection)
            view.make(connection)

    @property
    def names(self) -> Sequence[str]:
        """The names of their projections."""
        return list(self._views)

    @property
    def partitioned(self) -> Sequence[Table]:
        """The tables whose rows say of which partition they are."""
        tables = [table for view in self._views.values() for table in view.tables]
        return [each for each in tables if "partition" in each.columns]

    def take(self, changes: Changes) -> None:
        for view in self._views.values():
            view.project(self._connection, changes)

    def differences(
        self, stored: Connection, left_out: frozenset[str], advance: Advance
    ) -> Generator[Difference, None, None]:
        """Find the first difference of each table of the views that are not left out."""
        for name, view in self._views.items():
            if name not in left_out:
                for table in view.tables:
                    count = self._connection.scalar(select(func.count()).select_from(table)) or 0
                    further = counted(advance, f"rows of {table.name} compared", count)
                    found = _first_difference(self._connection, stored, table, further)
                    if found is not None:
                        yield found


@contextmanager
def made_anew(views: Mapping[str, Projected]) -> Generator[MadeAnew]:
    """Open a database that is gone afterwards: a file, as it may be larger than the memory."""
    with TemporaryDirectory(prefix="itemledger-verify-") as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'anew.db'}")
        try:
            with engine.connect() as connection:
                for pragma in ("journal_mode = OFF", "synchronous = OFF"):
                    connection.execute(text(f"PRAGMA {pragma}"))
                yield MadeAnew(connection, views)
        finally:
            engine.dispose()


def _first_difference(
    made: Connection, stored: Connection, table: Table, advance: Callable[[int], None]
) -> Difference | None:
    names = [column.name for column in table.columns]
    keys = [names.index(column.name) for column in table.primary_key]
    for expected, found in zip_longest(_rows(made, table, advance), _rows(stored, table)):
        if expected == found:
            continue
        one, other = (_place(row, keys) for row in (expected, found))
        if expected is not None and found is not None and one == other:
            at = next(n for n, value in enumerate(expected) if value != found[n])
            what = f"{table.name}.{names[at]}"
            return _difference(
                what, dict(zip(names, expected, strict=True)), expected[at], found[at]
            )
        # What stands first is what the other one lacks.
        if expected is not None and (found is None or one < other):
            row = dict(zip(names, expected, strict=True))
            return _difference(table.name, row, row, None)
        row = dict(zip(names, found or (), strict=True))
        return _difference(table.name, row, None, row)
    return None


def _difference(what: str, row: Mapping[str, Any], expected: object, found: object) -> Difference:
    return Difference(row.get("partition"), what, expected, found, item_id=row.get("item_id"))


def _place(row: Sequence[Any] | None, keys: Sequence[int]) -> list[tuple[int, Any]]:
    """Tell where a row stands; an edited SQLite file has numbers before text before bytes."""
    values = [] if row is None else [row[each] for each in keys]
    return [(_KINDS.index(type(each)), each) for each in values]


def _rows(
    connection: Connection, table: Table, advance: Callable[[int], None] | None = None
) -> Iterator[Sequence[Any]]:
    """Read all rows in the order of their key, which is that of code points on both databases."""
    order = [_by_code_points(connection, each) for each in table.primary_key]
    statement = select(table).order_by(*order).execution_options(yield_per=_AT_ONCE)
    with connection.execute(statement) as found:
        for some in found.partitions():
            yield from map(tuple, some)
            if advance is not None:
                advance(len(some))


def _by_code_points(connection: Connection, column: Column[Any]) -> Any:
    is_text = isinstance(column.type, String)
    return column.collate("C") if is_text and connection.dialect.name == "postgresql" else column
