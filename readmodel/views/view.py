"""What a view is to those who keep it: its tables, its events, and how it takes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from sqlalchemy import Connection, MetaData, Table, Text, delete, select, tuple_

from domain.events import Event
from domain.item import Item
from ledger.changes import Changes
from ledger.projections import SLOTS, Slot
from readmodel.views.query import Query

# Of its own: what a migration makes is in the ledger's.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Code-point order on every engine: PostgreSQL's "C" collation, SQLite's own default.
ORDERED = Text().with_variant(Text(collation="C"), "postgresql")

MakeRow = Callable[[Item, int], Mapping[str, Any]]


def nothing_more(_connection: Connection, _slot: Slot) -> None:
    """Do nothing: a view of tables alone."""


@dataclass(frozen=True, slots=True)
class View:
    """A view has two slots of equal tables: one is read, the other is built anew beside it.

    `reads` are the types of event that change it; it gets to see no others. `project` takes changes
    into a slot in one transaction, and never the same twice; it may raise, and is then left behind
    alone. `tables` are the slots' tables, which begin with the column of their key. `make` and
    `empty` make and empty what a slot has beside tables. Where a table has exactly one row per
    item, `row` may make it of an item and its partition, by which `itemledger verify` compares it;
    without, it takes all events into a database of its own, which is SQLite. `query` answers
    `GET /views/{name}`. With `by_item` it comes to the same rows when it gets one item after the
    other, each with its events in order, and is built so, which is quicker; without, events of all
    items always come in the order of the ledger.
    """

    name: str
    reads: frozenset[type[Event]]
    tables: Mapping[Slot, Sequence[Table]]
    project: Callable[[Connection, Slot, Changes], None]
    make: Callable[[Connection, Slot], None] = nothing_more
    empty: Callable[[Connection, Slot], None] = nothing_more
    row: MakeRow | None = None
    query: Query | None = None
    by_item: bool = False

    def into(self, slot: Slot) -> Callable[[Connection, Changes], None]:
        """Make the projection into one slot."""
        if self.reads.issuperset(get_args(Event)):
            return partial(_all_into, self.project, slot)

        def project(connection: Connection, changes: Changes) -> None:
            mine = [each for each in changes.events if type(each.event) in self.reads]
            if mine:
                self.project(connection, slot, _only(changes, mine))

        return project

    def clear(self, connection: Connection, slot: Slot, most: int) -> bool:
        """Empty a slot, whatever is in it, and say whether that is done: about `most` rows are
        removed at once, as others wait meanwhile, who write on SQLite, or want something else.

        Nothing is truncated: on PostgreSQL that would hold up who reads, and show an empty table
        to a snapshot of before.
        """
        for table in self.tables[slot]:
            key = list(table.primary_key)
            # By the index, which passes over what is removed already.
            some = select(*key).order_by(*key).limit(most)
            if connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount:
                return False
        self.empty(connection, slot)
        return True


def in_slots(make: Callable[[Slot], Table]) -> dict[Slot, Table]:
    """Make a table once for each slot."""
    return {slot: make(slot) for slot in SLOTS}


def _all_into(
    project: Callable[[Connection, Slot, Changes], None],
    slot: Slot,
    connection: Connection,
    changes: Changes,
) -> None:
    if changes.events:
        project(connection, slot, changes)


def _only(changes: Changes, mine: Sequence[Any]) -> Changes:
    if len(mine) == len(changes.events):
        return changes
    touched = {each.event.item_id for each in mine}
    return Changes(
        mine,
        {name: item for name, item in changes.before.items() if name in touched},
        {name: item for name, item in changes.after.items() if name in touched},
    )
