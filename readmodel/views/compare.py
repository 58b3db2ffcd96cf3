"""Two slots of a view, compared by counts and hashes of their rows."""

import hashlib
from collections.abc import Generator, Sequence
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


def compare(connection: Connection, view: View, live: Slot, built: Slot) -> Comparison:
    """Compare what is in two slots in the snapshot of the connection."""
    if connection.dialect.name == "postgresql":
        # A table may take longer to read than a page of the query API may.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    told: list[str] = []
    for one, other in zip(view.tables[live], view.tables[built], strict=True):
        before, after = _digest(connection, one), _digest(connection, other)
        if before != after:
            return Comparison("", _first_difference(connection, one, other, before, after))
        told.append(f"{after.rows} rows of {one.name}, sha256 {after.sha256[:16]}")
    return Comparison("; ".join(told))


def _digest(connection: Connection, table: Table) -> _Digest:
    hashed, count = hashlib.sha256(), 0
    for row in _rows(connection, table):
        hashed.update(orjson.dumps(row))
        count += 1
    return _Digest(count, hashed.hexdigest())


def _first_difference(
    connection: Connection, one: Table, other: Table, before: _Digest, after: _Digest
) -> str:
    counts = f"{one.name} has {before.rows} rows live and {after.rows} as built"
    pairs = zip_longest(_rows(connection, one), _rows(connection, other))
    for live, built in pairs:
        if live != built:
            key = (built or live or ("",))[0]
            return f"{counts}; the first difference is at {key}: {_cut(live)} live, {_cut(built)}"
    return counts


def _rows(connection: Connection, table: Table) -> Generator[Sequence[Any]]:
    """Read all rows in the order of their key: nothing large is held, however large the table."""
    key = list(table.primary_key)
    # What is of no plain type is compared as the database writes it.
    columns = [cast(each, Text) if _is_odd(each.type) else each for each in table.columns]
    statement = select(*columns).order_by(*key).execution_options(yield_per=_AT_ONCE)
    for row in connection.execute(statement):
        yield tuple(row)


def _is_odd(kind: Any) -> bool:
    return kind.python_type not in {int, str} if hasattr(kind, "python_type") else True


def _cut(row: Sequence[Any] | None) -> str:
    if row is None:
        return "nothing"
    written = orjson.dumps(row, default=str).decode()
    return written if len(written) <= 200 else f"{written[:200]}…"  # noqa: PLR2004  a line's worth
