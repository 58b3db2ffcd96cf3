"""The wordings view: the words that items had once, and until when.

Reads what an item is called and described by. One row for every moment from which on an item has
other words than before; the words that it has now are in the search view.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    and_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from domain.events import ItemCreated, ItemDescribed, ItemRenamed
from domain.evolve import evolve
from ledger.bulk import Overwrite, Values, upserting
from ledger.changes import Changes
from ledger.projections import Slot, name_of
from readmodel.views import search
from readmodel.views.matches import ASKED, Matches, asking, has_word, tested_for
from readmodel.views.view import ORDERED, View, in_slots, metadata

NAME = "wordings"


def _table(slot: Slot) -> Table:
    return Table(
        name_of(NAME, slot),
        metadata,
        Column("item_id", ORDERED, primary_key=True),
        # The moment at which others took effect.
        Column("until", BigInteger, primary_key=True, autoincrement=False),
        Column("partition", Integer, nullable=False),
        Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sqlite_with_rowid=False,
    )


TABLES = in_slots(_table)


def _keeping(table: Table) -> Overwrite:
    """Leave a row as it is: of words that changed twice at one moment, the first were those of
    before it, and the others nobody could see.
    """
    return lambda _: {"words": table.c.words}


_NEW = {slot: upserting(table, overwrite=_keeping(table)) for slot, table in TABLES.items()}


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    """Write of each item that says something else now what it said before."""
    items = dict(changes.before)
    rows: dict[tuple[str, int], Values] = {}
    for each in changes.events:
        event = each.event
        item_id, at = event.item_id, event.effective_at
        before = items.get(item_id)
        items[item_id] = after = evolve(before, event)
        if before is not None and (words := search.words(before)) != search.words(after):
            rows.setdefault((item_id, at), (item_id, at, each.partition, words))
    _NEW[slot].write(connection, list(rows.values()))


VIEW = View(
    NAME,
    frozenset({ItemCreated, ItemRenamed, ItemDescribed}),
    {slot: [table] for slot, table in TABLES.items()},
    project,
    by_item=True,
)


@dataclass(frozen=True, slots=True)
class Wordings:
    """Tells which items had all of some `words` at a moment (`at`, milliseconds since 1970), each
    at the beginning of one of their own.
    """

    connection: Connection
    slots: Mapping[str, Slot]
    at: int
    words: Sequence[str]

    def had(self, item_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Say it of an item, by a look at its rows."""
        former, now = TABLES[self.slots[NAME]], search.TABLES[self.slots[search.NAME]]
        then = (
            select(self._has(former.c.words))
            .where(former.c.item_id == item_id, former.c.until > self.at)
            .order_by(former.c.until)
            .limit(1)
        )
        still = select(self._has(now.c.words)).where(now.c.item_id == item_id)
        return func.coalesce(then.scalar_subquery(), still.scalar_subquery())

    def candidates(self, most: int) -> Sequence[str] | None:
        """Find those that have the words now or had them later than that moment, among which all
        are that had them then; `None` where they are more than so many.
        """
        limit = literal(most + 1)
        dialect_name = self.connection.dialect.name
        having = Matches(dialect_name, self.slots[search.NAME]).ids(limit)
        asked = {ASKED: asking(dialect_name, self.words, {})}
        found = set(self.connection.execute(having, asked).scalars())
        if len(found) > most:
            return None
        former = TABLES[self.slots[NAME]]
        later = former.c.until > self.at, self._has(former.c.words)
        # An item may have had them many times.
        formerly = select(former.c.item_id).distinct().where(*later).limit(limit)
        found.update(self.connection.execute(formerly).scalars())
        return sorted(found) if len(found) <= most else None

    def _has(self, words: ColumnElement[str]) -> ColumnElement[bool]:
        dialect_name = self.connection.dialect.name
        return and_(
            *(
                has_word(dialect_name, words, literal(tested_for(dialect_name, word)))
                for word in self.words
            )
        )
