"""Which items have some words, asked of the search view."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    TableClause,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from ledger.projections import Slot
from readmodel.views.search import INDEXES, TABLES


def tested(
    connection: Connection, slot: Slot, item_id: ColumnElement[str], wanted: Sequence[str]
) -> ColumnElement[bool]:
    """Say that an item has these words: by a look at its row, never by the index."""
    kept = TABLES[slot]
    one = select(_has(connection, kept, wanted)).where(kept.c.item_id == item_id)
    return one.scalar_subquery()


def matching(
    connection: Connection, slot: Slot, wanted: Sequence[str], also: Sequence[str] = ()
) -> Select[Any]:
    """Select the ids of the items that have these words by the index; `also` are words that they
    have to have, and that the index is not asked about.
    """
    kept = TABLES[slot]
    if connection.dialect.name == "sqlite":
        index = INDEXES[slot]
        found = select(kept.c.item_id).join(index, kept.c.number == index.c.rowid)
        found = found.where(_indexed(index, wanted))
    else:
        found = select(kept.c.item_id).where(_has(connection, kept, wanted))
    # In this form no index is used for it.
    return found.where(_has(connection, kept, also).is_(True)) if also else found


def counted(
    connection: Connection, slot: Slot, wanted: Sequence[str], also: Sequence[str] = ()
) -> Select[Any]:
    """Select as many rows as `matching` does, in the form that is counted fastest."""
    if connection.dialect.name == "sqlite" and not also:
        index = INDEXES[slot]
        return select(index.c.rowid).where(_indexed(index, wanted))
    return matching(connection, slot, wanted, also)


def _indexed(index: TableClause, wanted: Sequence[str]) -> ColumnElement[bool]:
    asked = " AND ".join(f'"{word}"*' for word in wanted)
    return index.c[index.name].match(asked)


def frequencies(
    connection: Connection, slot: Slot, sample: Select[str], wanted: Sequence[str]
) -> Sequence[int]:
    """Count how many items of a sample, a select of ids, have each of these words."""
    kept, ids = TABLES[slot], sample.subquery("sample")
    sums = [
        func.coalesce(func.sum(cast(_has(connection, kept, [word]), Integer)), 0) for word in wanted
    ]
    joined = ids.join(kept, kept.c.item_id == ids.c.item_id)
    return list(connection.execute(select(*sums).select_from(joined)).one())


def _has(connection: Connection, kept: Table, wanted: Sequence[str]) -> ColumnElement[bool]:
    if connection.dialect.name == "sqlite":
        # A quote before it is where a word begins.
        return and_(*(func.instr(kept.c.words, f"'{word}") > 0 for word in wanted))
    asked = " & ".join(f"'{word}':*" for word in wanted)
    return kept.c.words.bool_op("@@")(cast(literal(asked, Text), TSQUERY))
