"""Two slots of a view, compared by counts and hashes of their rows."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection, Table, Text, cast, select, text

from ledger.projections import Slot
from readmodel.views.view import View

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was counted; and where they are not equal, the first row that is not."""

    told: str
    difference: str | None = None


@dataclass(frozen=True, slots=True)
class _Digest:
    rows: int
    sha256: str


def compare(
    connection: Connection, view: View, live: Slot, built: Slot, going: Callable[[], bool]
) -> Comparison | None:
    """Compare what is in two slots in the snapshot of the connection; `None` where it was told to
    stop. `going` is asked every so often.
    """
    if connection.dialect.name == "postgresql":
        # A table may take longer to read than a page of the query API may.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    try:
        return _compare(_Rows(connection, going), view, live, built)
    except _Stopped:
        return None


def _compare(rows: "_Rows", view: View, live: Slot, built: Slot) -> Comparison:
    told: list[str] = []
    for one, other in zip(view.tables[live], view.tables[built], strict=True):
        before, after = rows.digest(one), rows.digest(other)
        if before != after:
            counts = f"{one.name} has {before.rows} rows live and {after.rows} as built"
            return Comparison("", counts + rows.first_difference(one, other))
        told.append(f"{after.rows:,} rows of {one.name}, sha256 {after.sha256[:16]}")
    return Comparison("; ".join(told))


class _Stopped(Exception):
    """It is not to go on."""


class _Rows:
    """Reads tables; raises _Stopped."""

    def __init__(self, connection: Connection, going: Callable[[], bool]) -> None:
        self._connection = connection
        self._going = going

    def digest(self, table: Table) -> _Digest:
        hashed, count = hashlib.sha256(), 0
        for row in self._of(table):
            hashed.update(orjson.dumps(row))
            count += 1
        return _Digest(count, hashed.hexdigest())

    def first_difference(self, one: Table, other: Table) -> str:
        with closing(self._of(one)) as before, closing(self._of(other)) as after:
            for live, built in zip_longest(before, after):
                if live != built:
                    return f"; the first difference: {_cut(live)} live, {_cut(built)} as built"
        return ""

    def _of(self, table: Table) -> Generator[Sequence[Any]]:
        """Read all rows in the order of their key: nothing large is held, however large it is."""
        # What is of no plain type is compared as the database writes it.
        columns = [cast(each, Text) if _is_odd(each.type) else each for each in table.columns]
        statement = select(*columns).order_by(*table.primary_key)
        at_once = statement.execution_options(yield_per=_AT_ONCE)
        with self._connection.execute(at_once) as found:
            for some in found.partitions():
                if not self._going():
                    raise _Stopped
                yield from map(tuple, some)


def _is_odd(kind: Any) -> bool:
    return kind.python_type not in {int, str} if hasattr(kind, "python_type") else True


def _cut(row: Sequence[Any] | None) -> str:
    if row is None:
        return "no such row"
    written = orjson.dumps(row, default=str).decode()
    return written if len(written) <= 200 else f"{written[:200]}…"  # noqa: PLR2004  a line's worth
