"""Which items have some words, asked of the search view."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from ledger.bulk import among
from ledger.projections import Slot
from readmodel.views.search import INDEXES, TABLES


class Matches:
    """Asks one slot. A word stands for every word that begins with it; of words that are `also`
    there, the index is not asked about: what has the others is tested for them.
    """

    def __init__(self, connection: Connection, slot: Slot) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._kept = TABLES[slot]
        self._index = INDEXES[slot]

    def tested(self, item_id: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
        """Say that an item has these words: by a look at its row, never by the index."""
        kept = self._kept
        return select(self._has(words)).where(kept.c.item_id == item_id).scalar_subquery()

    def indexed(
        self, item_id: Column[str], words: Sequence[str], also: Sequence[str]
    ) -> ColumnElement[bool]:
        """Say that an item has these words, by the index."""
        found = self._found(words, also)
        if self._sqlite:
            found = select(self._kept.c.item_id).where(self._kept.c.number.in_(found))
        return item_id.in_(found)

    def few(
        self, item_id: Column[str], words: Sequence[str], also: Sequence[str], most: int
    ) -> ColumnElement[bool] | None:
        """Say that an item is one of those that have these words, if they are no more than `most`.
        The index is asked once, here.
        """
        statement = self._found(words, also).limit(most + 1)
        found = self._connection.execute(statement).scalars().all()
        if len(found) > most:
            return None
        if not self._sqlite:
            return among(self._connection, item_id, found)
        numbered = among(self._connection, self._kept.c.number, found)
        return item_id.in_(select(self._kept.c.item_id).where(numbered))

    def frequencies(self, sample: Select[str], words: Sequence[str]) -> Sequence[int]:
        """Count how many items of a sample, a select of ids, have each of these words."""
        kept, ids = self._kept, sample.subquery("sample")
        counts = [func.coalesce(func.sum(cast(self._has([word]), Integer)), 0) for word in words]
        joined = ids.join(kept, kept.c.item_id == ids.c.item_id)
        return list(self._connection.execute(select(*counts).select_from(joined)).one())

    def _found(self, words: Sequence[str], also: Sequence[str]) -> Select[Any]:
        """Select what the index knows an item by: its number on SQLite, else its id."""
        kept = self._kept
        # In this form no index is used for it.
        rest = [self._has(also).is_(True)] if also else []
        if not self._sqlite:
            return select(kept.c.item_id).where(self._has(words), *rest)
        index = self._index
        asked = " AND ".join(f'"{word}"*' for word in words)
        found = select(index.c.rowid).where(index.c[index.name].match(asked))
        return found.join(kept, kept.c.number == index.c.rowid).where(*rest) if also else found

    def _has(self, words: Sequence[str]) -> ColumnElement[bool]:
        kept = self._kept.c.words
        if self._sqlite:
            # A quote before it is where a word begins.
            return and_(*(func.instr(kept, f"'{word}") > 0 for word in words))
        asked = " & ".join(f"'{word}':*" for word in words)
        return kept.bool_op("@@")(cast(literal(asked, Text), TSQUERY))
