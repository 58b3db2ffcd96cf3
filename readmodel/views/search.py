"""The search view: the words of every item, and which items have them.

Reads what an item is called and described by; its price costs nothing here. One row per item,
deleted ones too, in the partition of the item. SQLite looks words up in an index of FTS5 beside the
table, PostgreSQL in one of GIN on it; neither parses text (see `readmodel.views.words`).
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Table,
    TableClause,
    Text,
    column,
    insert,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql import ClauseElement

from domain.events import ItemCreated, ItemDescribed, ItemRenamed
from domain.item import Item
from ledger.bulk import inserting, updating
from ledger.changes import Changes
from ledger.prepared import Prepared, among, listed
from ledger.projections import SLOTS, Slot, name_of
from ledger.schema import DatabaseUnusable
from readmodel.views.view import ORDERED, View, in_slots, metadata
from readmodel.views.words import words_of, written

NAME = "search"

MODULE = "fts5"
_LISTING = "fts5vocab"

# No deployment has more partitions.
_PARTITIONS = 1024


def _table(slot: Slot) -> Table:
    return Table(
        name_of(NAME, slot),
        metadata,
        Column("item_id", ORDERED, primary_key=True),
        Column("partition", Integer, nullable=False),
        # What the index of FTS5 knows an item by: the place of its creation in the ledger.
        Column("number", BigInteger, nullable=False),
        Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        Index(None, "number", unique=True).ddl_if(dialect="sqlite"),
        # What is new waits in a list to be sorted in together, at a third of the cost; every read
        # looks through it, so it is short: 256 KiB.
        Index(
            None,
            "words",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": "256"},
        ).ddl_if(dialect="postgresql"),
        # The words stand beside the id: that is one look where an item is tested.
        sqlite_with_rowid=False,
    )


TABLES = in_slots(_table)

_NEW = {slot: inserting(table) for slot, table in TABLES.items()}
_REWORD = {slot: updating(table, "item_id", ("item_id", "words")) for slot, table in TABLES.items()}


def _index(slot: Slot) -> TableClause:
    name = f"{name_of(NAME, slot)}_index"
    # What is put into the column of its own name is a command to the index; what is compared with
    # it, a question.
    return table(name, column("rowid"), column("words"), column(name))


INDEXES: dict[Slot, TableClause] = {slot: _index(slot) for slot in SLOTS}

# The words that the index of FTS5 has, in the order of their bytes.
VOCABULARIES: dict[Slot, TableClause] = {
    slot: table(f"{INDEXES[slot].name}_words", column("term")) for slot in SLOTS
}


def words(item: Item) -> str:
    """Write the words of an item as both engines keep them."""
    described = item.description
    return written(words_of(item.name if described is None else f"{item.name}\n{described}"))


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    """Write the words of each item that was created, and of each that says something else now."""
    created = {
        each.event.item_id: each for each in changes.events if isinstance(each.event, ItemCreated)
    }
    reworded = [
        item
        for item_id, item in changes.after.items()
        if item_id not in created and _says(item) != _says(changes.before[item_id])
    ]
    indexed = connection.dialect.name == "sqlite"
    if indexed and reworded:
        ids = listed(connection, [item.id for item in reworded])
        _FORGET[slot].run(connection, {"ids": ids})
    new = [
        (
            item_id,
            each.partition,
            each.offset * _PARTITIONS + each.partition,
            words(changes.after[item_id]),
        )
        for item_id, each in created.items()
    ]
    _NEW[slot].write(connection, new)
    _REWORD[slot].write(connection, [(item.id, words(item)) for item in reworded])
    if indexed and (new or reworded):
        ids = listed(connection, [*created, *(item.id for item in reworded)])
        _REMEMBER[slot].run(connection, {"ids": ids})


def _says(item: Item) -> tuple[str, str | None]:
    return item.name, item.description


def _forgetting(slot: Slot) -> Prepared:
    """Take rows out of the index, which has to be told what they were put in with."""
    index, kept = INDEXES[slot], TABLES[slot]
    command: ColumnElement[str] = literal_column("'delete'")
    what = (command, kept.c.number, kept.c.words)

    def build(dialect_name: str) -> ClauseElement:
        rows = select(*what).where(among(dialect_name, kept.c.item_id, "ids"))
        return insert(index).from_select(
            [index.name, "rowid", "words"], rows.order_by(kept.c.number)
        )

    return Prepared(build)


def _remembering(slot: Slot) -> Prepared:
    """Put rows into the index, in the order in which it takes them in one go."""
    index, kept = INDEXES[slot], TABLES[slot]

    def build(dialect_name: str) -> ClauseElement:
        rows = select(kept.c.number, kept.c.words).where(among(dialect_name, kept.c.item_id, "ids"))
        return insert(index).from_select(["rowid", "words"], rows.order_by(kept.c.number))

    return Prepared(build)


_FORGET: dict[Slot, Prepared] = {slot: _forgetting(slot) for slot in SLOTS}
_REMEMBER: dict[Slot, Prepared] = {slot: _remembering(slot) for slot in SLOTS}


def make(connection: Connection, slot: Slot) -> None:
    """Make the index of FTS5 where this is SQLite, and the list of its words. Raises
    DatabaseUnusable where it has none.
    """
    if connection.dialect.name != "sqlite":
        return
    index, kept = INDEXES[slot], TABLES[slot]
    vocabulary = VOCABULARIES[slot]
    try:
        connection.execute(
            text(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {index.name} USING {MODULE}(words,"
                f" content='{kept.name}', content_rowid='number',"
                # Its tokens are exactly our words: only what is of ASCII and no letter or digit
                # parts them. Which items have a word is all that it is asked.
                " tokenize='ascii', detail='none', columnsize=0)"
            )
        )
        connection.execute(
            text(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {vocabulary.name}"
                f" USING {_LISTING}({index.name}, row)"
            )
        )
    except OperationalError as error:
        if "no such module" not in str(error.orig):
            raise
        raise DatabaseUnusable(
            f"the SQLite {sqlite3.sqlite_version} of this Python was built without FTS5, which "
            "search needs: take a Python that has it, or PostgreSQL"
        ) from error


def empty(connection: Connection, slot: Slot) -> None:
    """Empty the index of FTS5 where this is SQLite."""
    if connection.dialect.name == "sqlite":
        index = INDEXES[slot]
        connection.execute(insert(index).values({index.name: "delete-all"}))


def _verified_row(item: Item, partition: int) -> Mapping[str, Any]:
    return {"item_id": item.id, "partition": partition, "words": words(item)}


VIEW = View(
    NAME,
    frozenset({ItemCreated, ItemRenamed, ItemDescribed}),
    {slot: [table] for slot, table in TABLES.items()},
    project,
    make,
    empty,
    _verified_row,
    by_item=True,
)
