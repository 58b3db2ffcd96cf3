"""The ways to the items of a list, as statements that leave an engine little choice of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, any_, func, literal, select, tuple_
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from ledger.bulk import among
from ledger.projections import Slot
from readmodel.views import items, matches, search
from readmodel.views.chosen import Filter, Key, Sort

Slots = Mapping[str, Slot]
_Columns = Mapping[str, ColumnElement[Any]]

# Items that are looked at to tell which words are frequent, and how many times as frequent as the
# rarest a word is that is not looked up: to test what has the rarest is less work. At most so many
# words are looked up.
_SAMPLE = 512
_FREQUENT = 30
_LOOKED_UP = 4


@dataclass(frozen=True, slots=True)
class Source:
    """What one filter leaves, from an index of its own: the ids, and the same as it is counted
    fastest.
    """

    ids: Select[Any]
    counted: Select[Any]
    of_words: bool = False


class Ways:
    """What is left of a list after a place. The statements give body and key of items, in the order
    of the list, unless they say something else.
    """

    def __init__(
        self, connection: Connection, slots: Slots, chosen: Filter, sort: Sort, after: Key | None
    ) -> None:
        self.chosen = chosen
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._items = items.TABLES[slots[items.NAME]]
        words = chosen.words
        self._asked = None if words is None else (slots[search.NAME], words)
        self._here: _Columns = dict(self._items.c)
        # Of SQLite's own making: a column that no index is used for.
        self._hidden = {name: _plus(each) for name, each in self._here.items()}
        self._sort = sort
        self._after = after
        field = "name_key" if sort.field == "name" else sort.field
        self._key = ("item_id",) if sort.field == "id" else (field, "item_id")

    def along(self, stretch: int) -> Select[Any]:
        """Walk along the order, past so many items, and leave out what the filter does."""
        if not self._sqlite:
            # What has a limit is done by itself, before anything else is asked of it.
            near = self._ordered(select(self._items).where(*self._place(self._here)), self._here)
            there: _Columns = dict(near.limit(stretch).subquery("near").c)
            return self._rows(there).where(*self._filters(there), *self._tested(there))
        # It walks where it can use no other index, and ends as soon as the page is full.
        end = None if self.chosen.leaves_all else self._end_of(stretch)
        until = [] if end is None else [self._until(end)]
        where = [*self._place(self._here), *until, *self._filters(self._hidden)]
        return self._rows(self._here).where(*where, *self._tested(self._here))

    def ends_within(self, stretch: int) -> bool:
        """Say whether there are no more items along the order than these."""
        return self._end_of(stretch) is None

    def sources(self) -> Sequence[Source]:
        """Find the filters that have an index of their own."""
        found = [] if self._asked is None else [self._by_words(*self._asked)]
        for name, bounds in self._bounds(self._here).items():
            # In the order of this column the walk does not leave its bounds.
            if name not in self._key:
                ids = select(self._here["item_id"]).where(*bounds)
                found.append(Source(ids, ids))
        return found

    def among(self, source: Source, most: int) -> Select[Any]:
        """Take what a source has, which is no more than `most`, and sort it."""
        ids = source.ids.limit(most)
        there = self._hidden if self._sqlite else self._here
        if self._sqlite:
            mine = self._here["item_id"].in_(ids)
        else:
            mine = self._here["item_id"] == any_(func.array(ids.scalar_subquery()))
        where = [mine, *self._place(there), *self._filters(there)]
        tested = [] if source.of_words else self._tested(self._here)
        return self._rows(self._here).where(*where, *tested)

    def by_ids(self, ids: Sequence[str]) -> Select[Any]:
        """Take the items of these ids, and sort them."""
        there = self._hidden if self._sqlite else self._here
        where = [self._named(ids), *self._place(there), *self._filters(there)]
        return self._rows(self._here).where(*where, *self._tested(self._here))

    def everything(self) -> Select[Any]:
        """Take what the filter leaves as the engine sees fit."""
        where = [*self._place(self._here), *self._filters(self._here), *self._matched()]
        return self._rows(self._here).where(*where)

    def counted(self) -> Select[Any]:
        """Count what the filter leaves."""
        named = [] if self.chosen.ids is None else [self._named(self.chosen.ids)]
        where = [*named, *self._filters(self._here), *self._matched()]
        return select(func.count()).select_from(self._items).where(*where)

    def _rows(self, there: _Columns) -> Select[Any]:
        return self._ordered(select(there["body"], *(there[name] for name in self._key)), there)

    def _ordered(self, statement: Select[Any], there: _Columns) -> Select[Any]:
        key = [there[name] for name in self._key]
        return statement.order_by(*(each.desc() if self._sort.descending else each for each in key))

    def _place(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what is after the place, and in the bounds of the column that is sorted by."""
        bounds = self._bounds(there).get(self._key[0], [])
        if self._after is None:
            return bounds
        mine, other = self._pair(there, self._after)
        return [mine < other if self._sort.descending else mine > other, *bounds]

    def _until(self, end: Key) -> ColumnElement[bool]:
        mine, other = self._pair(self._here, end)
        return mine >= other if self._sort.descending else mine <= other

    def _pair(self, there: _Columns, key: Key) -> tuple[Any, Any]:
        columns = [there[name] for name in self._key]
        values = [literal(value, each.type) for value, each in zip(key, columns, strict=True)]
        return tuple_(*columns), tuple_(*values)

    def _end_of(self, stretch: int) -> Key | None:
        """Find the last key of a stretch, where it has so many items."""
        key = select(*(self._here[name] for name in self._key)).where(*self._place(self._here))
        last = self._ordered(key, self._here).limit(1).offset(stretch - 1)
        found = self._connection.execute(last).one_or_none()
        return None if found is None else tuple(found)

    def _filters(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what the filter says of an item, but for ids and words."""
        found = [each for bounds in self._bounds(there).values() for each in bounds]
        return found if self.chosen.include_deleted else [*found, there["deleted_at"].is_(None)]

    def _bounds(self, there: _Columns) -> Mapping[str, list[ColumnElement[bool]]]:
        """Say, of the columns that have an index, what the filter says of them."""
        chosen = self.chosen
        found: dict[str, list[ColumnElement[bool]]] = {
            "currency": [],
            "price": [],
            "updated_at": [],
        }
        if chosen.currency is not None:
            found["currency"].append(there["currency"] == chosen.currency)
        if chosen.price_min is not None:
            found["price"].append(there["price"] >= chosen.price_min)
        if chosen.price_max is not None:
            found["price"].append(there["price"] <= chosen.price_max)
        if chosen.updated_since is not None:
            found["updated_at"].append(there["updated_at"] >= chosen.updated_since)
        return {name: bounds for name, bounds in found.items() if bounds}

    def _named(self, ids: Sequence[str]) -> ColumnElement[bool]:
        return among(self._connection, self._items.c.item_id, ids)

    def _tested(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say that an item has the words, one item at a time."""
        if self._asked is None:
            return []
        return [matches.tested(self._connection, self._asked[0], there["item_id"], self._asked[1])]

    def _matched(self) -> list[ColumnElement[bool]]:
        """Say that an item has the words, by their index."""
        if self._asked is None:
            return []
        return [self._here["item_id"].in_(self._by_words(*self._asked).ids)]

    def _by_words(self, slot: Slot, words: Sequence[str]) -> Source:
        """Look up rare words, and test what has them for the others."""
        rare, also = self._parted(slot, words)
        ids = matches.matching(self._connection, slot, rare, also)
        return Source(ids, matches.counted(self._connection, slot, rare, also), of_words=True)

    def _parted(self, slot: Slot, words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        if len(words) == 1:
            return words, ()
        id_only = select(self._here["item_id"]).where(*self._place(self._here))
        near = self._ordered(id_only, self._here).limit(_SAMPLE)
        counts = matches.frequencies(self._connection, slot, near, words)
        ranked = sorted(zip(counts, words, strict=True))
        frequent = _FREQUENT * max(1, ranked[0][0])
        rare = [word for count, word in ranked[:_LOOKED_UP] if count < frequent]
        return rare, [word for word in words if word not in rare]


def _plus(column: ColumnElement[Any]) -> ColumnElement[Any]:
    operator: custom_op[Any] = custom_op("+")
    return UnaryExpression(column, operator=operator, type_=column.type)
