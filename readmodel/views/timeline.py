"""The timeline view: every item as it was from each moment on at which something took effect.

Reads every event, as each moves the version. Lists as of a moment are read from it: of the rows of
an item, the last one that is not later is in force.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    func,
    select,
)

from domain.events import Event
from domain.evolve import evolve
from domain.item import Item
from ledger.bulk import Values, among, inserting, upserting
from ledger.changes import Changes
from ledger.earlier import at_versions
from ledger.projections import Slot, name_of
from readmodel.views import search, wordings
from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.items import render
from readmodel.views.pages import Page
from readmodel.views.stretches import key_columns, matching, stretch
from readmodel.views.view import ORDERED, View, in_slots, metadata
from readmodel.views.wordings import Wordings

NAME = "timeline"


def _table(slot: Slot) -> Table:
    return Table(
        name_of(NAME, slot),
        metadata,
        Column("item_id", ORDERED, primary_key=True),
        Column("effective_at", BigInteger, primary_key=True, autoincrement=False),
        Column("partition", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("name_key", ORDERED, nullable=False),
        Column("price", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("deleted_at", BigInteger),
        # With the moment in it, what is later than asked for is passed over within the index.
        Index(None, "name_key", "item_id", "effective_at"),
        Index(None, "price", "item_id", "effective_at"),
        Index(None, "updated_at", "item_id", "effective_at"),
    )


TABLES = in_slots(_table)

# How many items are looked up and sorted; more are looked for along the order, where a page is soon
# full.
_FEW = 30_000

_NEW = {slot: inserting(table) for slot, table in TABLES.items()}
_AGAIN = {slot: upserting(table) for slot, table in TABLES.items()}


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    """Write each touched item as it is from now on, and as it was from earlier moments on."""
    partition_of = {each.event.item_id: each.partition for each in changes.events}
    new: list[Values] = []
    again: list[Values] = []
    for item in (*_passed(changes), *changes.after.values()):
        before = changes.before.get(item.id)
        # Whatever happens to an item takes effect after all that did before, or at its moment.
        later = before is None or before.effective_at < item.effective_at
        (new if later else again).append(_values(item, partition_of[item.id]))
    _NEW[slot].write(connection, new)
    _AGAIN[slot].write(connection, again)


def _passed(changes: Changes) -> Iterable[Item]:
    """Find the states that items had at moments before their last one: live, there are none, as
    what happens in one batch happens at one moment, unless somebody says otherwise.
    """
    after = changes.after
    moved = {
        each.event.item_id
        for each in changes.events
        if each.event.effective_at != after[each.event.item_id].effective_at
    }
    if not moved:
        return ()
    items = {item_id: changes.before.get(item_id) for item_id in moved}
    states: dict[tuple[str, int], Item] = {}
    for each in changes.events:
        item_id = each.event.item_id
        if item_id in moved:
            item = items[item_id] = evolve(items[item_id], each.event)
            states[item_id, item.effective_at] = item
    return [item for (item_id, at), item in states.items() if at != after[item_id].effective_at]


def _values(item: Item, partition: int) -> Values:
    """Make the row of an item as it is from a moment on."""
    return (
        item.id,
        item.effective_at,
        partition,
        item.version,
        item.name.casefold(),
        item.price,
        item.currency,
        item.updated_at,
        item.deleted_at,
    )


VIEW = View(
    NAME,
    frozenset(get_args(Event)),
    {slot: [table] for slot, table in TABLES.items()},
    project,
    by_item=True,
)


def views_of(chosen: Filter) -> tuple[str, ...]:
    """Name the views that it takes to answer."""
    return (NAME,) if chosen.words is None else (NAME, search.NAME, wordings.NAME)


class Past:
    """The items of a list as they were at a moment (`at`, milliseconds since 1970)."""

    def __init__(
        self, connection: Connection, slots: Mapping[str, Slot], at: int, chosen: Filter
    ) -> None:
        self._connection = connection
        self._slots = slots
        self._at = at
        self._chosen = chosen
        self._timeline = TABLES[slots[NAME]]

    def page(self, sort: Sort, limit: int, after: Key | None) -> Page:
        """Read up to `limit` of them that follow the key `after`."""
        timeline = self._timeline
        columns = key_columns(timeline, sort)
        statement = select(timeline.c.item_id, timeline.c.version, *columns).where(*self._there)
        found = self._connection.execute(stretch(statement, columns, sort, limit, after))
        rows: Sequence[Any] = found.all()
        full = rows[:limit]
        items = at_versions(self._connection, {each[0]: each[1] for each in full})
        return Page(
            [render(items[each[0]]) for each in full],
            list(full[-1][2:]) if len(rows) > limit else None,
        )

    def count(self) -> int:
        """Count them all."""
        counted = select(func.count()).select_from(self._timeline).where(*self._there)
        return self._connection.execute(counted).scalar_one()

    @cached_property
    def _there(self) -> list[ColumnElement[bool]]:
        timeline = self._timeline
        later = timeline.alias("later")
        superseded = (
            select(later.c.version)
            .where(
                later.c.item_id == timeline.c.item_id,
                later.c.effective_at > timeline.c.effective_at,
                later.c.effective_at <= self._at,
            )
            # Keeps PostgreSQL from joining all rows of the table, also for a page far behind.
            .offset(0)
            .exists()
        )
        return [
            timeline.c.effective_at <= self._at,
            *matching(self._connection, timeline, self._chosen),
            ~superseded,
            *self._had_words(),
        ]

    def _had_words(self) -> Iterable[ColumnElement[bool]]:
        """Say that items had the words, and which ones to look at, where these are few."""
        words = self._chosen.words
        if words is None:
            return
        then = Wordings(self._connection, self._slots, self._at, words)
        item_id = self._timeline.c.item_id
        few = None if self._chosen.ids is not None else then.candidates(_FEW)
        if few is not None:
            yield among(self._connection, item_id, few)
        yield then.had(item_id)
